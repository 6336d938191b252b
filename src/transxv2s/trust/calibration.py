"""Temperature scaling (Guo et al. 2017), fitted on images that the network was not trained on."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transxv2s.errors import InputError

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
BISECTIONS = 60  # halves log(20 / 0.05) = 6 to below float64 resolution


def softmax(logits: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """Softmax over the last axis of logits / temperature, in float64.

    Args:
        logits: Shape (..., K).
        temperature: > 0.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Temperature T that minimises the mean negative log-likelihood of softmax(logits / T).

    The likelihood is convex in β = 1/T with slope E[Σ_k p_k z_k − z_y], so the one place where the slope
    changes its sign is the minimum, and bisection finds it. T stays within [0.05, 20]: on logits that
    separate the labels perfectly the minimum lies at T = 0.

    Args:
        logits: Shape (N, K).
        labels: Class indices, shape (N,).

    Raises:
        InputError: Empty, not finite, or shapes and labels that do not go together.
    """
    scores, truth = _checked(logits, labels)
    true_score = scores[np.arange(len(truth)), truth]
    cold, hot = math.log(LOWEST_TEMPERATURE), math.log(HIGHEST_TEMPERATURE)
    for _ in range(BISECTIONS):
        middle = (cold + hot) / 2
        expected_score = (softmax(scores, math.exp(middle)) * scores).sum(axis=1)
        too_cold = (expected_score - true_score).mean() > 0
        cold, hot = (middle, hot) if too_cold else (cold, middle)
    return math.exp((cold + hot) / 2)


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    match values.shape:
        case (n, k) if n > 0 and truth.shape == (n,):
            pass
        case shape:
            raise InputError(f"Scores {shape} and labels {truth.shape} must be (N, K) and (N,), with N ≥ 1.")
    if not np.isfinite(values).all():
        raise InputError("Scores hold NaN or infinity; leave those images out or repair the model.")
    if truth.dtype.kind not in "iu" or truth.min() < 0 or truth.max() >= k:
        raise InputError(f"Labels must be integers from 0 to {k - 1}.")
    return values, truth.astype(np.int64)
