"""Temperature scaling (Guo et al. 2017) and split conformal prediction sets (Sadinle et al. 2019).

Both are fitted on images that the network was not trained on: first the temperature, then, on probabilities
that already carry it, the threshold of the prediction set.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from transxv2s.errors import InputError

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
BISECTIONS = 60  # halves log(20 / 0.05) = 6 to below float64 resolution


class Calibration(BaseModel):
    """What turns logits into probabilities and prediction sets that keep their word.

    Attributes:
        temperature: Divisor of the logits, > 0.
        coverage: Share of images whose true class the prediction set is meant to hold, in (0, 1).
        set_threshold: Smallest probability that brings a class into the set, in [0, 1].
        fitted_on: Which split, and how many images, in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(gt=0, allow_inf_nan=False)
    coverage: float = Field(gt=0, lt=1)
    set_threshold: float = Field(ge=0, le=1)
    fitted_on: str


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


def conformal_threshold(probabilities: ArrayLike, labels: ArrayLike, coverage: float) -> float:
    """Probability threshold 1 − q of the smallest sets with the wanted coverage (split conformal, LAC score).

    q is the ⌈(n + 1)·coverage⌉-th smallest of the scores 1 − p_y, so that the set {k: p_k ≥ 1 − q} of a
    further, exchangeable image holds its true class with probability ≥ coverage. Too few images for that
    give 0: every class is in the set.

    Args:
        probabilities: Calibrated, shape (N, K), in [0, 1].
        labels: Class indices, shape (N,).
        coverage: In (0, 1).

    Raises:
        InputError: Coverage outside (0, 1), or arrays that do not go together.
    """
    if not 0 < coverage < 1:
        raise InputError(f"Coverage is {coverage}; give a share between 0 and 1, such as 0.9.")
    values, truth = _checked(probabilities, labels)
    true_probability = np.sort(values[np.arange(len(truth)), truth])
    rank = math.ceil(round((len(truth) + 1) * coverage, 9))  # rounded: 100 · 0.55 is 55.00000000000001
    return float(true_probability[-rank]) if rank <= len(truth) else 0.0


def prediction_set(probabilities: ArrayLike, threshold: float) -> list[int]:
    """Classes with probability ≥ threshold, most probable first; the most probable one always.

    Args:
        probabilities: One image, shape (K,).
        threshold: In [0, 1].
    """
    values = np.asarray(probabilities, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    return [int(k) for place, k in enumerate(order) if place == 0 or values[k] >= threshold]


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
