"""Curves for figures: ROC and precision-recall of each class against the rest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_curve, roc_curve

from transxv2s.errors import InputError
from transxv2s.scoring.arrays import Booleans, Floats, checked
from transxv2s.scoring.reliability import ReliabilityBins, are_distributions, reliability_bins


class Roc(NamedTuple):
    """Points of a ROC curve, from (0, 0), whose threshold is infinite, to (1, 1); collinear ones left out.

    Attributes:
        false_positive_rate: (P,), ascending.
        true_positive_rate: (P,), ascending.
        thresholds: (P,), descending; a score that reaches the threshold is positive.
    """

    false_positive_rate: Floats
    true_positive_rate: Floats
    thresholds: Floats


class PrecisionRecall(NamedTuple):
    """Points of a precision-recall curve, from recall 1 to the conventional end (precision 1, recall 0).

    Attributes:
        precision: (P + 1,).
        recall: (P + 1,), descending.
        thresholds: (P,), ascending.
    """

    precision: Floats
    recall: Floats
    thresholds: Floats


class Curves(NamedTuple):
    """What a results page draws.

    Attributes:
        roc: By class code, for the classes that have images beside images of other classes.
        precision_recall: By class code, for the same classes.
        reliability: None where the probabilities do not sum to 1.
    """

    roc: dict[str, Roc]
    precision_recall: dict[str, PrecisionRecall]
    reliability: ReliabilityBins | None


def roc(scores: Floats, positive: Booleans) -> Roc:
    """ROC curve of scores (N,) against the truth (N,), which must hold both answers."""
    return Roc(*roc_curve(positive, scores))


def precision_recall(scores: Floats, positive: Booleans) -> PrecisionRecall:
    """Precision-recall curve of scores (N,) against the truth (N,), which must hold a positive."""
    return PrecisionRecall(*precision_recall_curve(positive, scores))


def curves(probabilities: npt.ArrayLike, labels: npt.ArrayLike, codes: Sequence[str]) -> Curves:
    """All curves of probabilities (N, K) against labels (N,), with K class codes.

    Raises:
        InputError: The arguments do not fit each other.
    """
    p, y = checked(probabilities, labels)
    if len(codes) != p.shape[1]:
        raise InputError(f"there are {len(codes)} class codes for {p.shape[1]} columns")
    drawn = [(code, p[:, c], y == c) for c, code in enumerate(codes) if 0 < np.sum(y == c) < len(y)]
    return Curves(
        {code: roc(scores, positive) for code, scores, positive in drawn},
        {code: precision_recall(scores, positive) for code, scores, positive in drawn},
        reliability_bins(p, y) if are_distributions(p) else None,
    )
