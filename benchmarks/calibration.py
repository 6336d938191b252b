"""What does calibration change? Temperature, vector and Dirichlet scaling on the stored predictions of a run.

The forms are fitted and compared on the logits of the validation images alone; which of the likeliest
ships is for `transxv2s calibrate`, which knows what each refers. The test images are scored once, against the
network as it is. Vector and Dirichlet scaling also move the most probable class; what that does to recall is
printed beside.

    python benchmarks/calibration.py --validation runs/mine/predictions-validation.csv \
        --test runs/mine/predictions-test.csv --out experiments/calibration.json \
        --figure experiments/calibration.png
"""

import argparse
import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from transxv2s.evaluation.reliability_figure import reliability_before_and_after
from transxv2s.evaluation.scored import ScoredImages
from transxv2s.scoring import Scores, score
from transxv2s.scoring.bootstrap import Interval
from transxv2s.scoring.calibration import HEADLINE, CalibrationScores, Compared, calibration
from transxv2s.scoring.calibration import calibration_intervals as intervals
from transxv2s.taxonomy import OWN, DiagnosticClass, Taxonomy
from transxv2s.trust.calibration import softmax
from transxv2s.trust.scaling import KINDS
from transxv2s.trust.scaling_choice import Choice, choose, held_out
from transxv2s.trust.scaling_fit import fit

BEFORE = "before"
DECISIONS = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc")
PER_CLASS = ("ece", "smooth_ece", "brier", "nll")


def shown(interval: Interval) -> str:
    """Value, and the interval on a second line."""
    value, low, high = (f"{interval[end]:.3f}" for end in ("value", "low", "high"))
    return f"{value}\n{low}…{high}"


def headline_table(found: Mapping[str, Compared], what: Literal["scores", "change"], title: str) -> Table:
    """One row a metric, one column a form; changes have no column for the reference."""
    table = Table("", title=title)
    columns = [name for name in found if what == "scores" or name != BEFORE]
    for name in columns:
        table.add_column(name, justify="right")
    for metric in HEADLINE:
        table.add_row(metric, *(shown(found[name][what][metric]) for name in columns))
    return table


def decision_table(decisions: Mapping[str, Scores]) -> Table:
    """What becomes of the predicted class, which a bias moves: accuracy, and recall of each class."""
    table = Table("", title="the most probable class")
    for name in decisions:
        table.add_column(name, justify="right")
    for metric in DECISIONS:
        values: list[Any] = [dict(scores)[metric] for scores in decisions.values()]
        table.add_row(metric, *(f"{value:.4f}" for value in values))
    table.add_section()
    for code in decisions[BEFORE]["per_class"]:
        recalls = [scores["per_class"][code]["recall"] for scores in decisions.values()]
        table.add_row(f"recall {code}", *("–" if r is None else f"{r:.4f}" for r in recalls))
    return table


def class_table(scores: Mapping[str, CalibrationScores], after: str) -> Table:
    """One row a class: each score before and after."""
    table = Table("class", "images", title=f"by class, {BEFORE} → {after}")
    for heading in PER_CLASS:
        table.add_column(heading, justify="right")
    for code, old in scores[BEFORE]["per_class"].items():
        new: Mapping[str, Any] = scores[after]["per_class"][code]
        pairs = [
            "–" if new[key] is None else f"{dict(old)[key]:.3f}→{new[key]:.3f}"  # no image, no score
            for key in PER_CLASS
        ]
        table.add_row(code, f"{old['images']:,}", *pairs)
    return table


def choice_table(choice: Choice, images: int) -> Table:
    """What the form was chosen by."""
    table = Table(title=f"negative log-likelihood over folds of lesions, {images:,} validation images")
    for heading in ("", "nll", "gain", "standard error"):
        table.add_column(heading, justify="right")
    for kind, found in choice.scores.items():
        mark = " (the likeliest)" if kind == choice.kind else ""
        table.add_row(kind + mark, f"{found.nll:.4f}", f"{found.gain:.4f}", f"{found.standard_error:.4f}")
    return table


def digest(path: Path) -> str:
    """First 12 hexadecimal digits of the sha256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def main() -> None:
    """Prints the tables and writes JSON and the figure where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=1000, help="of the bootstrap over lesions")
    parser.add_argument("--seed", type=int, default=0, help="of folds and bootstrap")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--figure", type=Path, help="PNG or SVG file to write")
    arguments = parser.parse_args()
    fitting, test = ScoredImages.read(arguments.validation), ScoredImages.read(arguments.test)
    if set(fitting.lesions) & set(test.lesions):
        parser.error("validation and test share lesions: what is fitted on one cannot be judged on the other")
    given = (fitting.logits, fitting.labels, fitting.lesions)
    left_out = {kind: held_out(kind, *given, seed=arguments.seed) for kind in KINDS}
    choice = choose(left_out, fitting.labels, fitting.lesions)
    scalings = {kind: fit(kind, *given) for kind in KINDS}
    models = {BEFORE: softmax(test.logits)}
    models |= {kind: scaling.probabilities(test.logits) for kind, scaling in scalings.items()}
    found = intervals(models, test.labels, test.lesions, draws=arguments.draws, seed=arguments.seed)
    scores = {name: calibration(p, test.labels, test.codes) for name, p in models.items()}
    described = Taxonomy(
        OWN, tuple(DiagnosticClass(c, c, "unknown") for c in test.codes)
    )  # codes matter alone
    decisions = {name: score(p, test.labels, described) for name, p in models.items()}
    console = Console()
    console.print(choice_table(choice, len(fitting.images)))
    title = f"{len(test.images):,} test images of {len(set(test.lesions)):,} lesions, 95 % over lesions"
    console.print(headline_table(found, "scores", title))
    console.print(headline_table(found, "change", f"change against {BEFORE}, same draws"))
    console.print(class_table(scores, choice.kind))
    console.print(decision_table(decisions))
    if arguments.out:
        content = {
            "machine": f"{platform.machine()}, numpy {np.__version__}, scipy {scipy.__version__}",
            "seed": arguments.seed,
            "draws": arguments.draws,
            "predictions": {"validation": digest(arguments.validation), "test": digest(arguments.test)},
            "images": {"validation": len(fitting.images), "test": len(test.images)},
            "choice": choice.model_dump(),
            "scalings": {kind: scaling.model_dump() for kind, scaling in scalings.items()},
            "intervals": found,
            "scores": scores,
            "decisions": decisions,
        }
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")
    if arguments.figure:
        pair = {BEFORE: models[BEFORE], f"{choice.kind} scaling": models[choice.kind]}
        drawn = reliability_before_and_after(pair, test.labels.astype(np.intp), test.codes)
        drawn.savefig(arguments.figure, dpi=150, bbox_inches="tight")


if __name__ == "__main__":
    main()
