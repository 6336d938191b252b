"""The tables of MODEL_CARD.md, as markdown, from what `transxv2s evaluate` wrote of the test part.

A test holds the card and the README to what is kept of that evaluation.

    python benchmarks/model_card.py experiments/shipped_test.json
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from transxv2s.taxonomy import ISIC2019

HEADLINE = {
    "balanced accuracy": "balanced_accuracy",
    "accuracy": "accuracy",
    "macro F1": "macro_f1",
    "macro AUC": "macro_auc",
}
GROUPS = ("source", "age", "sex")


def interval(found: dict[str, float | None], digits: int = 2) -> str:
    """As in "0.56 (0.49 to 0.63)"; a dash where there is nothing to score."""
    value, low, high = (found[end] for end in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "–"
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def rows(heading: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in markdown."""
    first, *others = (f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in (heading, *lines))
    return "\n".join([first, f"|{'---|' * len(heading)}", *others])


def headline(result: dict[str, Any]) -> str:
    """The scores over all images."""
    scores = result["scores"]
    lines = ([name, f"**{interval(scores[key], 3)}**"] for name, key in HEADLINE.items())
    return rows(["", "TransXV2S-Net (shipped)"], lines)


def by_class(result: dict[str, Any]) -> str:
    """Scores of each class."""
    per_class, recalls = result["scores"]["per_class"], result["scores"]["intervals"]
    lines = []
    for code, one in per_class.items():
        rest = [f"{one[key]:.2f}" for key in ("precision", "f1", "auc")]
        name, images = ISIC2019[code].name, str(one["images"])
        lines.append([name, images, interval(recalls[code]["recall"]), *rest])
    return rows(["class", "images", "recall", "precision", "F1", "AUC"], lines)


def by_group(result: dict[str, Any]) -> str:
    """Scores of hospitals, ages and sexes."""
    lines = [
        [
            one["group"],
            f"{one['images']:,}",
            interval(one["balanced_accuracy"]),
            f"{one['auc']:.2f}",
            interval(one["malignant_recall"]),
        ]
        for group in GROUPS
        for one in result["subgroups"][group]
    ]
    heading = ["group", "images", "balanced accuracy", "AUC", "malignant lesions recognised as such"]
    return rows(heading, lines)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", type=Path, help="results.json of an evaluation")
    result = json.loads(parser.parse_args().result.read_text())
    print(*(table(result) for table in (headline, by_class, by_group)), sep="\n\n")


if __name__ == "__main__":
    main()
