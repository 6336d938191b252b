"""Bootstrap intervals over lesions.

Images of one lesion resemble each other, so the lesion, not the image, is what is resampled. A draw is a
weight for each lesion (how often it was drawn), and all scores are computed from those weights: the confusion
matrices by one matrix product, the areas under the curve from an order made once.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from transxv2s.errors import InputError
from transxv2s.scoring.arrays import Floats, Integers, checked, mean_defined, or_none
from transxv2s.scoring.confusion import confusions, rates
from transxv2s.scoring.ranking import OneVersusRest
from transxv2s.scoring.reliability import are_distributions, log_losses

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "nll")
CLASS_METRICS = ("recall", "f1", "auc")
DRAWS = 2000
LEVEL = 0.95
DRAWS_AT_ONCE = 64  # keeps the weights of 25,000 images at some 13 MB


class Interval(TypedDict):
    """A metric on the whole set and its percentile interval; None where undefined (one class only)."""

    value: float | None
    low: float | None
    high: float | None


class Intervals(TypedDict):
    """The headline metrics, and those of classes in the order of the columns; `nll` as in `Scores`."""

    accuracy: Interval
    balanced_accuracy: Interval
    macro_f1: Interval
    macro_auc: Interval
    nll: Interval
    recall: list[Interval]
    f1: list[Interval]
    auc: list[Interval]


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


def bootstrap(
    statistic: Callable[[Floats], Floats], lesions: int, *, draws: int, seed: int, level: float
) -> list[Interval]:
    """Percentile intervals of M metrics, each over the draws in which it is defined.

    Args:
        statistic: From weights of the lesions (D, L) to metrics (D, M), NaN where undefined.
        lesions: L, their number.
        draws: How often the lesions are resampled with replacement.
        seed: Of the resampling.
        level: Share of the draws inside the interval.

    Raises:
        InputError: No draws, or a level outside (0, 1).
    """
    _check(draws, level)
    return _intervals(_drawn(statistic, lesions, draws, seed), level)


def _check(draws: int, level: float) -> None:
    if draws < 1 or not 0 < level < 1:
        raise InputError(f"a bootstrap needs at least 1 draw and 0 < level < 1, not {draws} and {level}")


def _drawn(statistic: Callable[[Floats], Floats], lesions: int, draws: int, seed: int) -> Floats:
    """Metrics of all lesions once, and of each draw: (1 + D, M)."""
    return np.concatenate([statistic(weights) for weights in _weightings(lesions, draws, seed)])


def _intervals(metrics: Floats, level: float) -> list[Interval]:
    tail = (1 - level) / 2
    return [_interval(value, drawn, tail) for value, *drawn in metrics.T]


def _weightings(lesions: int, draws: int, seed: int) -> Iterator[Floats]:
    """First every lesion once, then how often each lesion was drawn with replacement, some at a time."""
    yield np.ones((1, lesions))
    random = np.random.default_rng(seed)
    for start in range(0, draws, DRAWS_AT_ONCE):
        size = min(DRAWS_AT_ONCE, draws - start)
        yield random.multinomial(lesions, np.full(lesions, 1 / lesions), size).astype(np.float64)


def _interval(value: float, drawn: Sequence[float], tail: float) -> Interval:
    defined = np.array([d for d in drawn if not np.isnan(d)] or [np.nan])
    low, high = np.quantile(defined, [tail, 1 - tail])
    return {"value": or_none(value), "low": or_none(low), "high": or_none(high)}


class _Sample:
    """One model's predictions, prepared so that any weighting of the lesions is scored quickly."""

    def __init__(self, p: Floats, y: Integers, lesion: Integers, adjusted: Floats) -> None:
        self.lesion = lesion
        self.classes = p.shape[1]
        self.confusion_by_lesion = confusions(adjusted, y, lesion)
        self.orders = [OneVersusRest.of(p[:, c], y == c) for c in range(self.classes)]
        self.losses = log_losses(p, y) if are_distributions(p) else np.full(len(y), np.nan)

    def scores(self, weights: Floats) -> Floats:
        """Weights of the lesions (D, L) to the METRICS and CLASS_METRICS of the classes: (D, 5 + 3·K)."""
        confusion = (weights @ self.confusion_by_lesion).reshape(-1, self.classes, self.classes + 1)
        r = rates(confusion)
        of_images = weights[:, self.lesion]
        auc = np.stack([order.auc(of_images) for order in self.orders], axis=-1)
        nll = of_images @ self.losses / of_images.sum(-1)
        overall = np.stack([r.accuracy, r.balanced_accuracy, r.macro_f1, mean_defined(auc), nll], axis=-1)
        return np.concatenate([overall, r.recall, r.f1, auc], axis=-1)


