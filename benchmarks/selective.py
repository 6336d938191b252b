"""Which confidence score tells best when the network is wrong?

An answer is wrong if the class that is named is not the true one, which need not be the most probable one.
"named class", its probability, is the confidence that the system itself goes by. The best score by AURC on
validation is chosen there; the other images only report, with differences from the greatest probability
("softmax") on the same draws of lesions. Both kinds of predictions are read: those that a training run leaves
behind, and the predictions.csv of `transxv2s evaluate`, for images of elsewhere that the network has not seen
(HAM10000 and MSK are part of ISIC 2019). Energy needs the logits, which the runs' have.

    python benchmarks/selective.py --validation runs/mine/predictions-validation.csv \
        --test runs/mine/predictions-test.csv --out experiments/selective.json \
        --figure experiments/selective.png
    python benchmarks/selective.py --validation runs/mine/predictions-validation.csv \
        --test results/uda1/predictions.csv
"""

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from transxv2s.datasets.tables import read_table
from transxv2s.errors import DataError
from transxv2s.evaluation.answers import Answers, read_answers
from transxv2s.evaluation.scored import ScoredImages
from transxv2s.evaluation.selective_figure import risk_coverage
from transxv2s.scoring.bootstrap import Interval
from transxv2s.scoring.selective import (
    CONFIDENCES,
    AreaIntervals,
    RiskCoverage,
    energy,
    selective_difference,
    selective_intervals,
)

Floats = NDArray[np.float64]
REFERENCE, OWN = "softmax", "named class"
AREAS = tuple(AreaIntervals.__annotations__)
SUBSETS = ("validation", "test")


def read(path: Path) -> tuple[Answers, dict[str, Floats]]:
    """What is said of the images of a file, and each score's confidence (N,) in it."""
    rows = read_table(path, ("image",))
    if rows and "file" in rows[0]:
        answers, more = read_answers(path), {}
    else:
        scored = ScoredImages.read(path)
        wrong = scored.predicted != scored.labels
        answers = Answers(scored.probabilities, scored.predicted, wrong, scored.labels, scored.lesions)
        more = {"energy": energy(scored.logits)}
    scores = {name: score(answers.probabilities) for name, score in CONFIDENCES.items()}
    return answers, {**scores, OWN: answers.confidence, **more}


def measure(answers: Answers, found: dict[str, RiskCoverage], draws: int, seed: int) -> dict[str, Any]:
    """Areas of each score, and what they differ by from the reference, with intervals over lesions."""
    options: dict[str, Any] = {"draws": draws, "seed": seed}
    return {
        "images": len(answers.wrong),
        "lesions": len(set(answers.lesions)),
        "error_rate": float(answers.wrong.mean()),
        "areas": {n: selective_intervals(o, answers.lesions, **options) for n, o in found.items()},
        "difference_from_softmax": {
            n: selective_difference(o, found[REFERENCE], answers.lesions, **options)
            for n, o in found.items()
            if n != REFERENCE
        },
    }


def show(name: str, result: dict[str, Any]) -> Table:
    """Areas times 1,000, as FD-Shifts prints them; below each, what it differs by from the reference."""
    counts = f"{result['images']:,} images, {result['lesions']:,} lesions"
    title = f"{name}: {counts}, {result['error_rate']:.1%} of the images wrong"
    table = Table("score", title=f"{title}\nareas × 1,000 with 95 % intervals, lower is better")
    for area in AREAS:
        table.add_column(area.replace("_", " "), justify="right")
    for score, areas in result["areas"].items():
        table.add_row(score, *(_text(areas[area]) for area in AREAS))
        if score in result["difference_from_softmax"]:
            difference = result["difference_from_softmax"][score]
            table.add_row("  − softmax", *(_text(difference[area], "+") for area in AREAS), style="dim")
    return table


def _text(interval: Interval, sign: str = "") -> str:
    value, low, high = (1000 * float(interval[end] or 0.0) for end in ("value", "low", "high"))
    return f"{value:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})"


def verdict(results: dict[str, Any]) -> str:
    """What validation chose, and whether the test part bears it out."""
    areas = results["validation"]["areas"]
    best = min(areas, key=lambda name: areas[name]["aurc"]["value"])
    if best == REFERENCE:
        return "validation chooses softmax; nothing to compare"
    interval = results["test"]["difference_from_softmax"][best]["aurc"]
    certain = (
        "better" if interval["high"] < 0 else "worse" if interval["low"] > 0 else "not clearly different"
    )
    difference = f"{certain} ({_text(interval, '+')})"
    return f"validation chooses {best}; AURC × 1,000 on test minus that of softmax: {difference}"


def main() -> None:
    """Prints tables and the choice; writes JSON and the figure of the test part where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path, help="PNG or SVG file to write")
    arguments = parser.parse_args()
    said = {s: read(getattr(arguments, s)) for s in SUBSETS}
    if shared := set(said["validation"][0].lesions) & set(said["test"][0].lesions):
        raise DataError(f"{len(shared)} lesions are in both files: name files of different images")
    common = [name for name in said["validation"][1] if name in said["test"][1]]
    found = {
        s: {name: RiskCoverage(scores[name], answers.wrong, answers.labels) for name in common}
        for s, (answers, scores) in said.items()
    }
    results = {s: measure(said[s][0], found[s], arguments.draws, arguments.seed) for s in SUBSETS}
    for subset in SUBSETS:
        Console(width=160).print(show(subset, results[subset]))
    chosen = verdict(results)
    Console(width=160).print(chosen)
    if arguments.out:
        content = {
            "machine": f"{platform.machine()}, numpy {np.__version__}",
            "draws": arguments.draws,
            "seed": arguments.seed,
            "verdict": chosen,
        }
        arguments.out.write_text(json.dumps(content | results, indent=1) + "\n")
    if arguments.figure:
        risk_coverage(found["test"]).savefig(arguments.figure, dpi=140)


if __name__ == "__main__":
    main()
