"""Can probabilities be taken at their word? Reliability bins, calibration error, Brier score, likelihood."""

from typing import NamedTuple

import numpy as np

from transxv2s.scoring.arrays import Floats, Integers, ratio
from transxv2s.scoring.confusion import outcomes

BINS = 15
SUM_TOLERANCE = 1e-3  # float16 and files of a few digits stay within; scores that are no distribution do not


class ReliabilityBins(NamedTuple):
    """Images by confidence, the probability of the predicted class, in BINS equal bins (low, high].

    Attributes:
        low: Lower ends (BINS,); the first bin includes 0.
        high: Upper ends (BINS,).
        images: Number in each bin (BINS,).
        confidence: Mean confidence in each bin (BINS,), NaN where it is empty.
        accuracy: Share of right predictions in each bin (BINS,), NaN where it is empty.
    """

    low: Floats
    high: Floats
    images: Integers
    confidence: Floats
    accuracy: Floats


def are_distributions(probabilities: Floats) -> bool:
    """Whether every row of (N, K) lies in [0, 1] and sums to 1 within SUM_TOLERANCE."""
    inside = (probabilities >= 0).all() and (probabilities <= 1).all()
    return bool(inside and (abs(probabilities.sum(1) - 1) <= SUM_TOLERANCE).all())


def reliability_bins(probabilities: Floats, labels: Integers) -> ReliabilityBins:
    """Bins of top-label confidence for probabilities (N, K) and labels (N,); a tie is not right."""
    classes = probabilities.shape[1]
    right = outcomes(probabilities, labels) == labels * (classes + 2)
    confidence = probabilities.max(1)
    edges = np.arange(BINS + 1) / BINS
    place = np.clip(np.searchsorted(edges, confidence) - 1, 0, BINS - 1)
    images = np.bincount(place, minlength=BINS)
    mean_confidence, accuracy = (
        ratio(np.bincount(place, values, BINS), images) for values in (confidence, right.astype(np.float64))
    )
    return ReliabilityBins(edges[:-1], edges[1:], images.astype(np.intp), mean_confidence, accuracy)


def expected_calibration_error(probabilities: Floats, labels: Integers) -> float:
    """Σ_b n_b/N · |accuracy_b − confidence_b| over the reliability bins (Guo et al. 2017), in [0, 1]."""
    bins = reliability_bins(probabilities, labels)
    gaps = np.where(bins.images > 0, abs(bins.accuracy - bins.confidence), 0.0)
    return float((bins.images * gaps).sum() / bins.images.sum())


def brier_score(probabilities: Floats, labels: Integers) -> float:
    """Mean of Σ_k (p_k − y_k)² over all K classes (Brier 1950), in [0, 2]; 0 is best."""
    return float(((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(1).mean())


def log_losses(probabilities: Floats, labels: Integers) -> Floats:
    """−ln p_y of each image (N,), with p_y at least the float64 resolution 2.2e-16, so at most 36.04."""
    true = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.clip(true, np.finfo(np.float64).eps, 1.0)))


def negative_log_likelihood(probabilities: Floats, labels: Integers) -> float:
    """Mean of the log losses; 0 is best."""
    return float(log_losses(probabilities, labels).mean())
