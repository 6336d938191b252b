"""Do prediction sets hold the true class as often as promised, and how large are they?

The sets that ship with a checkpoint are judged on the test part of its training run, lesion by lesion. Beside
them stand limits fitted anew on the validation part: one for all classes or one for each, with both kinds of
evidence. Beside each coverage stands the 95 % beta-binomial band that the numbers of calibration and test
lesions allow if nothing else is wrong; arrows mark what lies outside. The sets that ship hold the class that
is named, the others the most probable one; the JSON also has the coverage by the limits alone. --metadata
(the table of ISIC 2019) adds limits by source and by age band.

    python benchmarks/prediction_sets.py --checkpoint runs/mine/checkpoint \
        --validation runs/mine/predictions-validation.csv --test runs/mine/predictions-test.csv \
        --out experiments/prediction_sets.json --figure experiments/prediction_sets.png
"""

import argparse
import json
import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from transxv2s.checkpoint import read_config
from transxv2s.datasets.isic2019 import source_of
from transxv2s.datasets.tables import person, read_table
from transxv2s.errors import ConfigError
from transxv2s.evaluation.figures import COLOURS, LINE, MUTED
from transxv2s.evaluation.prediction_sets import place_in
from transxv2s.evaluation.scored import ScoredImages
from transxv2s.scoring import age_band
from transxv2s.trust.conformal import PredictionSets, band, evidence, fit

WAYS = [(score, condition) for score in ("lac", "aps") for condition in ("none", "class")]
CONDITIONS = {"none": "one limit", "class": "a limit a class"}
ALL = "all"
SHIPPED = "as it ships"

Booleans = NDArray[np.bool_]
Groups = dict[str, Sequence[str]]


def of_lesions(values: NDArray[Any], lesions: Sequence[str]) -> float:
    """Mean over lesions of the means over their images (N,)."""
    number = np.unique(lesions, return_inverse=True)[1]
    return float((np.bincount(number, values) / np.bincount(number)).mean())


def judged(test: ScoredImages, held: Booleans, by_limits: Booleans, chosen: Booleans) -> dict[str, Any]:
    """Coverage and size of the sets (N, K) of the chosen images (N,)."""
    rows, lesions = np.flatnonzero(chosen), np.array(test.lesions)[chosen].tolist()
    truth = test.labels[rows]
    return {
        "lesions": len(set(lesions)),
        "coverage": of_lesions(held[rows, truth], lesions),
        "coverage_by_limits": of_lesions(by_limits[rows, truth], lesions),
        "set_size": of_lesions(held[rows].sum(axis=1), lesions),
    }


def with_band(row: dict[str, Any], coverage: float, calibration_lesions: int) -> dict[str, Any]:
    """Adds the band that so many calibration lesions give, and where the coverage lies."""
    allowed = band(coverage, calibration_lesions, row["lesions"]).tolist()
    return row | {
        "calibration_lesions": calibration_lesions,
        "band": allowed,
        "place": place_in(allowed, row["coverage"]),
        "place_by_limits": place_in(allowed, row["coverage_by_limits"]),
    }


def by_class(
    sets: PredictionSets, test: ScoredImages, held: Booleans, calibrated_on: dict[str, int]
) -> dict[str, Any]:
    """One row a class and one of all lesions, which a limit for each class promises nothing beyond."""
    by_limits = evidence(test.probabilities, sets.score) >= np.array(sets.limits_of())
    chosen = {code: test.labels == k for k, code in enumerate(test.codes)}
    chosen = {code: own for code, own in chosen.items() if own.any()} | {ALL: np.ones(len(test.labels), bool)}
    return {
        code: with_band(judged(test, held, by_limits, own), sets.coverage, calibrated_on[code])
        for code, own in chosen.items()
    }


def lesions_of(scored: ScoredImages) -> dict[str, int]:
    """Lesions of each class, and of all."""
    pairs = set(zip(scored.labels.tolist(), scored.lesions, strict=True))
    own = np.bincount([label for label, _ in pairs], minlength=len(scored.codes)).tolist()
    return dict(zip(scored.codes, own, strict=True)) | {ALL: len(set(scored.lesions))}


def shipped(checkpoint: Path, test: ScoredImages, calibrated_on: dict[str, int]) -> dict[str, Any]:
    """The checkpoint's own sets, from the logits on.

    Raises:
        ConfigError: The checkpoint is of other classes, or has no limit for each of them.
    """
    config, _ = read_config(checkpoint)
    trust = config.trust
    if trust is None or trust.sets.conditional_on != "class" or trust.sets.grouping:
        raise ConfigError(f"{checkpoint} has no sets with a limit for each class: take the run's own")
    if tuple(config.classes) != test.codes:
        raise ConfigError(f"{checkpoint} is of other classes than the predictions: take the run's own")
    probabilities = trust.scaling.probabilities(test.logits)
    nothing = np.zeros(len(probabilities), bool)
    held = trust.evidence(probabilities, nothing, [()] * len(probabilities)).members
    own = dict(zip(test.codes, trust.sets.limits.lesions, strict=True))
    return by_class(trust.sets, replace(test, probabilities=probabilities), held, calibrated_on | own)


def by_group(
    calibration: ScoredImages, test: ScoredImages, groups: tuple[Groups, Groups], coverage: float
) -> dict[str, Any]:
    """For each grouping its groups' coverage and set size, without limits of their own and with them."""
    results: dict[str, Any] = {}
    labelled = calibration.probabilities, calibration.labels
    for grouping, names in groups[0].items():
        plain = fit(*labelled, coverage, conditional_on="none", lesions=calibration.lesions)
        own = fit(
            *labelled,
            coverage,
            conditional_on="none",
            lesions=calibration.lesions,
            groups=names,
            grouping=grouping,
        )
        of_test = groups[1][grouping]
        ways = {
            "one limit": plain.sets(test.probabilities),
            "own limit": own.sets(test.probabilities, of_test),
            "group withheld": own.sets(test.probabilities),
        }
        results[grouping] = {
            group: {
                way: with_band(
                    judged(test, held, held, np.array(of_test) == group), coverage, limits.lesions[0]
                )
                for way, held in ways.items()
            }
            for group, limits in own.groups.items()
            if group in of_test
        }
    return results


