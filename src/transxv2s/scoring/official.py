"""The rules of the ISIC challenges of 2018 (task 3) and 2019, as in the package `isic-challenge-scoring`.

They differ from `score`: each class is called where its own probability is above 0.5, whatever the others
are, and a rate with nothing to measure counts as 1. They are for comparison with published leaderboards.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_curve

from transxv2s.errors import InputError
from transxv2s.scoring.arrays import Booleans, Floats, Integers, checked, mean_defined, or_none, ratio
from transxv2s.scoring.confusion import outcomes
from transxv2s.scoring.ranking import OneVersusRest
from transxv2s.scoring.submission import align, read_submission, read_truth

HIGH_SENSITIVITY = 0.8
RATES = ("accuracy", "sensitivity", "specificity", "dice", "ppv", "npv", "auc", "auc_sens_80", "ap")


class CategoryScore(TypedDict):
    """One class, or the mean over classes; the last three are None where a class has no (other) images."""

    accuracy: float
    sensitivity: float
    specificity: float
    dice: float
    ppv: float
    npv: float
    auc: float | None
    auc_sens_80: float | None
    ap: float | None


class OfficialScores(TypedDict):
    """What the official scorer prints; `absent` (of no weight) is ours: there it stops with an error.

    `balanced_accuracy` is over the present classes; an argmax tie is undecided and wrong. `macro_average` is
    over all classes, a rate of 1 where there was nothing to measure included.
    """

    balanced_accuracy: float
    per_category: dict[str, CategoryScore]
    macro_average: CategoryScore
    absent: list[str]


class OfficialFileScores(TypedDict):
    """Scores of a submission file under both columns of weights of its ground truth."""

    overall: OfficialScores
    validation: OfficialScores


def official_score(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    codes: Sequence[str],
    weights: npt.ArrayLike | None = None,
) -> OfficialScores:
    """Scores predictions by the official rules.

    Args:
        probabilities: (N, K).
        labels: (N,), positions of the true classes.
        codes: The K class codes.
        weights: (N,), how much each image counts, ≥ 0; all 1 by default.

    Raises:
        InputError: The arguments do not fit each other, or all weights are 0.
    """
    p, y = checked(probabilities, labels)
    if len(codes) != p.shape[1]:
        raise InputError(f"there are {len(codes)} class codes for {p.shape[1]} columns")
    w = _checked_weights(weights, len(y))
    rows = [_category(p[:, c], y == c, w) for c in range(len(codes))]
    present = np.bincount(y, w, len(codes)) > 0
    return {
        "balanced_accuracy": _balanced_accuracy(p, y, w),
        "per_category": {code: _named(row) for code, row in zip(codes, rows, strict=True)},
        "macro_average": _named(mean_defined(np.array(rows).T)),
        "absent": [code for code, is_present in zip(codes, present, strict=True) if not is_present],
    }


def official_score_files(truth: Path, submission: Path) -> OfficialFileScores:
    """Scores a submission file against a ground-truth file with the columns of its classes.

    Raises:
        DataError: A file is missing or malformed, or they do not name the same images.
    """
    expected = read_truth(truth)
    given = read_submission(submission, expected.codes)
    p = given.probabilities[align(given.ids, expected.ids)]
    overall, validation = (
        official_score(p, expected.labels, expected.codes, weights)
        for weights in (expected.score_weights, expected.validation_weights)
    )
    return {"overall": overall, "validation": validation}


def _checked_weights(weights: npt.ArrayLike | None, images: int) -> Floats:
    w = np.ones(images) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (images,) or not np.isfinite(w).all() or (w < 0).any() or not w.any():
        raise InputError(f"weights must be {images} finite numbers ≥ 0, not all of them 0")
    return w


def _balanced_accuracy(p: Floats, y: Integers, w: Floats) -> float:
    classes = p.shape[1]
    hit = outcomes(p, y) == y * (classes + 2)
    return float(mean_defined(ratio(np.bincount(y, w * hit, classes), np.bincount(y, w, classes))))


def _category(scores: Floats, positive: Booleans, w: Floats) -> Floats:
    """RATES of one class (9,) from its scores (N,), truth (N,) and weights (N,), NaN where undefined."""
    called = scores > 0.5
    tp, tn = w[positive & called].sum(), w[~positive & ~called].sum()
    fp, fn = w[~positive & called].sum(), w[positive & ~called].sum()
    order = OneVersusRest.of(scores, positive)
    return np.array(
        [
            (tp + tn) / (tp + tn + fp + fn),
            _or_one(tp, tp + fn),
            _or_one(tn, tn + fp),
            _or_one(2 * tp, 2 * tp + fp + fn),
            _or_one(tp, tp + fp),
            _or_one(tn, tn + fn),
            order.auc(w),
            _auc_above_sensitivity(scores, positive, w),
            order.average_precision(w),
        ]
    )


def _or_one(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 1.0


def _auc_above_sensitivity(scores: Floats, positive: Booleans, w: Floats) -> float:
    """Area under the part of the ROC curve with sensitivity ≥ 0.8, down to the axis; NaN where undefined."""
    counts = w > 0
    if not (positive & counts).any() or (positive | ~counts).all():
        return float("nan")
    fpr, tpr, _ = roc_curve(
        positive[counts], scores[counts], sample_weight=w[counts], drop_intermediate=False
    )
    first = int(np.searchsorted(tpr, HIGH_SENSITIVITY))
    start = np.interp(HIGH_SENSITIVITY, tpr[first - 1 : first + 1], fpr[first - 1 : first + 1])
    return float(np.trapezoid([HIGH_SENSITIVITY, *tpr[first:]], [start, *fpr[first:]]))


def _named(row: Floats) -> CategoryScore:
    accuracy, sensitivity, specificity, dice, ppv, npv, *undefinable = row.tolist()
    auc, auc_sens_80, ap = (or_none(value) for value in undefinable)
    return {
        "accuracy": accuracy,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "dice": dice,
        "ppv": ppv,
        "npv": npv,
        "auc": auc,
        "auc_sens_80": auc_sens_80,
        "ap": ap,
    }
