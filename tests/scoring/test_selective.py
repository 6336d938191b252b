"""Risk-coverage curves against FD-Shifts' definitions, counted anew at each threshold; bootstrap of them."""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from predictions import FEW, MANY, Predictions
from sklearn.metrics import roc_auc_score

from transxv2s.errors import InputError
from transxv2s.evaluation.selective_figure import perfect_risk, risk_coverage
from transxv2s.scoring.selective import (
    CONFIDENCES,
    Areas,
    RiskCoverage,
    energy,
    margin,
    max_softmax,
    negative_entropy,
    selective,
    selective_difference,
    selective_intervals,
)

Point = tuple[Fraction, Fraction]
NAMES = tuple(Areas.__annotations__)


def area(points: list[Point]) -> float:
    """Trapezoids between points of (coverage, risk), in ascending coverage."""
    strips = [(b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points)]
    return float(sum(strips))


def by_hand(confidence: Sequence[float], wrong: Sequence[bool], labels: Sequence[int]) -> dict[str, float]:
    """All areas with exact fractions: every threshold counted anew from the images that it keeps."""
    images = list(zip(confidence, wrong, labels, strict=True))
    n, classes = len(images), sorted(set(labels))
    risk, generalized, balanced, balanced_generalized = (
        list[Point](),
        list[Point](),
        list[Point](),
        list[Point](),
    )
    for threshold in sorted(set(confidence), reverse=True):
        kept = [image for image in images if image[0] >= threshold]
        coverage, errors = Fraction(len(kept), n), sum(bool(image[1]) for image in kept)
        risk.append((coverage, Fraction(errors, len(kept))))
        generalized.append((coverage, Fraction(errors, n)))
        rates, shares = [], []
        for c in classes:
            own = [bool(image[1]) for image in kept if image[2] == c]
            rates.append(Fraction(sum(own), len(own)) if own else Fraction(0))
            shares.append(Fraction(sum(own), sum(label == c for label in labels)))
        balanced.append((coverage, Fraction(sum(rates), len(classes))))
        balanced_generalized.append((coverage, Fraction(sum(shares), len(classes))))
    zero = Fraction(0)
    aurc = area([(zero, risk[0][1]), *risk])
    r = sum(map(bool, wrong)) / n
    return {
        "aurc": aurc,
        "e_aurc": aurc - (r + ((1 - r) * math.log(1 - r) if r < 1 else 0)),
        "augrc": area([(zero, zero), *generalized]),
        "balanced_aurc": area([(zero, balanced[0][1]), *balanced]),
        "balanced_augrc": area([(zero, zero), *balanced_generalized]),
    }


def mistakes(data: Predictions) -> NDArray[np.bool_]:
    """Which images are got wrong; an argmax tie is wrong, as in all scores."""
    p = np.asarray(data.probabilities)
    ties = (p == p.max(axis=1, keepdims=True)).sum(axis=1) > 1
    return np.asarray(ties | (p.argmax(axis=1) != data.labels))


def score_of(data: Predictions) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return max_softmax(data.probabilities), mistakes(data)


@pytest.mark.parametrize("data", [FEW, MANY])
def test_areas_are_those_by_hand_with_many_ties(data: Predictions) -> None:
    confidence, wrong = score_of(data)
    assert len(set(confidence)) < len(confidence), "there must be ties"
    expected = by_hand(confidence.tolist(), wrong.tolist(), data.labels.tolist())
    assert selective(confidence, wrong, data.labels) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3), st.integers(0, 3)), min_size=1)
)
def test_weights_equal_repeated_images(images: list[tuple[int, bool, int, int]]) -> None:
    confidence, wrong, labels, times = (np.array(column) for column in zip(*images, strict=True))
    times[0] = max(1, times[0])
    rows = np.repeat(np.arange(len(images)), times)
    repeated = by_hand(confidence[rows].tolist(), wrong[rows].tolist(), labels[rows].tolist())
    assert selective(confidence, wrong, labels, times) == pytest.approx(repeated, abs=1e-12)


def test_a_worked_example() -> None:
    """Confidence 3, 2, 2, 1; one of the tie and the last are wrong: points at coverage 1/4, 3/4 and 1."""
    found = selective([3, 2, 2, 1], [0, 1, 0, 1], [0, 0, 0, 1])
    assert found["aurc"] == pytest.approx((0 + 1 / 3) / 2 / 2 + (1 / 3 + 1 / 2) / 2 / 4)
    assert found["augrc"] == pytest.approx((0 + 1 / 4) / 2 / 2 + (1 / 4 + 1 / 2) / 2 / 4)
    assert found["e_aurc"] == pytest.approx(found["aurc"] - 0.5 - 0.5 * math.log(0.5))
    # the second class is kept at the end only: until then it adds nothing
    assert found["balanced_aurc"] == pytest.approx((0 + 1 / 6) / 2 / 2 + (1 / 6 + 2 / 3) / 2 / 4)