def groups_of(scored: ScoredImages, metadata: Path) -> Groups:
    """Source and age band of each image."""
    rows = {row["image"]: row for row in read_table(metadata, ["image", "age", "lesion_id"])}
    own = [rows[image] for image in scored.images]
    return {
        "source": [source_of(row["image"], row["lesion_id"] or None) for row in own],
        "age band": [age_band(person(row).age) for row in own],
    }


def show(results: dict[str, Any], coverage: float) -> Table:
    """Coverage by class; a coverage out of its band is marked."""
    table = Table(title=f"Sets promised to hold {coverage:.0%} of the lesions: coverage, mean set size")
    for column in ("class", "lesions: calibration, test", "band"):
        table.add_column(column, justify="right")
    for way in results:
        table.add_column(way, justify="right")
    for code, first in next(iter(results.values())).items():
        low, high = first["band"]
        table.add_row(
            code,
            f"{first['calibration_lesions']:,}, {first['lesions']:,}",
            f"{low:.1%} to {high:.1%}",
            *(_coverage(rows[code]) for rows in results.values()),
        )
    return table


def _coverage(row: dict[str, Any]) -> str:
    sign = {"below": " ↓", "above": " ↑", "within": "  "}
    return f"{row['coverage']:.1%}{sign[row['place']]} {row['set_size']:.2f}"


def show_groups(grouping: str, rows: dict[str, Any]) -> Table:
    """Coverage by group."""
    table = Table(title=f"Limits by {grouping}: coverage, set size")
    for column in ("group", "lesions: calibration, test", "band", *next(iter(rows.values()))):
        table.add_column(column, justify="right")
    for group, ways in rows.items():
        first = next(iter(ways.values()))
        low, high = first["band"]
        counts = f"{first['calibration_lesions']:,}, {first['lesions']:,}"
        cells = [f"{row['coverage']:.1%}, {row['set_size']:.2f}" for row in ways.values()]
        table.add_row(group, counts, f"{low:.1%} to {high:.1%}", *cells)
    return table


def draw(results: dict[str, Any], coverage: float, path: Path) -> None:
    """Coverage of each class beside its band, and set sizes in the legend."""
    canvas = Figure((10, 4.2), layout="constrained")
    for axes, score in zip(canvas.subplots(1, 2, sharey=True), ("lac", "aps"), strict=True):
        axes.axhline(coverage, color=MUTED, linewidth=1, linestyle=":")
        for place, (condition, words) in enumerate(CONDITIONS.items()):
            rows = results[f"{score}, {words}"]
            x = np.arange(len(rows)) + (place - 0.5) * 0.3
            if condition == "class":
                low, high = np.array([row["band"] for row in rows.values()]).T
                axes.bar(np.arange(len(rows)), high - low, 0.7, low, color=LINE, label="95 % band")
            values = [row["coverage"] for row in rows.values()]
            label = f"{words}, mean size {rows[ALL]['set_size']:.2f}"
            axes.plot(x, values, "o", color=COLOURS[place], markersize=5, label=label, zorder=3)
        axes.set_xticks(range(len(rows)), list(rows))
        axes.set_title(score.upper(), fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False, loc="lower left")
    lowest = min(row["coverage"] for rows in results.values() for row in rows.values())
    canvas.axes[0].set_ylim(lowest - 0.2, 1.03)  # room for the legend
    canvas.axes[0].set_ylabel("share of lesions whose class is in the set", color=MUTED)
    canvas.savefig(path, dpi=140)


def main() -> None:
    """Prints tables; writes JSON and the figure where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="of the run")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--coverage", type=float, default=0.9)
    parser.add_argument("--metadata", type=Path, help="table of ISIC 2019, for source and age")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path, help="PNG or SVG file to write")
    arguments = parser.parse_args()
    coverage = arguments.coverage
    calibration, test = ScoredImages.read(arguments.validation), ScoredImages.read(arguments.test)
    calibrated_on = lesions_of(calibration)
    results = {}
    for score, condition in WAYS:
        sets = fit(
            calibration.probabilities,
            calibration.labels,
            coverage,
            score=score,  # type: ignore[arg-type]
            conditional_on=condition,  # type: ignore[arg-type]
            lesions=calibration.lesions,
        )
        held = sets.sets(test.probabilities)
        results[f"{score}, {CONDITIONS[condition]}"] = by_class(sets, test, held, calibrated_on)
    results[SHIPPED] = shipped(arguments.checkpoint, test, calibrated_on)
    console = Console(width=170)
    console.print(show(results, coverage))
    content: dict[str, Any] = {"coverage": coverage, "by_class": results}
    if arguments.metadata:
        groups = groups_of(calibration, arguments.metadata), groups_of(test, arguments.metadata)
        content["by_group"] = by_group(calibration, test, groups, coverage)
        for grouping, rows in content["by_group"].items():
            console.print(show_groups(grouping, rows))
    if arguments.out:
        machine = {"machine": f"{platform.machine()}, numpy {np.__version__}"}
        arguments.out.write_text(json.dumps(machine | content, indent=1) + "\n")
    if arguments.figure:
        draw(results, coverage, arguments.figure)


if __name__ == "__main__":
    main()
