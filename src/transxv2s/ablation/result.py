"""From finished runs to a table: scores, differences between rows, and what was published."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from transxv2s.ablation.plan import Plan, Row
from transxv2s.ablation.runs import folder_of, scored
from transxv2s.ablation.speed import read_speed
from transxv2s.checkpoint import read_config
from transxv2s.evaluation.scored import ScoredImages
from transxv2s.nets import count_parameters, network
from transxv2s.scoring import (
    Interval,
    Intervals,
    Scored,
    lesion_bootstrap,
    paired_difference,
    unpaired_difference,
)
from transxv2s.training.curves import METRICS, SCORE, history, points
from transxv2s.training.run import CHECKPOINT
from transxv2s.trust.calibration import softmax

RISE = 0.01  # balanced accuracy; a validation score that rises by more at the end is still rising
HOLDS = (
    "Figures hold for this budget, within which the schedule lowers the learning rate, and not for longer "
    "training. A row whose validation score still rose is unconverged: nothing follows from it, nor from a "
    "difference from it."
)
HEADLINE = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "nll")
Scores = dict[str, Interval]


class Line(TypedDict):
    """One row of the table; `None` where no run has finished.

    Attributes:
        name: Of the row.
        parameters: Of the network.
        seeds: Those whose runs are finished.
        scores: Means over the seeds with 95 % intervals over lesions, of the networks without calibration.
        by_seed: The same scores of each seed's run.
        recall: Of each class, mean over the seeds.
        f1: Of each class.
        versus: Name of the row compared with, if any.
        difference: This row minus that one, over the seeds that both have.
        paired: Whether both scored the same images, so that the difference is of the same draws of lesions.
        still_rising: Whether the validation score of any run still rose when its budget was spent.
        conclusive: Whether the difference says something: neither of the two rows was still rising.
        quoted: What was published.
        split: Digest of the split.
        images: Of each subset.
        leaky: Whether held-out images share something with those of training, as the recipe declares.
    """

    name: str
    parameters: int | None
    seeds: list[int]
    scores: Scores | None
    by_seed: dict[str, list[float | None]]
    recall: dict[str, Interval]
    f1: dict[str, Interval]
    versus: str | None
    difference: Scores | None
    paired: bool
    still_rising: bool
    conclusive: bool
    quoted: dict[str, float]
    split: str | None
    images: dict[str, int]
    leaky: bool


def label(line: Line) -> list[str]:
    """Name of a row, and what a reader must know before its scores are believed."""
    marks = {"(leaky)": line["leaky"], "(unconverged)": line["still_rising"]}
    return [line["name"], *(mark for mark, holds in marks.items() if holds)]


def lines(plan: Plan, out: Path) -> list[Line]:
    """All rows of the plan, finished or not."""
    runs = [scored(plan, out, row) for row in plan.rows]
    found: list[Line] = []
    for place, row in enumerate(plan.rows):
        against = plan.reference_of(place)
        other = (plan.rows[against].name, runs[against]) if against is not None else None
        line = _line(row, runs[place], other, [folder_of(out, row, seed) for seed in runs[place]])
        risen = [line, found[against]] if against is not None else [line]
        line["conclusive"] = line["difference"] is not None and not any(one["still_rising"] for one in risen)
        found.append(line)
    return found


def _line(
    row: Row,
    runs: dict[int, ScoredImages],
    other: tuple[str, dict[int, ScoredImages]] | None,
    folders: Sequence[Path],
) -> Line:
    versus, difference, paired = _difference(runs, other)
    line: Line = {
        "name": row.name,
        "parameters": None,
        "seeds": list(runs),
        "scores": None,
        "by_seed": {},
        "recall": {},
        "f1": {},
        "versus": versus,
        "difference": difference,
        "paired": paired,
        "still_rising": any(still_rising(validation_scores(folder)) for folder in folders),
        "conclusive": False,
        "quoted": row.quoted.model_dump(exclude_none=True) if row.quoted else {},
        "split": None,
        "images": {},
        "leaky": False,
    }
    if runs:
        first = next(iter(runs.values()))
        intervals = _intervals(list(runs.values()))
        config, _ = read_config(folders[0] / CHECKPOINT)
        with torch.device("meta"):  # nothing is computed, so no weights are drawn
            made = network(config.variant, len(config.classes))
        line["parameters"] = count_parameters(made)["total"]
        protocol: dict[str, Any] = dict(config.training)
        line["split"], line["images"] = protocol["split_digest"], protocol["images"]
        line["leaky"] = protocol["leaky"]
        line["scores"] = _headline(intervals)
        by_seed = [_headline(_intervals([run])) for run in runs.values()]
        line["by_seed"] = {name: [one[name]["value"] for one in by_seed] for name in HEADLINE}
        line["recall"] = dict(zip(first.codes, intervals["recall"], strict=True))
        line["f1"] = dict(zip(first.codes, intervals["f1"], strict=True))
    return line


def validation_scores(run_dir: Path) -> list[float]:
    """Balanced accuracy on validation after each epoch of a run."""
    return points(history(run_dir / METRICS), lambda row: row.get(SCORE))[1]


def still_rising(scores: Sequence[float]) -> bool:
    """Whether the last quarter of the epochs brought more than RISE over what was reached before.

    Of a single epoch that cannot be told, and it counts as rising.
    """
    last = -(-len(scores) // 4)
    return len(scores) <= last or max(scores[-last:]) > max(scores[:-last]) + RISE


def _headline(intervals: Intervals) -> Scores:
    return {name: intervals[name] for name in HEADLINE}  # type: ignore[literal-required]


def _intervals(runs: Sequence[ScoredImages]) -> Intervals:
    return lesion_bootstrap(*_scored(runs))


def _answers(runs: Sequence[ScoredImages]) -> NDArray[np.float64]:
    """What the networks themselves say, (R, N, K).

    Calibration is fitted to the classes as they are in nature; it would take back what rows with other losses
    and samplings differ in.
    """
    return softmax(np.stack([run.logits for run in runs]))


def _difference(
    runs: dict[int, ScoredImages], other: tuple[str, dict[int, ScoredImages]] | None
) -> tuple[str | None, Scores | None, bool]:
    """Name of the other row, the difference from it, and whether it is paired."""
    if other is None:
        return None, None, False
    name, others = other
    common = sorted(runs.keys() & others.keys())
    if not common:
        return name, None, False
    mine, theirs = (_scored([of[seed] for seed in common]) for of in (runs, others))
    if runs[common[0]].images != others[common[0]].images:
        return name, _headline(unpaired_difference(mine, theirs)), False
    found = paired_difference(mine.probabilities, theirs.probabilities, mine.labels, mine.lesions)
    return name, _headline(found), True


def _scored(runs: Sequence[ScoredImages]) -> Scored:
    return Scored(_answers(runs), runs[0].labels, runs[0].lesions)


def content(plan: Plan, out: Path) -> dict[str, Any]:
    """All that the table and the figure show, ready for JSON; the machine is of the first finished run."""
    done = [folder_of(out, row, seed) for row in plan.rows for seed in scored(plan, out, row)]
    protocol = read_config(done[0] / CHECKPOINT)[0].training if done else {}
    return {
        "plan": plan.model_dump(mode="json", exclude={"rows"}),
        "machine": protocol.get("machine"),
        "budget": plan.budget,
        "holds": HOLDS,
        "speed": read_speed(out),
        "rows": lines(plan, out),
    }
