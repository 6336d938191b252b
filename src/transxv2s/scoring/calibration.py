"""How far probabilities can be taken at their word: of the predicted class, of every class, before and after.

Measured over weighted images, so that the same lines serve a table and a bootstrap over lesions. Binned and
smooth errors are sums of absolute values: noise cannot cancel in them. They are above 0 even for perfect
probabilities, and resampling adds noise, so that an interval of a small error lies too high and can miss the
value itself. The interval of a change suffers less, as both sides have that noise.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from transxv2s.errors import InputError
from transxv2s.scoring.arrays import Floats, Integers, checked
from transxv2s.scoring.bootstrap import DRAWS, LEVEL, Interval, bootstrap, lesion_numbers
from transxv2s.scoring.reliability import (
    BINS,
    are_distributions,
    bin_of,
    log_losses,
    residuals,
    smooth_calibration_errors,
    top_label,
)

HEADLINE = ("ece", "smooth_ece", "classwise_ece", "brier", "nll")


class ClassCalibration(TypedDict):
    """One class.

    Attributes:
        images: Number of this true class.
        ece: Its static error (Kull et al. 2019): Σ_b n_b/N · |share_b − mean probability_b| over all images,
            binned by the probability of this class.
        smooth_ece: The smooth error of that probability.
        brier: Mean Brier score of the images of this true class; None without any.
        nll: Their mean log loss; None without any.
    """

    images: int
    ece: float
    smooth_ece: float
    brier: float | None
    nll: float | None


class CalibrationScores(TypedDict):
    """Errors of calibration and proper scores; 0 is best.

    Attributes:
        ece: Binned error of the predicted class's probability (Guo et al. 2017), in [0, 1].
        smooth_ece: Its smooth error (Błasiok & Nakkiran 2024), in [0, 1].
        classwise_ece: Mean of the classes' errors (Kull et al. 2019), in [0, 1].
        brier: In [0, 2].
        nll: Mean negative log-likelihood.
        per_class: By code.
    """

    ece: float
    smooth_ece: float
    classwise_ece: float
    brier: float
    nll: float
    per_class: dict[str, ClassCalibration]


class Compared(TypedDict):
    """The headline metrics with intervals over lesions, and what they are less than those of the reference.

    Attributes:
        scores: By metric.
        change: The same minus the reference's on the same draws.
    """

    scores: dict[str, Interval]
    change: dict[str, Interval]


class _Sample:
    """Probabilities (N, K) and labels (N,), prepared so that weightings of the images are scored quickly."""

    def __init__(self, p: Floats, y: Integers) -> None:
        self.probabilities, self.labels = p, y
        self.truth = np.eye(p.shape[1])[y]
        self.confidence, self.hits = top_label(p, y)
        self.losses = np.stack([((p - self.truth) ** 2).sum(1), log_losses(p, y)], axis=-1)

    def class_errors(self, weights: Floats) -> Floats:
        """Binned error of each class (D, K)."""
        columns = zip(self.probabilities.T, self.truth.T, strict=True)
        return np.stack([_binned_error(p, y, weights) for p, y in columns], axis=-1)

    def headline(self, weights: Floats) -> Floats:
        """The HEADLINE metrics of weightings of the images (D, N): (D, 5)."""
        return np.column_stack(
            [
                _binned_error(self.confidence, self.hits, weights),
                smooth_calibration_errors(self.confidence, self.hits, weights),
                self.class_errors(weights).mean(-1),
                weights @ self.losses / weights.sum(1, keepdims=True),
            ]
        )

    def of_class(self, position: int, ece: float) -> ClassCalibration:
        """What is said of one class."""
        p, own = self.probabilities[:, position], self.truth[:, position]
        smooth = smooth_calibration_errors(p, own, np.ones((1, len(own))))
        images = int(own.sum())
        brier, nll = (own @ self.losses / images).tolist() if images else (None, None)
        return {
            "images": images,
            "ece": ece,
            "smooth_ece": float(smooth[0]),
            "brier": brier,
            "nll": nll,
        }


def calibration(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, codes: Sequence[str]
) -> CalibrationScores:
    """Scores probabilities (N, K) against labels (N,); codes are those of the K columns.

    Raises:
        InputError: The arguments do not fit each other, or rows are no distributions.
    """
    sample = _sample(probabilities, labels)
    if len(codes) != sample.probabilities.shape[1]:
        raise InputError(f"there are {len(codes)} codes for {sample.probabilities.shape[1]} columns")
    once = np.ones((1, len(sample.labels)))
    ece, smooth, classwise, brier, nll = sample.headline(once)[0].tolist()
    errors = sample.class_errors(once)[0].tolist()
    return {
        "ece": ece,
        "smooth_ece": smooth,
        "classwise_ece": classwise,
        "brier": brier,
        "nll": nll,
        "per_class": {code: sample.of_class(k, errors[k]) for k, code in enumerate(codes)},
    }


def calibration_intervals(
    models: Mapping[str, npt.ArrayLike],
    labels: npt.ArrayLike,
    lesions: Sequence[object],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, Compared]:
    """The headline metrics of several probabilities of the same images on the same draws of lesions.

    Args:
        models: Name → probabilities (N, K); the first is the reference of the changes.
        labels: (N,), positions of the true classes.
        lesions: (N,), which lesion each image shows; any names.
        draws: How often the lesions are resampled with replacement.
        seed: Of the resampling.
        level: Share of the draws inside the interval.

    Raises:
        InputError: The arguments do not fit each other, or rows are no distributions.
    """
    lesion = lesion_numbers(lesions, len(np.asarray(labels)))
    samples = [_sample(probabilities, labels) for probabilities in models.values()]

    def statistic(weights: Floats) -> Floats:
        scores = [sample.headline(weights[:, lesion]) for sample in samples]
        return np.hstack([*scores, *(score - scores[0] for score in scores)])

    found = bootstrap(statistic, int(lesion.max()) + 1, draws=draws, seed=seed, level=level)
    by_model = [
        dict(zip(HEADLINE, found[start : start + len(HEADLINE)], strict=True))
        for start in range(0, len(found), len(HEADLINE))
    ]
    pairs = zip(by_model[: len(models)], by_model[len(models) :], strict=True)
    return {
        name: {"scores": scores, "change": change}
        for name, (scores, change) in zip(models, pairs, strict=True)
    }


def _binned_error(probability: Floats, hits: Floats, weights: Floats) -> Floats:
    """Σ_b n_b/N · |share of hits_b − mean probability_b| of each weighting (D,)."""
    return np.asarray(abs(residuals(bin_of(probability), hits - probability, weights, BINS)).sum(-1))


def _sample(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> _Sample:
    p, y = checked(probabilities, labels)
    if not are_distributions(p):
        raise InputError("calibration is of probabilities: each row must lie in [0, 1] and sum to 1")
    return _Sample(p, y)
