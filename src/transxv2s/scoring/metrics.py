"""Scores of a set of predictions under the rules of the ISIC challenges.

All formulas take weighted counts with any number of leading dimensions, so that a bootstrap draw (integer
weights) and the plain score (weight one) go through the same code. NaN stands for "not defined here" until a
result is handed out, where it becomes None.
"""

from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from transxv2s.errors import InputError
from transxv2s.taxonomy import Taxonomy

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]


class ClassScore(TypedDict):
    """Scores of one class against the rest; None where there is nothing to measure.

    Recall, F1 and AUC are None for a class without images (AUC also where there is no other class), precision
    for a class that was never predicted.
    """

    recall: float | None
    precision: float | None
    f1: float | None
    auc: float | None
    images: int


class Scores(TypedDict):
    """Scores of one set of predictions, each in [0, 1].

    `balanced_accuracy`, `macro_f1` and `macro_auc` are means over the classes that have images; `absent`
    names the others. `confusion` has a row for each true class, a column for each predicted one and a last
    column for undecided images (ties).
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    macro_auc: float | None
    per_class: dict[str, ClassScore]
    absent: list[str]
    confusion: list[list[int]]
    images: int


class Rates(NamedTuple):
    """What follows from a confusion matrix: overall rates (...) and class rates (..., K)."""

    accuracy: Floats
    balanced_accuracy: Floats
    macro_f1: Floats
    recall: Floats
    precision: Floats
    f1: Floats


class OneVersusRest(NamedTuple):
    """The order of one class's scores, made once for any number of weightings.

    Attributes:
        positives: Indices of the images of the class.
        negatives: Indices of the others in ascending order of score.
        below: For each positive the number of negatives with a lower score.
        up_to: For each positive the number of negatives with a lower or equal score.
    """

    positives: Integers
    negatives: Integers
    below: Integers
    up_to: Integers

    @classmethod
    def of(cls, scores: Floats, positive: npt.NDArray[np.bool_]) -> "OneVersusRest":
        """Orders the scores (N,) of a class whose images are marked positive (N,)."""
        positives, negatives = np.flatnonzero(positive), np.flatnonzero(~positive)
        negatives = negatives[np.argsort(scores[negatives])]
        below, up_to = (np.searchsorted(scores[negatives], scores[positives], s) for s in ("left", "right"))
        return cls(positives, negatives, below, up_to)

    def auc(self, weights: Floats) -> Floats:
        """Area under the ROC curve for weights (..., N): P(positive above negative) + P(equal) / 2.

        NaN where the weights leave no positive or no negative.
        """
        positive, negative = weights[..., self.positives], weights[..., self.negatives]
        lower = np.zeros((*weights.shape[:-1], len(self.negatives) + 1))
        np.cumsum(negative, axis=-1, out=lower[..., 1:])
        won = (positive * (lower[..., self.below] + lower[..., self.up_to])).sum(-1) / 2
        return _ratio(won, positive.sum(-1) * negative.sum(-1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Division that gives NaN, without a warning, where the whole is zero."""
    ratio: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return ratio


def mean_defined(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where nothing is left."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(-1), defined.sum(-1))


def checked(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Floats, Integers]:
    """Probabilities (N, K) and labels (N,) as arrays.

    Raises:
        InputError: The shapes do not fit, a number is not finite, a label is outside 0 … K-1, or N is 0.
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if p.ndim != 2 or y.shape != p.shape[:1] or p.size == 0:
        raise InputError(f"scores need probabilities (N, K) and labels (N,), not {p.shape} and {y.shape}")
    if not np.isfinite(p).all():
        raise InputError("scores need finite probabilities; some are NaN or infinite")
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= p.shape[1]:
        raise InputError(f"labels must be integers from 0 to {p.shape[1] - 1}")
    return p, y.astype(np.intp)


def outcomes(probabilities: Floats, labels: Integers) -> Integers:
    """Cell of the flattened confusion matrix (K, K+1) that each image (N,) falls into.

    An argmax tie is undecided and falls into the last column, as in `isic-challenge-scoring`.
    """
    classes = probabilities.shape[1]
    tied = (probabilities == probabilities.max(1, keepdims=True)).sum(1) > 1
    cells: Integers = labels * (classes + 1) + np.where(tied, classes, probabilities.argmax(1))
    return cells


def rates(confusion: Floats) -> Rates:
    """Rates of confusion matrices (..., K, K+1), rows true, columns predicted and undecided."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    images, predicted = confusion.sum(-1), confusion[..., :-1].sum(-2)
    recall, precision = _ratio(hits, images), _ratio(hits, predicted)
    f1 = np.where(images > 0, _ratio(2 * hits, images + predicted), np.nan)
    accuracy = _ratio(hits.sum(-1), images.sum(-1))
    return Rates(accuracy, mean_defined(recall), mean_defined(f1), recall, precision, f1)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def score(probabilities: npt.ArrayLike, labels: npt.ArrayLike, taxonomy: Taxonomy) -> Scores:
    """Scores predictions.

    Args:
        probabilities: (N, K) in taxonomy order.
        labels: (N,), the true class of each image as its position in the taxonomy.
        taxonomy: Names the K classes.

    Raises:
        InputError: The arrays do not fit each other or the taxonomy.
    """
    p, y = checked(probabilities, labels)
    if p.shape[1] != len(taxonomy):
        raise InputError(f"{taxonomy.name} has {len(taxonomy)} classes, but there are {p.shape[1]} columns")
    k = len(taxonomy)
    confusion = np.bincount(outcomes(p, y), minlength=k * (k + 1)).reshape(k, k + 1)
    r = rates(confusion.astype(np.float64))
    auc = np.array([OneVersusRest.of(p[:, c], y == c).auc(np.ones(len(y))) for c in range(k)])
    images = confusion.sum(1)
    per_class: dict[str, ClassScore] = {
        code: {
            "recall": _or_none(r.recall[c]),
            "precision": _or_none(r.precision[c]),
            "f1": _or_none(r.f1[c]),
            "auc": _or_none(auc[c]),
            "images": int(images[c]),
        }
        for c, code in enumerate(taxonomy.codes)
    }
    return {
        "accuracy": float(r.accuracy),
        "balanced_accuracy": float(r.balanced_accuracy),
        "macro_f1": float(r.macro_f1),
        "macro_auc": _or_none(float(mean_defined(auc))),
        "per_class": per_class,
        "absent": [code for c, code in enumerate(taxonomy.codes) if images[c] == 0],
        "confusion": confusion.tolist(),
        "images": len(y),
    }
