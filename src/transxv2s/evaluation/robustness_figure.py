"""A figure of robustness: does referral rise where accuracy falls?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from transxv2s.evaluation.figures import ACCENT, COLOURS, LINE, MUTED, WARNING

COLUMNS = 5


class Cell(NamedTuple):
    """Scores under one corruption at one severity, each in 0..1.

    Attributes:
        corruption: Its name; empty for images as they are.
        severity: 1 to 5, 0 for images as they are.
        balanced_accuracy: Mean recall, referred images included.
        referred: Share of the images that an expert must look at.
        ece: Expected calibration error.
    """

    corruption: str
    severity: int
    balanced_accuracy: float
    referred: float
    ece: float


def robustness(clean: Cell, cells: Sequence[Cell]) -> Figure:
    """Rise of referral against fall of balanced accuracy; each corruption's scores by severity."""
    names = list(dict.fromkeys(cell.corruption for cell in cells))
    rows = -(-len(names) // COLUMNS)
    canvas = Figure((15, 2.1 * max(rows, 2) + 0.4), layout="constrained")
    grid = canvas.add_gridspec(1, 2, width_ratios=(1, 1.9))
    left, right = (canvas.add_subfigure(grid[0, column]) for column in (0, 1))
    _scatter(left.add_subplot(), clean, cells, names)
    axes = right.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    for axis, name in zip(axes.flat, names, strict=False):
        _by_severity(axis, name, [clean, *(cell for cell in cells if cell.corruption == name)])
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    lines = axes[0, 0].get_legend_handles_labels()
    right.legend(*lines, fontsize=8, frameon=False, ncols=3, loc="outside upper center")
    right.supxlabel("severity", fontsize=9, color=MUTED)
    return canvas


def _scatter(axes: Axes, clean: Cell, cells: Sequence[Cell], names: Sequence[str]) -> None:
    """Cells right of the vertical line and not above the horizontal one get worse without a warning."""
    axes.axhline(0, color=LINE)
    axes.axvline(0, color=LINE)
    for number, name in enumerate(names):
        mine = [cell for cell in cells if cell.corruption == name]
        fall = [clean.balanced_accuracy - cell.balanced_accuracy for cell in mine]
        rise = [cell.referred - clean.referred for cell in mine]
        colour, marker = COLOURS[number % len(COLOURS)], "os"[number // len(COLOURS) % 2]
        size = [8 + 9 * cell.severity for cell in mine]
        axes.scatter(fall, rise, size, color=colour, marker=marker, label=name.replace("_", " "), alpha=0.8)
    axes.set_xlabel("fall of balanced accuracy", color=MUTED)
    axes.set_ylabel("rise of the share referred", color=MUTED)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, symbol=""))
    axes.set_title("points of 100; larger marks: more severe", fontsize=9, color=MUTED)
    axes.legend(fontsize=6, frameon=False, ncols=2)


def _by_severity(axes: Axes, name: str, line: Sequence[Cell]) -> None:
    severity = np.array([cell.severity for cell in line])
    axes.plot(
        severity, [c.balanced_accuracy for c in line], "o-", color=ACCENT, ms=3, label="balanced accuracy"
    )
    axes.plot(severity, [c.referred for c in line], "s--", color=WARNING, ms=3, label="referred")
    axes.plot(severity, [c.ece for c in line], "^:", color=MUTED, ms=3, label="calibration error")
    axes.set_title(name.replace("_", " "), fontsize=8)
    axes.set_ylim(0, 1)
    axes.set_xticks(severity)
    axes.tick_params(colors=MUTED, labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
