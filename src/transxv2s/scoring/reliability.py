"""Can probabilities be taken at their word? Reliability bins, calibration error, Brier score, likelihood."""

from typing import NamedTuple

import numpy as np
from scipy.fft import dct, idct  # type: ignore[import-untyped]

from transxv2s.scoring.arrays import Floats, Integers, ratio
from transxv2s.scoring.confusion import outcomes

BINS = 15
CELLS = 2048  # of the smooth error: a probability moves by at most 0.00025
BISECTIONS = 20  # the smooth error is found to 1e-6
SUM_TOLERANCE = 1e-3  # float16 and files of a few digits stay within; scores that are no distribution do not


class ReliabilityBins(NamedTuple):
    """Images by a probability, mostly that of the predicted class, in BINS equal bins (low, high].

    Attributes:
        low: Lower ends (BINS,); the first bin includes 0.
        high: Upper ends (BINS,).
        images: Number in each bin (BINS,).
        confidence: Mean confidence in each bin (BINS,), NaN where it is empty.
        accuracy: Share of right predictions (or of the class whose probability it is) in each bin (BINS,),
            NaN where it is empty.
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


def top_label(probabilities: Floats, labels: Integers) -> tuple[Floats, Floats]:
    """Confidence (N,) and whether the prediction is right, 1 or 0 (N,); a tie is not right."""
    right = outcomes(probabilities, labels) == labels * (probabilities.shape[1] + 2)
    return probabilities.max(1), right.astype(np.float64)


def bin_of(values: Floats) -> Integers:
    """Which of the BINS bins each value in [0, 1] falls into."""
    place = np.searchsorted(np.arange(BINS + 1) / BINS, values) - 1
    return np.clip(place, 0, BINS - 1)


def reliability(confidence: Floats, hits: Floats) -> ReliabilityBins:
    """Bins of any probabilities (N,) with what came of them, 1 or 0 (N,)."""
    edges, place = np.arange(BINS + 1) / BINS, bin_of(confidence)
    images = np.bincount(place, minlength=BINS)
    mean_confidence, accuracy = (ratio(np.bincount(place, v, BINS), images) for v in (confidence, hits))
    return ReliabilityBins(edges[:-1], edges[1:], images.astype(np.intp), mean_confidence, accuracy)


def reliability_bins(probabilities: Floats, labels: Integers) -> ReliabilityBins:
    """Bins of top-label confidence for probabilities (N, K) and labels (N,)."""
    return reliability(*top_label(probabilities, labels))


def expected_calibration_error(probabilities: Floats, labels: Integers) -> float:
    """Σ_b n_b/N · |accuracy_b − confidence_b| over the reliability bins (Guo et al. 2017), in [0, 1]."""
    bins = reliability_bins(probabilities, labels)
    gaps = np.where(bins.images > 0, abs(bins.accuracy - bins.confidence), 0.0)
    return float((bins.images * gaps).sum() / bins.images.sum())


def residuals(place: Integers, difference: Floats, weights: Floats, cells: int) -> Floats:
    """Weighted share of all images times the mean difference in each cell: (D, cells).

    Args:
        place: Cell of each image (N,).
        difference: Outcome minus probability (N,).
        weights: (D, N), each row a weighting of the images, such as a draw of a bootstrap.
        cells: Their number.
    """
    sums = np.stack([np.bincount(place, row * difference, cells) for row in weights])
    return np.asarray(sums / weights.sum(1, keepdims=True))


def smooth_calibration_errors(confidence: Floats, hits: Floats, weights: Floats) -> Floats:
    """Smooth calibration error of each weighting, in [0, 1]: (D,) (Błasiok & Nakkiran 2024, smECE).

    smECE_σ = ∫₀¹ |E[(hit − confidence)·K_σ(t, confidence)]| dt with the Gaussian kernel K_σ reflected at 0
    and 1; smECE is the σ with smECE_σ = σ, so no width or number of bins has to be chosen. smECE_σ falls as
    σ grows, so bisection finds it. A reflected Gaussian multiplies the k-th cosine coefficient by
    exp(−(πkσ)²/2); probabilities are rounded to CELLS equal cells for that.

    Args:
        confidence: (N,), in [0, 1].
        hits: What came of them, 1 or 0 (N,).
        weights: (D, N).
    """
    cell = np.minimum((confidence * CELLS).astype(np.intp), CELLS - 1)
    spectrum = dct(residuals(cell, hits - confidence, weights, CELLS), norm="ortho")
    squared_frequency = (np.pi * np.arange(CELLS)) ** 2 / 2
    low, high = np.zeros((len(weights), 1)), np.ones((len(weights), 1))
    for _ in range(BISECTIONS):
        width = (low + high) / 2
        smoothed = idct(spectrum * np.exp(-(width**2) * squared_frequency), norm="ortho")
        too_narrow = abs(smoothed).sum(1, keepdims=True) > width
        low, high = np.where(too_narrow, width, low), np.where(too_narrow, high, width)
    return np.asarray(low[:, 0])


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
