"""Which confidence score tells best when the network is wrong?

The scores are compared on the predictions that a training run leaves behind. The best by AURC on validation
is chosen there; the test part only reports, with differences from the probability of the predicted class
("softmax") on the same draws of lesions. Energy needs the logits, which the tables do not have: --logits
names a file of torch.save with the tensors "validation" and "test" in the order of the tables.

    python benchmarks/selective.py --validation runs/mine/predictions-validation.csv \
        --test runs/mine/predictions-test.csv --out experiments/selective.json \
        --figure experiments/selective.png
"""

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from transxv2s.evaluation.selective_figure import risk_coverage
from transxv2s.scoring.bootstrap import Interval
from transxv2s.scoring.selective import (
    CONFIDENCES,
    AreaIntervals,
    RiskCoverage,
    energy,
    mistakes,
    selective_difference,
    selective_intervals,
)
from transxv2s.taxonomy import ISIC2019
from transxv2s.training.scored import ScoredImages

REFERENCE = "softmax"
AREAS = tuple(AreaIntervals.__annotations__)
SUBSETS = ("validation", "test")


def orders(scored: ScoredImages, logits: torch.Tensor | None) -> dict[str, RiskCoverage]:
    """Each confidence score's order of the images."""
    confidences = {name: score(scored.probabilities) for name, score in CONFIDENCES.items()}
    if logits is not None:
        assert logits.shape == scored.probabilities.shape, "logits of other images"
        confidences["energy"] = energy(logits.double().numpy())
    wrong = mistakes(scored.probabilities, scored.labels)
    return {name: RiskCoverage(c, wrong, scored.labels) for name, c in confidences.items()}


def measure(scored: ScoredImages, found: dict[str, RiskCoverage], draws: int, seed: int) -> dict[str, Any]:
    """Areas of each score, and what they differ by from the reference, with intervals over lesions."""
    options: dict[str, Any] = {"draws": draws, "seed": seed}
    return {
        "images": len(scored.images),
        "lesions": len(set(scored.lesions)),
        "error_rate": float(mistakes(scored.probabilities, scored.labels).mean()),
        "areas": {n: selective_intervals(o, scored.lesions, **options) for n, o in found.items()},
        "difference_from_softmax": {
            n: selective_difference(o, found[REFERENCE], scored.lesions, **options)
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
    parser.add_argument("--logits", type=Path)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path, help="PNG or SVG file to write")
    arguments = parser.parse_args()
    logits = torch.load(arguments.logits, weights_only=True) if arguments.logits else {}
    scored = {s: ScoredImages.read(getattr(arguments, s), ISIC2019.codes) for s in SUBSETS}
    found = {s: orders(scored[s], logits.get(s)) for s in SUBSETS}
    results = {s: measure(scored[s], found[s], arguments.draws, arguments.seed) for s in SUBSETS}
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
