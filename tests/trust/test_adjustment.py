import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.metrics import balanced_accuracy_score

from transxv2s.scoring.confusion import balanced_accuracy
from transxv2s.trust.adjustment import TAUS, LogitAdjustment, fit


def world(images: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Two classes, one of them rare, and probabilities that are exactly those of the labels."""
    generator = np.random.default_rng(seed)
    rare = generator.beta(0.4, 3.6, images)
    return np.stack([1 - rare, rare], axis=1), (generator.random(images) < rare).astype(np.intp)


def test_scores_are_probabilities_over_powers_of_the_shares() -> None:
    adjustment = LogitAdjustment(tau=0.5, shares=(0.64, 0.36))
    first, second = 0.7 / 0.8, 0.3 / 0.6
    expected = [first / (first + second), second / (first + second)]
    np.testing.assert_allclose(adjustment.adjusted([[0.7, 0.3]]), [expected])
    without = LogitAdjustment(tau=0, shares=(0.64, 0.36))
    np.testing.assert_allclose(without.adjusted([[0.7, 0.3]]), [[0.7, 0.3]])


def test_the_whole_adjustment_is_the_best_rule_for_balanced_accuracy() -> None:
    probabilities, labels = world(20_000, 0)
    adjustment = fit(probabilities, labels)
    assert adjustment.tau == 1
    assert adjustment.shares == pytest.approx(np.bincount(labels) / 20_000)
    further, truth = world(20_000, 1)
    named = balanced_accuracy(adjustment.adjusted(further), truth)
    by_threshold = [balanced_accuracy_score(truth, further[:, 1] > t) for t in np.linspace(0.01, 0.9, 90)]
    assert named == pytest.approx(max(by_threshold), abs=0.01)


def test_where_nothing_is_gained_the_most_probable_class_is_named() -> None:
    labels = np.array([0, 0, 0, 1])
    assert fit(np.eye(2)[labels] * 0.98 + 0.01, labels).tau == TAUS[0]


def test_a_class_without_images_keeps_a_share() -> None:
    shares = fit(np.full((4, 3), 1 / 3), np.array([0, 0, 1, 1])).shares
    assert shares == (0.5, 0.5, 0.25)


def test_balanced_accuracy_is_that_of_scikit_learn() -> None:
    probabilities, labels = world(300, 2)
    expected = balanced_accuracy_score(labels, probabilities.argmax(1))
    assert balanced_accuracy(probabilities, labels) == pytest.approx(expected)


@pytest.mark.parametrize(("tau", "share"), [(-0.1, 0.5), (1.1, 0.5), (0.5, 0.0), (0.5, 1.5)])
def test_numbers_that_are_none_are_refused(tau: float, share: float) -> None:
    with pytest.raises(ValidationError):
        LogitAdjustment(tau=tau, shares=(share, 0.5))
