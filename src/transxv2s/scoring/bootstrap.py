"""Bootstrap intervals over lesions.

Images of one lesion resemble each other, so the lesion, not the image, is what is resampled. A draw is a
weight for each lesion (how often it was drawn), and all scores are computed from those weights: the confusion
matrices by one matrix product, the areas under the curve from an order made once.
"""

from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from transxv2s.errors import InputError
from transxv2s.scoring.metrics import Floats, Integers, OneVersusRest, checked, mean_defined, outcomes, rates

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc")
DRAWS_AT_ONCE = 64  # keeps the weights of 25,000 images at some 13 MB


class Interval(TypedDict):
    """A metric on the whole set and its percentile interval; None where undefined (one class only)."""

    value: float | None
    low: float | None
    high: float | None


def lesion_numbers(lesions: Sequence[object], images: int) -> Integers:
    """Numbers the lesions from 0: (N,).

    Raises:
        InputError: Not one lesion for each image, or one is missing (it would merge with other missing ones).
    """
    if len(lesions) != images:
        raise InputError(f"there are {len(lesions)} lesions for {images} images: give each image its lesion")
    # a NaN, as tables have it for an empty cell, is the only value that differs from itself
    if any(lesion is None or lesion == "" or lesion != lesion for lesion in lesions):  # noqa: PLR0124
        raise InputError("an image has no lesion: give images of unknown lesions one of their own")
    return np.unique([str(lesion) for lesion in lesions], return_inverse=True)[1].astype(np.intp)


class _Sample:
    """One model's predictions, prepared so that any weighting of the lesions is scored quickly."""

    def __init__(self, probabilities: npt.ArrayLike, labels: npt.ArrayLike, lesion: Integers) -> None:
        p, y = checked(probabilities, labels)
        self.lesion = lesion
        self.classes = p.shape[1]
        cells = self.classes * (self.classes + 1)
        flat = lesion * cells + outcomes(p, y)
        self.confusion_by_lesion = np.bincount(flat, minlength=(lesion.max() + 1) * cells).reshape(-1, cells)
        self.orders = [OneVersusRest.of(p[:, c], y == c) for c in range(self.classes)]

    def scores(self, weights: Floats) -> Floats:
        """Weights of the lesions (D, L) to the METRICS (D, 4)."""
        confusion = (weights @ self.confusion_by_lesion).reshape(-1, self.classes, self.classes + 1)
        r = rates(confusion)
        of_images = weights[:, self.lesion]
        auc = mean_defined(np.stack([order.auc(of_images) for order in self.orders], axis=-1))
        return np.stack([r.accuracy, r.balanced_accuracy, r.macro_f1, auc], axis=-1)


def _weightings(lesions: int, draws: int, seed: int) -> Iterator[Floats]:
    """First every lesion once, then how often each lesion was drawn with replacement, some at a time."""
    yield np.ones((1, lesions))
    random = np.random.default_rng(seed)
    for start in range(0, draws, DRAWS_AT_ONCE):
        size = min(DRAWS_AT_ONCE, draws - start)
        yield random.multinomial(lesions, np.full(lesions, 1 / lesions), size).astype(np.float64)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _intervals(scores: Floats, level: float) -> dict[str, Interval]:
    """Scores (1 + draws, 4), the whole set first, to an interval for each metric."""
    tail = (1 - level) / 2
    result: dict[str, Interval] = {}
    for name, (value, *drawn) in zip(METRICS, scores.T, strict=True):
        defined = np.array([d for d in drawn if not np.isnan(d)] or [np.nan])
        low, high = np.quantile(defined, [tail, 1 - tail])
        result[name] = {"value": _number(value), "low": _number(low), "high": _number(high)}
    return result


def _check_settings(draws: int, level: float) -> None:
    if draws < 1 or not 0 < level < 1:
        raise InputError(f"a bootstrap needs at least 1 draw and 0 < level < 1, not {draws} and {level}")


def lesion_bootstrap(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    lesions: Sequence[object],
    *,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Accuracy, balanced accuracy, macro F1 and macro AUC with percentile intervals.

    In each draw the macro metrics are means over the classes that the draw contains.

    Args:
        probabilities: (N, K).
        labels: (N,), positions of the true classes.
        lesions: (N,), which lesion each image shows; any names.
        draws: How often the lesions are resampled with replacement.
        seed: Of the resampling.
        level: Share of the draws inside the interval.

    Raises:
        InputError: The arguments do not fit each other.
    """
    _check_settings(draws, level)
    lesion = lesion_numbers(lesions, len(np.asarray(labels)))
    sample = _Sample(probabilities, labels, lesion)
    drawn = [sample.scores(weights) for weights in _weightings(lesion.max() + 1, draws, seed)]
    return _intervals(np.concatenate(drawn), level)


def paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    labels: npt.ArrayLike,
    lesions: Sequence[object],
    *,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """First model minus second on the same images and the same draws of lesions; arguments as above.

    Raises:
        InputError: The arguments do not fit each other.
    """
    _check_settings(draws, level)
    lesion = lesion_numbers(lesions, len(np.asarray(labels)))
    one, other = _Sample(first, labels, lesion), _Sample(second, labels, lesion)
    drawn = [one.scores(w) - other.scores(w) for w in _weightings(lesion.max() + 1, draws, seed)]
    return _intervals(np.concatenate(drawn), level)
