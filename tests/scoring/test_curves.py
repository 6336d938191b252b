import numpy as np
import pytest
from predictions import FEW, MANY
from sklearn import metrics as sk

from transxv2s.errors import InputError
from transxv2s.scoring import curves, score
from transxv2s.taxonomy import ISIC2019

SOUND = MANY.probabilities / MANY.probabilities.sum(1, keepdims=True)
CURVES = curves(SOUND, MANY.labels, ISIC2019.codes)


@pytest.mark.parametrize("code", ISIC2019.codes)
def test_points_of_the_roc_curve_are_what_their_thresholds_give(code: str) -> None:
    c = ISIC2019.index(code)
    own, other = SOUND[MANY.labels == c, c], SOUND[MANY.labels != c, c]
    roc = CURVES.roc[code]
    assert (roc.false_positive_rate[0], roc.true_positive_rate[0]) == (0, 0)
    assert (roc.false_positive_rate[-1], roc.true_positive_rate[-1]) == (1, 1)
    for x, y, threshold in zip(*roc, strict=True):
        assert (x, y) == ((other >= threshold).mean(), (own >= threshold).mean())
    area = np.trapezoid(roc.true_positive_rate, roc.false_positive_rate)
    assert area == pytest.approx(score(SOUND, MANY.labels, ISIC2019)["per_class"][code]["auc"])


@pytest.mark.parametrize("code", ISIC2019.codes)
def test_points_of_the_precision_recall_curve_are_what_their_thresholds_give(code: str) -> None:
    c = ISIC2019.index(code)
    scores, positive = SOUND[:, c], MANY.labels == c
    curve = CURVES.precision_recall[code]
    assert (curve.precision[-1], curve.recall[-1]) == (1, 0)
    for precision, recall, threshold in zip(
        curve.precision[:-1], curve.recall[:-1], curve.thresholds, strict=True
    ):
        called = scores >= threshold
        assert precision == pytest.approx(positive[called].mean())
        assert recall == pytest.approx(called[positive].mean())
    area = -np.sum(np.diff(curve.recall) * curve.precision[:-1])
    assert area == pytest.approx(score(SOUND, MANY.labels, ISIC2019)["per_class"][code]["average_precision"])


def test_scikit_learn_agrees() -> None:
    for c, code in enumerate(ISIC2019.codes):
        for ours, theirs in (
            (CURVES.roc[code], sk.roc_curve(MANY.labels == c, SOUND[:, c])),
            (CURVES.precision_recall[code], sk.precision_recall_curve(MANY.labels == c, SOUND[:, c])),
        ):
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other)


def test_reliability_bins_by_hand() -> None:
    assert CURVES.reliability is not None
    confidence = SOUND.max(1)
    tied = (confidence[:, None] == SOUND).sum(1) > 1
    right = (SOUND.argmax(1) == MANY.labels) & ~tied
    for low, high, images, mean, accuracy in zip(*CURVES.reliability, strict=True):
        inside = (confidence > low) & (confidence <= high)
        assert images == inside.sum()
        if images:
            assert (mean, accuracy) == pytest.approx((confidence[inside].mean(), right[inside].mean()))
        else:
            assert np.isnan([mean, accuracy]).all()
    assert CURVES.reliability.images.sum() == len(MANY.labels)
    assert (CURVES.reliability.low[0], CURVES.reliability.high[-1]) == (0, 1)


def test_classes_without_images_have_no_curve() -> None:
    kept = np.isin(FEW.labels, [0, 1])
    result = curves(FEW.probabilities[kept], FEW.labels[kept], ISIC2019.codes)
    assert set(result.roc) == set(result.precision_recall) == {"MEL", "NV"}
    assert curves(np.eye(8)[[1, 1]], [1, 1], ISIC2019.codes).roc == {}


def test_scores_that_are_no_distribution_have_no_reliability() -> None:
    assert curves(MANY.probabilities, MANY.labels, ISIC2019.codes).reliability is None


def test_codes_must_fit() -> None:
    with pytest.raises(InputError, match="2 class codes for 8 columns"):
        curves(SOUND, MANY.labels, ["A", "B"])