def test_augrc_is_the_risk_of_a_random_threshold() -> None:
    """Traub et al. 2024: AUGRC = (1 − AUROC of right against wrong)·r·(1 − r) + r²/2."""
    confidence, wrong = score_of(MANY)
    r = wrong.mean()
    auroc = roc_auc_score(~wrong, confidence)
    expected = (1 - auroc) * r * (1 - r) + r**2 / 2
    assert selective(confidence, wrong, MANY.labels)["augrc"] == pytest.approx(expected)


def test_perfect_confidence_has_no_excess_and_the_worst_has_most() -> None:
    wrong = np.arange(5000) < 1500
    labels = np.arange(5000) % 2
    perfect = selective(np.arange(5000), wrong, labels)
    worst = selective(-np.arange(5000), wrong, labels)
    assert perfect["e_aurc"] == pytest.approx(0, abs=1e-3)
    assert perfect["augrc"] == pytest.approx(0.3**2 / 2, rel=1e-3)
    blind = selective(np.zeros(5000), wrong, labels)
    assert blind["aurc"] == pytest.approx(0.3)
    for name in NAMES:
        assert perfect[name] < blind[name] < worst[name]  # type: ignore[literal-required]


@pytest.mark.parametrize("wrong", [[False] * 6, [True] * 6])
def test_all_right_and_all_wrong(wrong: list[bool]) -> None:
    found = selective(range(6), wrong, [0, 0, 1, 1, 2, 2])
    assert found["aurc"] == pytest.approx(float(wrong[0]))
    assert found["e_aurc"] == pytest.approx(0)
    assert found["augrc"] == pytest.approx(0.5 * wrong[0])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([np.exp, np.cbrt, lambda c: 3 * c - 7]))
def test_only_the_order_of_the_confidence_matters(seed: int, change: object) -> None:
    random = np.random.default_rng(seed)
    confidence = random.integers(0, 8, 30).astype(float)
    wrong, labels = random.random(30) < 0.3, random.integers(0, 3, 30)
    found = selective(confidence, wrong, labels)
    assert selective(change(confidence), wrong, labels) == found  # type: ignore[operator]
    rows = random.permutation(30)
    assert selective(confidence[rows], wrong[rows], labels[rows]) == pytest.approx(found)


def test_balanced_risk_ignores_how_many_images_a_class_has() -> None:
    """The images of one class twice: the risk of the generalized kind stays at every threshold."""
    confidence, wrong = score_of(FEW)
    rows = np.append(np.arange(40), np.flatnonzero(FEW.labels == 1))
    once = RiskCoverage(confidence, wrong, FEW.labels).curve()
    twice = RiskCoverage(confidence[rows], wrong[rows], FEW.labels[rows]).curve()
    np.testing.assert_allclose(twice.balanced_risk, once.balanced_risk)
    np.testing.assert_allclose(twice.balanced_generalized_risk, once.balanced_generalized_risk)
    assert not np.allclose(twice.risk, once.risk)


def test_curve_ends_at_all_images() -> None:
    confidence, wrong = score_of(MANY)
    curve = RiskCoverage(confidence, wrong, MANY.labels).curve()
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == curve.generalized_risk[-1] == pytest.approx(wrong.mean())
    assert curve.threshold.tolist() == sorted(set(confidence), reverse=True)
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        assert coverage == pytest.approx((confidence >= threshold).mean())
        assert risk == pytest.approx(wrong[confidence >= threshold].mean())


def resampled(data: Predictions, confidence: NDArray[np.float64], draws: int, seed: int) -> list[Areas]:
    """Areas of physically repeated rows: for each draw, each lesion's images as often as it was drawn."""
    wrong = mistakes(data)
    names, lesion = np.unique(data.lesions, return_inverse=True)
    random = np.random.default_rng(seed)
    counts = random.multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    rows = [np.repeat(np.arange(len(lesion)), drawn[lesion]) for drawn in counts]
    return [selective(confidence[r], wrong[r], data.labels[r]) for r in rows]


