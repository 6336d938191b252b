"""The figure shows the bins that the scores are made of."""

import io

import numpy as np

from transxv2s.evaluation.reliability_figure import FEW, reliability_before_and_after
from transxv2s.scoring.reliability import reliability_bins
from transxv2s.trust.calibration import softmax

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 2, (400, 5))
LABELS = (softmax(LOGITS).cumsum(1) < RANDOM.random((400, 1))).sum(1)
CODES = ("MEL", "NV", "BCC", "AK", "DF")
MODELS = {"before": softmax(LOGITS, 0.5), "after": softmax(LOGITS)}


def test_curves_and_bars_are_the_bins() -> None:
    canvas = reliability_before_and_after(MODELS, LABELS, CODES)
    panel, counts = canvas.axes[:2]
    lines = {str(line.get_label()): line for line in panel.lines}
    for number, (name, p) in enumerate(MODELS.items()):
        bins = reliability_bins(p, LABELS)
        shown = np.asarray(lines[name].get_ydata())
        np.testing.assert_array_equal(shown, np.where(bins.images < FEW, np.nan, bins.accuracy))
        bars = [bar.get_height() for bar in counts.containers[number]]
        np.testing.assert_array_equal(bars, bins.images)


def test_each_class_has_a_panel_that_names_its_images() -> None:
    canvas = reliability_before_and_after(MODELS, LABELS, CODES)
    titles = [axes.get_title() for axes in canvas.axes[::2]]
    sizes = np.bincount(LABELS, minlength=5)
    assert titles == ["predicted class", *(f"{c} ({n})" for c, n in zip(CODES, sizes, strict=True))]
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")
