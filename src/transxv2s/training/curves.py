"""Learning curves of a run over all its resumptions, as a picture."""

import csv
import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import lightning
from lightning.pytorch.callbacks import Callback
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transxv2s.files import replacing

METRICS = "metrics"
PICTURE = "curves.png"
TRAIN_LOSS, VALIDATION_LOSS, SCORE = "train/loss", "validation/loss", "validation/balanced_accuracy"
RATE = "lr-"  # how the columns of LearningRateMonitor begin

Row = dict[str, float]
Points = tuple[list[float], list[float]]  # steps, values


class Curves(Callback):
    """Draws the curves anew after each epoch.

    Args:
        run_dir: Folder of the run.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Draws what is logged so far."""
        for logger in trainer.loggers:
            logger.save()
        if trainer.is_global_zero:
            draw(history(self._run_dir / METRICS), self._run_dir / PICTURE)


def history(folder: Path) -> list[Row]:
    """The rows of `version_0/metrics.csv`, `version_1/…`; of steps that were done again, the later row."""
    rows: list[Row] = []
    tables = sorted(folder.glob("version_*/metrics.csv"), key=lambda p: int(p.parent.name.split("_")[1]))
    for table in tables:
        new = _read(table)
        first = min((row["step"] for row in new), default=math.inf)
        rows = [row for row in rows if row["step"] < first] + new
    return rows


def _read(table: Path) -> list[Row]:
    """The rows that can be read: a kill or a full disk may have cut a line off, also within a number."""
    with table.open(newline="", errors="replace") as stream:
        whole = [line for line in stream if line.endswith("\n")]
    return [row for cells in csv.DictReader(whole) if "step" in (row := _numbers(cells))]


def _numbers(cells: dict[str, str]) -> Row:
    """The cells that are filled; none of a line with too few or too many, or with what is no number."""
    try:
        return {name: float(cell) for name, cell in cells.items() if cell != ""}
    except (TypeError, ValueError):  # of missing cells there is None, of cells too many a list
        return {}


def points(rows: list[Row], value: Callable[[Row], float | None]) -> Points:
    """Steps and values of the rows that have one."""
    found = [(row["step"], v) for row in rows if (v := value(row)) is not None]
    return [step for step, _ in found], [v for _, v in found]


def draw(rows: list[Row], path: Path) -> None:
    """Loss, balanced accuracy and learning rate against optimiser steps.

    Raises:
        OSError: The picture cannot be written.
    """
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    loss, score, rate = figure.subplots(1, 3)
    _loss(loss, rows)
    _score(score, points(rows, lambda row: row.get(SCORE)))
    rate.plot(*points(rows, highest_rate), color="tab:green")
    rate.set_title("learning rate")
    for axes in (loss, score, rate):
        axes.set_xlabel("optimiser steps")
        axes.grid(alpha=0.3)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    with replacing(path) as stream:
        stream.write(picture.getvalue())


def highest_rate(row: Row) -> float | None:
    """That of the group of parameters that learns fastest."""
    return max((v for k, v in row.items() if k.startswith(RATE)), default=None)


def _loss(axes: Axes, rows: list[Row]) -> None:
    axes.plot(*points(rows, lambda row: row.get(TRAIN_LOSS)), color="tab:blue", alpha=0.6, label="training")
    steps, values = points(rows, lambda row: row.get(VALIDATION_LOSS))
    axes.plot(steps, values, "o-", markersize=3, color="tab:orange", label="validation (plain cross-entropy)")
    axes.set_title("loss")
    axes.legend()


def _score(axes: Axes, scores: Points) -> None:
    axes.plot(*scores, "o-", markersize=3, color="tab:orange")
    axes.set_title("balanced accuracy on validation")
    if scores[1]:
        best = max(scores[1])
        axes.axhline(best, linestyle=":", color="grey")
        axes.annotate(f"best {best:.3f}", (scores[0][0], best), textcoords="offset points", xytext=(0, -12))