def test_intervals_and_differences_equal_repeated_rows() -> None:
    wrong = mistakes(FEW)
    scores = [max_softmax(FEW.probabilities), margin(FEW.probabilities)]
    orders = [RiskCoverage(score, wrong, FEW.labels) for score in scores]
    first, second = (resampled(FEW, score, 120, 3) for score in scores)
    intervals = selective_intervals(orders[0], FEW.lesions, draws=120, seed=3)
    difference = selective_difference(orders[0], orders[1], FEW.lesions, draws=120, seed=3)
    whole, other = (selective(score, wrong, FEW.labels) for score in scores)
    for name in NAMES:
        drawn = np.array([a[name] for a in first])  # type: ignore[literal-required]
        apart = drawn - np.array([a[name] for a in second])  # type: ignore[literal-required]
        for found, value, values in (
            (intervals, whole[name], drawn),  # type: ignore[literal-required]
            (difference, whole[name] - other[name], apart),  # type: ignore[literal-required]
        ):
            low, high = np.quantile(values, [0.025, 0.975])
            assert found[name] == pytest.approx({"value": value, "low": low, "high": high}, abs=1e-12)  # type: ignore[literal-required]


def test_the_figure_draws_the_curves_and_names_their_areas() -> None:
    order = RiskCoverage(*score_of(MANY), MANY.labels)
    drawn = risk_coverage({"softmax": order}).axes
    areas = selective(*score_of(MANY), MANY.labels)
    for axes, area_name, risk in (
        (drawn[0], "aurc", order.curve().risk),
        (drawn[1], "balanced_augrc", order.curve().balanced_generalized_risk),
    ):
        label = f"softmax {areas[area_name]:.3f}"  # type: ignore[literal-required]
        line = next(line for line in axes.get_lines() if line.get_label() == label)
        np.testing.assert_array_equal(line.get_ydata(), risk)


def test_the_perfect_curve_has_the_area_that_the_excess_is_counted_from() -> None:
    coverage = (np.arange(100_000) + 0.5) / 100_000
    found = perfect_risk(coverage, 0.3)
    assert found.mean() == pytest.approx(0.3 + 0.7 * math.log(0.7), abs=1e-6)
    assert found[0] == 0


def test_a_score_against_itself_differs_by_nothing() -> None:
    order = RiskCoverage(*score_of(MANY), MANY.labels)
    for interval in selective_difference(order, order, MANY.lesions, draws=20).values():
        assert interval == {"value": 0, "low": 0, "high": 0}


def test_confidences_by_hand() -> None:
    p = np.array([[0.5, 0.2, 0.3], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    assert max_softmax(p).tolist() == [0.5, 1, 1 / 3]
    assert margin(p).tolist() == pytest.approx([0.2, 1, 0])
    entropy = -(0.5 * math.log(0.5) + 0.2 * math.log(0.2) + 0.3 * math.log(0.3))
    assert negative_entropy(p).tolist() == pytest.approx([-entropy, 0, -math.log(3)])
    logits = np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, 0.0]])
    assert energy(logits).tolist() == pytest.approx([math.log(sum(map(math.exp, (1, 2, 3)))), 1000])


def test_confidences_agree_on_two_classes_up_to_scale() -> None:
    p = np.random.default_rng(0).dirichlet([1, 1], 50)
    orders = [np.argsort(score(p)).tolist() for score in CONFIDENCES.values()]
    assert orders[0] == orders[1] == orders[2]


@pytest.mark.parametrize(
    ("confidence", "wrong", "labels", "complaint"),
    [
        ([], [], [], "N ≥ 1"),
        ([1.0, 2.0], [True], [0, 1], "N ≥ 1"),
        ([1.0, 2.0], [True, False], [0], "N ≥ 1"),
        ([[1.0], [2.0]], [[True], [False]], [[0], [1]], "N ≥ 1"),
        ([1.0, math.nan], [True, False], [0, 1], "NaN"),
        ([1.0, 2.0], [0.5, 0.0], [0, 1], "true or false"),
        ([1.0, 2.0], [True, False], [0.0, 1.0], "integers"),
        ([1.0, 2.0], [True, False], [0, -1], "integers"),
    ],
)
def test_what_does_not_go_together_is_refused(
    confidence: object, wrong: object, labels: object, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        selective(confidence, wrong, labels)  # type: ignore[arg-type]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [[1.0, 1.0]]])
def test_weights_must_be_one_for_each_image(weights: object) -> None:
    with pytest.raises(InputError, match="for 2 images"):
        selective([1.0, 2.0], [True, False], [0, 1], weights)  # type: ignore[arg-type]


def test_scores_of_different_images_are_not_compared() -> None:
    one, other = RiskCoverage([1, 2], [0, 1], [0, 1]), RiskCoverage([1, 2, 3], [0, 1, 0], [0, 1, 1])
    with pytest.raises(InputError, match="2 images, the other of 3"):
        selective_difference(one, other, ["a", "b"])
