"""How a score of novelty is spread over known images and over groups of unknown ones."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from transxv2s.evaluation.figures import ACCENT, LINE, MUTED, WARNING

BINS = 40
TAIL = 0.005  # of the scores at either end that share the outermost bins


def distributions(
    known: NDArray[np.float64],
    unknown: Mapping[str, NDArray[np.float64]],
    threshold: float,
    label: str,
    tail: float = TAIL,
) -> Figure:
    """One histogram a group beneath that of the known images, all on one axis; dashed: the threshold.

    Args:
        known: Scores of known images that fitted nothing.
        unknown: Scores by group.
        threshold: Images above it are referred.
        label: Name of the score.
        tail: Share of all scores at either end that is drawn in the outermost bins.
    """
    rows = {"known": known, **unknown}
    low, high = np.quantile(np.concatenate(list(rows.values())), [tail, 1 - tail])
    edges = np.linspace(min(low, threshold), max(high, threshold), BINS + 1)
    canvas = Figure((6.4, 0.62 * len(rows) + 0.9), layout="constrained")
    for place, (name, scores) in enumerate(rows.items()):
        axes = canvas.add_subplot(len(rows), 1, place + 1)
        weights = np.full(len(scores), 1 / len(scores))
        shown = np.clip(scores, edges[0], edges[-1])
        axes.hist(shown, edges.tolist(), weights=weights, color=WARNING if place else ACCENT)
        axes.axvline(threshold, color=MUTED, linewidth=1, linestyle="--")
        text = f"{name}, {len(scores)} images: referred {(scores > threshold).mean():.0%}".replace("%", " %")
        axes.text(1.02, 0.4, text, transform=axes.transAxes, fontsize=8, color=MUTED)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(LINE)
        axes.set_yticks([])
        last = place == len(rows) - 1
        axes.tick_params(colors=MUTED, labelsize=8, bottom=last, labelbottom=last)
    canvas.axes[-1].set_xlabel(f"{label}; higher is stranger, dashed: threshold", color=MUTED, fontsize=8)
    return canvas
