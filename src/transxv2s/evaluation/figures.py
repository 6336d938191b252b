"""Figures of a results page, as SVG: confusion, ROC, reliability, recall by class."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from transxv2s.scoring import Report, curves

INK, MUTED, LINE, ACCENT, WARNING = "#1d2a33", "#55636e", "#d9e0e5", "#0072b2", "#d55e00"
# Okabe and Ito's palette, distinct with every kind of colour blindness, and one grey
COLOURS = ("#d55e00", "#0072b2", "#e69f00", "#cc79a7", "#009e73", "#56b4e9", "#f0e442", "#000000", "#999999")


def figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Width and height in inches."""
    canvas = Figure((width, height), layout="constrained")
    axes = canvas.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=MUTED, labelsize=8)
    return canvas, axes


def svg(canvas: Figure) -> str:
    """The <svg> element, to stand in a page."""
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def confusion(scores: Report, codes: Sequence[str]) -> Figure:
    """Counts; colour is the share of the true class (the row)."""
    counts = np.array(scores["confusion"])
    if not counts[:, -1].any():  # no undecided image: no column for them
        counts = counts[:, :-1]
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    canvas, axes = figure(6.2, 5.4)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if share[row, column] > 0.55 else INK
        text = f"{count:,}\n{share[row, column]:.0%}" if count else "0"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    columns = [*codes, "undecided"][: counts.shape[1]]
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(codes)), codes)
    axes.set_xlabel("predicted", color=MUTED)
    axes.set_ylabel("true", color=MUTED)
    axes.spines[:].set_visible(False)
    return canvas


def roc(
    probabilities: NDArray[np.float64], labels: NDArray[np.intp], scores: Report, codes: Sequence[str]
) -> Figure:
    """One curve a class, with its area."""
    canvas, axes = figure(5.4, 5.0)
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=1)
    for code, curve in curves(probabilities, labels, codes).roc.items():
        auc = scores["per_class"][code]["auc"]
        axes.plot(
            curve.false_positive_rate,
            curve.true_positive_rate,
            color=COLOURS[codes.index(code) % len(COLOURS)],
            linewidth=1.6,
            label=f"{code} {auc:.3f}",
        )
    axes.set_xlabel("1 − specificity", color=MUTED)
    axes.set_ylabel("sensitivity", color=MUTED)
    axes.set_aspect("equal")
    axes.legend(title="area under the curve", fontsize=8, title_fontsize=8, frameon=False, loc="lower right")
    return canvas


def reliability(
    probabilities: NDArray[np.float64], labels: NDArray[np.intp], codes: Sequence[str]
) -> Figure | None:
    """Share of right predictions against confidence, and how many images there are; None without either."""
    bins = curves(probabilities, labels, codes).reliability
    if bins is None:
        return None
    canvas, axes = figure(5.4, 5.0)
    width = bins.high - bins.low
    share = bins.images / bins.images.sum()
    axes.bar(bins.low, share, width, align="edge", color=LINE, label="share of the images")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label="as sure as right")
    full = bins.images > 0
    axes.plot(bins.confidence[full], bins.accuracy[full], "o-", color=ACCENT, markersize=4, label="right")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("confidence", color=MUTED)
    axes.set_ylabel("share", color=MUTED)
    axes.set_aspect("equal")
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    return canvas


def recall(scores: Report, codes: Sequence[str], floor: float) -> Figure:
    """Recall of each class with its interval; under the floor in another colour."""
    present = [code for code in codes if scores["per_class"][code]["images"]]
    canvas, axes = figure(5.4, 0.42 * len(present) + 1.0)
    for row, code in enumerate(reversed(present)):
        interval = scores["intervals"][code]["recall"]
        low, value, high = (float(interval[end] or 0.0) for end in ("low", "value", "high"))
        colour = WARNING if value < floor else ACCENT
        axes.plot([low, high], [row, row], color=colour, linewidth=2.2, solid_capstyle="round")
        axes.plot(value, row, "o", color=colour, markersize=6)
    axes.axvline(floor, color=MUTED, linewidth=1, linestyle=":")
    images = [scores["per_class"][code]["images"] for code in reversed(present)]
    axes.set_yticks(
        range(len(present)), [f"{c} ({n:,})" for c, n in zip(reversed(present), images, strict=True)]
    )
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"recall, 95 % interval over lesions; dotted: floor {floor:g}", color=MUTED)
    return canvas
