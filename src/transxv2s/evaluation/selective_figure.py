"""Figure of risk-coverage curves: what several confidence scores would spare the user."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from transxv2s.evaluation.figures import COLOURS, LINE, MUTED
from transxv2s.scoring.selective import RiskCoverage

Floats = NDArray[np.float64]


def risk_coverage(scores: Mapping[str, RiskCoverage]) -> Figure:
    """Selective risk, and balanced generalized risk, over coverage; a curve a score, its area in the legend.

    The balanced selective risk jumps wherever the last image of a class is left, so it is not drawn.

    Args:
        scores: By name, of answers to the same images.
    """
    canvas = Figure((9.6, 4.4), layout="constrained")
    plain, balanced = canvas.subplots(1, 2)
    areas = {name: score.areas() for name, score in scores.items()}
    curves = {name: score.curve() for name, score in scores.items()}
    error_rate = float(next(iter(curves.values())).risk[-1])
    coverage = np.linspace(0.001, 1, 1000)
    plain.axhline(error_rate, color=LINE, linewidth=1, label="all alike")
    perfect = perfect_risk(coverage, error_rate)
    plain.plot(coverage, perfect, color=MUTED, linewidth=1, linestyle=":", label="perfect")
    for place, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[place % len(COLOURS)]
        aurc, _, _, _, balanced_augrc = areas[name]
        plain.plot(curve.coverage, curve.risk, color=colour, linewidth=1.5, label=f"{name} {aurc:.3f}")
        label = f"{name} {balanced_augrc:.3f}"
        balanced.plot(
            curve.coverage, curve.balanced_generalized_risk, color=colour, linewidth=1.5, label=label
        )
    _finish(plain, "share wrong among the answers", "AURC")
    _finish(balanced, "share of a class answered wrongly, mean over classes", "balanced AUGRC")
    return canvas


def perfect_risk(coverage: Floats, error_rate: float) -> Floats:
    """Selective risk at coverage (T,) > 0 if all that is right is kept before anything wrong."""
    return np.asarray(np.maximum(0.0, coverage - (1 - error_rate)) / coverage)


def _finish(axes: Axes, risk: str, area: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=MUTED, labelsize=8)
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("coverage: share of the images answered", color=MUTED)
    axes.set_ylabel(risk, color=MUTED)
    axes.legend(title=area, fontsize=8, title_fontsize=8, frameon=False, loc="upper left")