class _Model:
    """One or several training runs of a model: its scores are the means over the runs."""

    def __init__(
        self,
        probabilities: npt.ArrayLike,
        labels: npt.ArrayLike,
        lesion: Integers,
        adjusted: npt.ArrayLike | None = None,
    ) -> None:
        runs = _runs(probabilities, labels)
        named = runs if adjusted is None else _runs(adjusted, labels)
        if not runs:
            raise InputError("a model needs the predictions of at least one run")
        if [p.shape for p, _ in runs] != [scores.shape for scores, _ in named]:
            raise InputError("what names the classes must be of the shape of the probabilities")
        self.samples = [
            _Sample(p, y, lesion, scores) for (p, y), (scores, _) in zip(runs, named, strict=True)
        ]
        self.classes = self.samples[0].classes

    def scores(self, weights: Floats) -> Floats:
        """As those of a run."""
        return np.asarray(np.mean([sample.scores(weights) for sample in self.samples], axis=0))


def _runs(values: npt.ArrayLike, labels: npt.ArrayLike) -> list[tuple[Floats, Integers]]:
    stacked = np.asarray(values, np.float64)
    return [checked(p, labels) for p in (stacked if stacked.ndim == 3 else [stacked])]


def _named(intervals: list[Interval]) -> Intervals:
    overall, of_classes = intervals[: len(METRICS)], intervals[len(METRICS) :]
    classes = len(of_classes) // len(CLASS_METRICS)
    by_class = [of_classes[start : start + classes] for start in range(0, len(of_classes), classes)]
    accuracy, balanced_accuracy, macro_f1, macro_auc, nll = overall
    recall, f1, auc = by_class
    return {
        "accuracy": accuracy,
        "balanced_accuracy": balanced_accuracy,
        "macro_f1": macro_f1,
        "macro_auc": macro_auc,
        "nll": nll,
        "recall": recall,
        "f1": f1,
        "auc": auc,
    }


def lesion_bootstrap(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    lesions: Sequence[object],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
    adjusted: npt.ArrayLike | None = None,
) -> Intervals:
    """Accuracy, balanced accuracy, macro F1, macro AUC, loss and scores of classes with percentile intervals.

    In each draw the macro metrics are means over the classes that the draw contains. Of several training runs
    the scores are averaged: the interval is of the images, the spread of the runs is not in it.

    Args:
        probabilities: (N, K), or (R, N, K) of several training runs.
        labels: (N,), positions of the true classes.
        lesions: (N,), which lesion each image shows; any names.
        draws: How often the lesions are resampled with replacement.
        seed: Of the resampling.
        level: Share of the draws inside the interval.
        adjusted: As the probabilities, of which the greatest is the class that is named; the probabilities
            by default.

    Raises:
        InputError: The arguments do not fit each other.
    """
    lesion = lesion_numbers(lesions, len(np.asarray(labels)))
    model = _Model(probabilities, labels, lesion, adjusted)
    count = int(lesion.max()) + 1
    return _named(bootstrap(model.scores, count, draws=draws, seed=seed, level=level))


def paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    labels: npt.ArrayLike,
    lesions: Sequence[object],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> Intervals:
    """First model minus second on the same images and the same draws of lesions; arguments as above.

    Raises:
        InputError: The arguments do not fit each other.
    """
    lesion = lesion_numbers(lesions, len(np.asarray(labels)))
    one, other = _Model(first, labels, lesion), _Model(second, labels, lesion)
    if one.classes != other.classes:
        raise InputError(f"one model has {one.classes} classes, the other {other.classes}: map them first")
    count = int(lesion.max()) + 1
    difference = bootstrap(
        lambda weights: one.scores(weights) - other.scores(weights),
        count,
        draws=draws,
        seed=seed,
        level=level,
    )
    return _named(difference)


class Scored(NamedTuple):
    """What a model says of some images: arguments of `lesion_bootstrap`."""

    probabilities: npt.ArrayLike
    labels: npt.ArrayLike
    lesions: Sequence[object]


def unpaired_difference(
    first: Scored, second: Scored, *, draws: int = DRAWS, seed: int = 0, level: float = LEVEL
) -> Intervals:
    """First model minus second on images of its own: the lesions of both are drawn independently.

    Raises:
        InputError: The arguments do not fit each other.
    """
    _check(draws, level)
    metrics, classes = [], set()
    for place, (probabilities, labels, lesions) in enumerate((first, second)):
        lesion = lesion_numbers(lesions, len(np.asarray(labels)))
        model = _Model(probabilities, labels, lesion)
        classes.add(model.classes)
        metrics.append(_drawn(model.scores, int(lesion.max()) + 1, draws, seed + place))
    if len(classes) > 1:
        raise InputError(f"the models have {' and '.join(map(str, sorted(classes)))} classes: map them first")
    return _named(_intervals(metrics[0] - metrics[1], level))
