"""Scores of one class against the rest that need no decision: they depend on the order of the images only."""

from typing import NamedTuple

import numpy as np

from transxv2s.scoring.arrays import Booleans, Floats, Integers, ratio


class OneVersusRest(NamedTuple):
    """The order of one class's scores, made once for any number of weightings.

    Attributes:
        positives: Indices of the images of the class in ascending order of score.
        negatives: Indices of the others in ascending order of score.
        among: For each positive the number of positives with a lower score.
        below: For each positive the number of negatives with a lower score.
        up_to: For each positive the number of negatives with a lower or equal score.
    """

    positives: Integers
    negatives: Integers
    among: Integers
    below: Integers
    up_to: Integers

    @classmethod
    def of(cls, scores: Floats, positive: Booleans) -> "OneVersusRest":
        """Orders the scores (N,) of a class whose images are marked positive (N,)."""
        positives, negatives = (_ascending(scores, marked) for marked in (positive, ~positive))
        own, other = scores[positives], scores[negatives]
        below, up_to = (np.searchsorted(other, own, side) for side in ("left", "right"))
        return cls(positives, negatives, np.searchsorted(own, own), below, up_to)

    def auc(self, weights: Floats) -> Floats:
        """Area under the ROC curve for weights (..., N): P(positive above negative) + P(equal) / 2.

        NaN where the weights leave no positive or no negative.
        """
        positive, lower = weights[..., self.positives], _running(weights[..., self.negatives])
        won = (positive * (lower[..., self.below] + lower[..., self.up_to])).sum(-1) / 2
        return ratio(won, positive.sum(-1) * lower[..., -1])

    def average_precision(self, weights: Floats) -> Floats:
        """Average precision for weights (..., N): Σ (R_n − R_{n−1})·P_n over thresholds, no interpolation.

        Each positive adds the precision at the threshold that is its own score. NaN without a positive.
        """
        positive, lower = weights[..., self.positives], _running(weights[..., self.negatives])
        own = _running(positive)
        true = own[..., -1:] - own[..., self.among]
        false = lower[..., -1:] - lower[..., self.below]
        precision = np.where(positive > 0, ratio(true, true + false), 0.0)
        return ratio((positive * precision).sum(-1), own[..., -1])

    def sensitivity(self, weights: Floats, specificity: float) -> Floats:
        """Greatest sensitivity of any threshold whose specificity is at least the given one: (...).

        A class is called where its score reaches the threshold; the ROC curve is not interpolated. NaN where
        the weights (..., N) leave no positive or no negative.
        """
        positive, lower = weights[..., self.positives], _running(weights[..., self.negatives])
        specific = ratio(lower[..., self.below], np.broadcast_to(lower[..., -1:], positive.shape))
        found = ratio((positive * (specific >= specificity)).sum(-1), positive.sum(-1))
        return np.where(lower[..., -1] > 0, found, np.nan)


def _ascending(scores: Floats, marked: Booleans) -> Integers:
    chosen = np.flatnonzero(marked)
    ordered: Integers = chosen[np.argsort(scores[chosen], kind="stable")]
    return ordered


def _running(weights: Floats) -> Floats:
    """Running sums (..., n + 1) of weights (..., n), from 0."""
    sums = np.zeros((*weights.shape[:-1], weights.shape[-1] + 1))
    np.cumsum(weights, axis=-1, out=sums[..., 1:])
    return sums
