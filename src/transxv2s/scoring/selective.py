"""Selective prediction: how often is a system wrong if it answers only where it is confident?

Answering from a confidence threshold on keeps some of the N images, at best those it gets right. With the
definitions of FD-Shifts (Jaeger et al. 2023; Traub et al. 2024), where e and n count wrong images and images,
of class c of K classes that have images:

    coverage                      n_kept / N
    selective risk                e_kept / n_kept
    generalized risk              e_kept / N, the share of images answered wrongly, silence being harmless
    balanced selective risk       1/K · Σ_c e_c,kept / n_c,kept, a class of which nothing is kept adding 0
    balanced generalized risk     1/K · Σ_c e_c,kept / n_c, each class weighing the same

AURC and AUGRC are the areas under selective and generalized risk over coverage by the trapezoidal rule.
Images of equal confidence are kept or left together, so a point stands at each confidence that occurs, and
one at coverage 0: the selective risk of the most confident images, and a generalized risk of 0. e-AURC is
AURC minus that of perfect confidence among infinitely many images, r + (1 − r)·ln(1 − r) for the error rate r
(Geifman et al. 2019). All but e-AURC are in [0, 1], lower is better; FD-Shifts prints them times 1,000.

The balanced selective risk rewards who never answers for a hard class: read it beside the generalized one.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp, xlogy  # type: ignore[import-untyped]

from transxv2s.errors import InputError
from transxv2s.scoring.arrays import Floats, Integers, ratio
from transxv2s.scoring.bootstrap import DRAWS, LEVEL, Interval, bootstrap, lesion_numbers


class Areas(TypedDict):
    """Areas under the risk-coverage curves, in [0, 1]; e_aurc may fall below 0 where images are few."""

    aurc: float
    e_aurc: float
    augrc: float
    balanced_aurc: float
    balanced_augrc: float


class AreaIntervals(TypedDict):
    """The same with intervals over lesions, or differences of two."""

    aurc: Interval
    e_aurc: Interval
    augrc: Interval
    balanced_aurc: Interval
    balanced_augrc: Interval


class Curve(NamedTuple):
    """Risks at every confidence that occurs, most confident first; (T,), or (…, T) with weights.

    Attributes:
        threshold: The lowest confidence that is kept (T,), descending.
        coverage: Share of the images kept, ascending, at the end 1.
        risk: Selective risk; NaN where nothing kept has weight.
        generalized_risk: See the top of this file, and for those that follow.
        balanced_risk: Of classes alike.
        balanced_generalized_risk: Of classes alike.
    """

    threshold: Floats
    coverage: Floats
    risk: Floats
    generalized_risk: Floats
    balanced_risk: Floats
    balanced_generalized_risk: Floats


class RiskCoverage:
    """The order that a confidence score puts images into, made once for any number of weightings.

    Args:
        confidence: (N,), higher is surer; any scale.
        wrong: (N,), whether the answer is wrong; bool, or 0 and 1.
        labels: (N,), integers from 0.

    Raises:
        InputError: The arguments do not fit each other, or a confidence is not finite.
    """

    def __init__(self, confidence: npt.ArrayLike, wrong: npt.ArrayLike, labels: npt.ArrayLike) -> None:
        scores, errors, y = _fitting(confidence, wrong, labels)
        self.images = len(scores)
        self._order = np.argsort(-scores, kind="stable")
        self._wrong = errors[self._order]
        ordered = scores[self._order]
        self._ends = np.flatnonzero(np.append(np.diff(ordered) != 0, True))  # the last image of each tie
        self._threshold = ordered[self._ends]
        self._of_class = [np.flatnonzero(y[self._order] == c) for c in np.unique(y)]

    def curve(self, weights: npt.ArrayLike | None = None) -> Curve:
        """All risks, for weights (…, N) of the images; without them each counts once."""
        w = np.ones(self.images) if weights is None else np.asarray(weights, dtype=np.float64)
        w = w[..., self._order]
        kept, errors = self._kept(w, np.arange(self.images))
        balanced, generalized = np.zeros_like(kept), np.zeros_like(kept)
        classes = np.zeros((*kept.shape[:-1], 1))
        for own in self._of_class:
            kept_own, errors_own = self._kept(w, own)
            own_weight = kept_own[..., -1:]
            balanced += np.divide(errors_own, kept_own, out=np.zeros_like(kept), where=kept_own > 0)
            generalized += errors_own / np.where(own_weight > 0, own_weight, 1)
            classes += own_weight > 0
        total = kept[..., -1:]
        return Curve(
            self._threshold,
            kept / total,
            ratio(errors, kept),
            errors / total,
            balanced / classes,
            generalized / classes,
        )

    def areas(self, weights: npt.ArrayLike | None = None) -> Floats:
        """Weights (…, N) of the images to the five `Areas` in their order: (…, 5)."""
        curve = self.curve(weights)
        error_rate = curve.risk[..., -1]
        aurc = _area(curve.coverage, curve.risk)
        right = np.maximum(1 - error_rate, 0.0)  # not below 0 by rounding
        perfect = error_rate + xlogy(right, right)
        augrc, balanced_augrc = (
            _area(curve.coverage, risk, at_nothing=0.0)
            for risk in (curve.generalized_risk, curve.balanced_generalized_risk)
        )
        balanced_aurc = _area(curve.coverage, curve.balanced_risk)
        return np.stack([aurc, aurc - perfect, augrc, balanced_aurc, balanced_augrc], axis=-1)

    def _kept(self, weights: Floats, chosen: Integers) -> tuple[Floats, Floats]:
        """Weight, and weight of errors, among the chosen images that each threshold keeps: (…, T) each."""
        places = np.searchsorted(chosen, self._ends, side="right")
        own = weights[..., chosen]
        return _running(own)[..., places], _running(own * self._wrong[chosen])[..., places]


def selective(
    confidence: npt.ArrayLike,
    wrong: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
) -> Areas:
    """The areas of one confidence score.

    Args:
        confidence: (N,), higher is surer; any scale.
        wrong: (N,), whether the answer is wrong.
        labels: (N,), the true classes, for the balanced risks.
        weights: (N,), ≥ 0 and not all 0; without them each image counts once.

    Raises:
        InputError: The arguments do not fit each other, or a confidence is not finite.
    """
    order = RiskCoverage(confidence, wrong, labels)
    if weights is not None and (np.shape(weights) != (order.images,) or np.min(weights) < 0):
        raise InputError(
            f"there are weights {np.shape(weights)} for {order.images} images: give each one ≥ 0"
        )
    aurc, e_aurc, augrc, balanced_aurc, balanced_augrc = order.areas(weights).tolist()
    return {
        "aurc": aurc,
        "e_aurc": e_aurc,
        "augrc": augrc,
        "balanced_aurc": balanced_aurc,
        "balanced_augrc": balanced_augrc,
    }


def selective_intervals(
    order: RiskCoverage,
    lesions: Sequence[object],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> AreaIntervals:
    """The areas with percentile intervals over lesions.

    Args:
        order: Of N images.
        lesions: (N,), which lesion each image shows.
        draws: How often the lesions are resampled with replacement.
        seed: Of the resampling.
        level: Share of the draws inside the interval.

    Raises:
        InputError: The arguments do not fit each other.
    """
    lesion = lesion_numbers(lesions, order.images)
    count = int(lesion.max()) + 1
    found = bootstrap(lambda w: order.areas(w[:, lesion]), count, draws=draws, seed=seed, level=level)
    return _named(found)


def selective_difference(
    first: RiskCoverage,
    second: RiskCoverage,
    lesions: Sequence[object],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> AreaIntervals:
    """First minus second on the same images and the same draws; below 0 the first is better.

    The two may be confidence scores of one model or of two. Other arguments as for `selective_intervals`.

    Raises:
        InputError: The arguments do not fit each other.
    """
    if first.images != second.images:
        raise InputError(
            f"one score is of {first.images} images, the other of {second.images}: compare the same"
        )
    lesion = lesion_numbers(lesions, first.images)

    def difference(weights: Floats) -> Floats:
        of_images = weights[:, lesion]
        return first.areas(of_images) - second.areas(of_images)

    return _named(bootstrap(difference, int(lesion.max()) + 1, draws=draws, seed=seed, level=level))


def max_softmax(probabilities: npt.ArrayLike) -> Floats:
    """Probability of the predicted class (N,), from (N, K) (Hendrycks and Gimpel 2017)."""
    return np.asarray(np.max(np.asarray(probabilities, np.float64), axis=1))


def margin(probabilities: npt.ArrayLike) -> Floats:
    """Probability of the predicted class minus that of the next (N,), from (N, K) with K ≥ 2."""
    second, first = np.partition(np.asarray(probabilities, np.float64), -2, axis=1)[:, -2:].T
    return np.asarray(first - second)


def negative_entropy(probabilities: npt.ArrayLike) -> Floats:
    """Σ_k p_k·ln p_k (N,), from (N, K); from −ln K where nothing is known up to 0."""
    p = np.asarray(probabilities, np.float64)
    return np.asarray(xlogy(p, p).sum(axis=1))


def energy(logits: npt.ArrayLike) -> Floats:
    """Negative energy ln Σ_k exp(z_k) (N,), from logits (N, K) (Liu et al. 2020).

    Probabilities do not do: softmax has lost it, and of their logarithms it is 0 for every image.
    """
    return np.asarray(logsumexp(np.asarray(logits, np.float64), axis=1))


CONFIDENCES: dict[str, Callable[[npt.ArrayLike], Floats]] = {
    "softmax": max_softmax,
    "margin": margin,
    "entropy": negative_entropy,
}  # those that probabilities suffice for


def _named(intervals: list[Interval]) -> AreaIntervals:
    aurc, e_aurc, augrc, balanced_aurc, balanced_augrc = intervals
    return {
        "aurc": aurc,
        "e_aurc": e_aurc,
        "augrc": augrc,
        "balanced_aurc": balanced_aurc,
        "balanced_augrc": balanced_augrc,
    }


def _running(weights: Floats) -> Floats:
    """Running sums (…, n + 1) of weights (…, n), from 0."""
    return np.concatenate([np.zeros((*weights.shape[:-1], 1)), weights.cumsum(axis=-1)], axis=-1)


def _area(coverage: Floats, risk: Floats, at_nothing: float | None = None) -> Floats:
    """Trapezoidal area under risk (…, T) over coverage (…, T) from 0; at 0 the first risk unless given.

    Confidences without weight have no width and, before the first that has some, no selective risk.
    """
    start = np.zeros((*coverage.shape[:-1], 1))
    before = np.concatenate([start, coverage[..., :-1]], axis=-1)
    lower = np.concatenate([start, risk[..., :-1]], axis=-1)
    lower = np.where(before > 0, lower, risk if at_nothing is None else at_nothing)
    width = coverage - before
    return np.asarray(np.where(width > 0, width * (lower + risk) / 2, 0.0).sum(axis=-1))


def _fitting(
    confidence: npt.ArrayLike, wrong: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[Floats, Floats, Integers]:
    scores, errors, y = np.asarray(confidence, np.float64), np.asarray(wrong), np.asarray(labels)
    if scores.ndim != 1 or scores.size == 0 or not scores.shape == errors.shape == y.shape:
        raise InputError(
            f"confidence {scores.shape}, errors {errors.shape} and labels {y.shape} must be (N,), with N ≥ 1"
        )
    if not np.isfinite(scores).all():
        raise InputError("a confidence is NaN or infinite: leave those images out or repair the score")
    if not np.isin(errors, (0, 1)).all() or y.dtype.kind not in "iu" or y.min() < 0:
        raise InputError("errors must be true or false (1 or 0), and labels integers from 0")
    return scores, errors.astype(np.float64), y.astype(np.intp)
