"""Reliability before and after calibration: of the predicted class, and of every class in its own panel."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from numpy.typing import NDArray

from transxv2s.evaluation.figures import ACCENT, INK, MUTED, WARNING
from transxv2s.scoring.reliability import ReliabilityBins, reliability, top_label

COLUMNS = 4  # of the class panels
FEW = 10  # a bin with fewer images says little: its marker is hollow
LOOKS = (  # told apart without colour too
    {"line": "--", "colour": WARNING, "marker": "s"},
    {"line": "-", "colour": ACCENT, "marker": "o"},
)

Floats = NDArray[np.float64]
Bins = Mapping[str, ReliabilityBins]


def reliability_before_and_after(
    models: Mapping[str, Floats], labels: NDArray[np.intp], codes: Sequence[str]
) -> Figure:
    """Share of what came true against probability, in bins, with the number of images under it.

    Args:
        models: Two names, before and after, with their probabilities (N, K).
        labels: (N,), positions of the true classes.
        codes: Of the K classes.
    """
    rows = math.ceil(len(codes) / COLUMNS)
    canvas = Figure((4.2 + 2.3 * COLUMNS, max(2.6 * rows, 4.6)), layout="constrained")
    outer = canvas.add_gridspec(1, 2, width_ratios=[1.7, COLUMNS], wspace=0.06)
    top = {name: reliability(*top_label(p, labels)) for name, p in models.items()}
    large, counts = _panel(canvas, outer[0], top, "predicted class", 9)
    large.set_ylabel("share that came true", color=MUTED)
    counts.set_ylabel("images", color=MUTED)
    counts.set_xlabel(f"probability (hollow: fewer than {FEW} images)", color=MUTED)
    large.legend(*large.get_legend_handles_labels(), fontsize=9, frameon=False, loc="upper left")
    small = outer[1].subgridspec(rows, min(COLUMNS, len(codes)))
    for k, code in enumerate(codes):
        own = (labels == k).astype(np.float64)
        bins = {name: reliability(p[:, k], own) for name, p in models.items()}
        _panel(canvas, small[divmod(k, COLUMNS)], bins, f"{code} ({int(own.sum()):,})", 8)
    return canvas


def _panel(canvas: Figure, place: SubplotSpec, bins: Bins, title: str, size: int) -> tuple[Axes, Axes]:
    """The curves, and under them the number of images in each bin on a logarithmic axis."""
    split = place.subgridspec(2, 1, height_ratios=[4, 1.1], hspace=0.04)
    axes = canvas.add_subplot(split[0])
    counts = canvas.add_subplot(split[1], sharex=axes)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label="as sure as right")
    for side, ((name, found), look) in enumerate(zip(bins.items(), LOOKS, strict=True)):
        _curve(axes, found, look, name, size)
        _bars(counts, found, side, look["colour"])
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.set_title(title, fontsize=size + 1, color=INK, pad=4)
    counts.set_yscale("log")
    counts.set_ylim(bottom=0.7)
    axes.tick_params(labelbottom=False)
    for each in (axes, counts):
        each.tick_params(colors=MUTED, labelsize=size - 1)
        each.spines[["top", "right"]].set_visible(False)
    return axes, counts


def _curve(axes: Axes, bins: ReliabilityBins, look: Mapping[str, str], name: str, size: int) -> None:
    """One line through the bins that hold images; the markers of small bins are hollow."""
    few = (bins.images > 0) & (bins.images < FEW)
    share = np.where(bins.images < FEW, np.nan, bins.accuracy)  # a gap in the line, not a bridge
    style, colour = look["line"] + look["marker"], look["colour"]
    axes.plot(bins.confidence, share, style, color=colour, markersize=size / 2, linewidth=1.3, label=name)
    x, y = bins.confidence[few], bins.accuracy[few]
    axes.plot(x, y, look["marker"], color=colour, markersize=size / 2.4, fillstyle="none")


def _bars(axes: Axes, bins: ReliabilityBins, side: int, colour: str) -> None:
    """Before on the left and after on the right half of each bin."""
    half = (bins.high - bins.low) / 2
    axes.bar(bins.low + side * half, bins.images, half * 0.9, align="edge", color=colour)
