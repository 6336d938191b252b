"""Scores of a set of predictions.

All formulas take weighted counts with any number of leading dimensions, so that a bootstrap draw (integer
weights) and the plain score (weight one) go through the same code. NaN stands for "not defined here" until a
result is handed out, where it becomes None.
"""

from typing import TypedDict

import numpy as np
import numpy.typing as npt

from transxv2s.scoring.arrays import Floats, Integers, checked_for, mean_defined, or_none
from transxv2s.scoring.confusion import Rates, confusions, rates
from transxv2s.scoring.ranking import OneVersusRest
from transxv2s.scoring.reliability import (
    are_distributions,
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
)
from transxv2s.taxonomy import Taxonomy

SPECIFICITIES = (0.90, 0.95)


class ClassScore(TypedDict):
    """Scores of one class against the rest, each in [0, 1]; None where there is nothing to measure.

    All are None for a class without images, and precision for a class that was never predicted. Specificity,
    AUC and sensitivities are also None where there is no other class. `sensitivity_at` has for each
    specificity ("0.90", "0.95") the greatest sensitivity of any threshold on the class's probability with at
    least that specificity on these images. `images` are of the class, `predicted` were taken for it.
    """

    recall: float | None
    precision: float | None
    f1: float | None
    specificity: float | None
    auc: float | None
    average_precision: float | None
    sensitivity_at: dict[str, float | None]
    images: int
    predicted: int


class Scores(TypedDict):
    """Scores of one set of predictions.

    Macro scores and `balanced_accuracy` (the macro recall) are means over the classes that have images, in
    [0, 1]; `absent` names the others. `never_predicted` names classes that have images and that no image was
    taken for: their precision counts as 0 in `macro_precision`. `ece` (top label, 15 equal bins), `brier`
    (sum over classes, in [0, 2]) and `nll` are None where the probabilities do not sum to 1. `confusion` has
    a row for each true class, a column for each predicted one and a last column for undecided images (ties).
    """

    accuracy: float
    balanced_accuracy: float
    macro_precision: float
    macro_f1: float
    macro_specificity: float | None
    macro_auc: float | None
    macro_average_precision: float
    ece: float | None
    brier: float | None
    nll: float | None
    per_class: dict[str, ClassScore]
    absent: list[str]
    never_predicted: list[str]
    confusion: list[list[int]]
    images: int


def score(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    taxonomy: Taxonomy,
    adjusted: npt.ArrayLike | None = None,
) -> Scores:
    """Scores predictions.

    Args:
        probabilities: (N, K) in taxonomy order.
        labels: (N,), the true class of each image as its position in the taxonomy.
        taxonomy: Names the K classes.
        adjusted: (N, K), of which the greatest is the class that is named; the probabilities by default.

    Raises:
        InputError: The arrays do not fit each other or the taxonomy.
    """
    p, y = checked_for(taxonomy, probabilities, labels)
    k = len(taxonomy)
    named = p if adjusted is None else checked_for(taxonomy, adjusted, labels)[0]
    confusion = confusions(named, y, np.zeros_like(y)).reshape(k, k + 1)
    r = rates(confusion)
    per_class = _per_class(p, y, taxonomy, confusion, r)
    sound = are_distributions(p)
    return {
        "accuracy": float(r.accuracy),
        "balanced_accuracy": float(r.balanced_accuracy),
        "macro_precision": float(r.macro_precision),
        "macro_f1": float(r.macro_f1),
        "macro_specificity": or_none(r.macro_specificity),
        "macro_auc": or_none(_mean([one["auc"] for one in per_class.values()])),
        "macro_average_precision": _mean([one["average_precision"] for one in per_class.values()]),
        "ece": expected_calibration_error(p, y) if sound else None,
        "brier": brier_score(p, y) if sound else None,
        "nll": negative_log_likelihood(p, y) if sound else None,
        "per_class": per_class,
        "absent": [code for code, one in per_class.items() if not one["images"]],
        "never_predicted": [c for c, one in per_class.items() if one["images"] and not one["predicted"]],
        "confusion": confusion.astype(int).tolist(),
        "images": len(y),
    }


def _per_class(
    p: Floats, y: Integers, taxonomy: Taxonomy, confusion: Floats, r: Rates
) -> dict[str, ClassScore]:
    """Scores of each class from probabilities (N, K), labels (N,), confusion (K, K+1) and its rates."""
    images, predicted, ones = confusion.sum(1), confusion.sum(0), np.ones(len(y))
    orders = [OneVersusRest.of(p[:, c], y == c) for c in range(len(taxonomy))]
    return {
        code: {
            "recall": or_none(r.recall[c]),
            "precision": or_none(r.precision[c]),
            "f1": or_none(r.f1[c]),
            "specificity": or_none(r.specificity[c]),
            "auc": or_none(orders[c].auc(ones)),
            "average_precision": or_none(orders[c].average_precision(ones)),
            "sensitivity_at": {f"{s:.2f}": or_none(orders[c].sensitivity(ones, s)) for s in SPECIFICITIES},
            "images": int(images[c]),
            "predicted": int(predicted[c]),
        }
        for c, code in enumerate(taxonomy.codes)
    }


def _mean(values: list[float | None]) -> float:
    return float(mean_defined(np.array(values, dtype=np.float64)))
