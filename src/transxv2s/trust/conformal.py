"""Prediction sets by split conformal prediction: for each class a limit that its evidence has to reach.

The evidence for class k of one image, in [0, 1], is one of

    "lac"  p_k, its calibrated probability (Sadinle, Lei and Wasserman 2019): the smallest sets on average;
    "aps"  Σ_{j: p_j ≤ p_k} p_j, the probability of all classes that are not more likely (Romano, Sesia and
           Candès 2020, without randomisation): sets that grow where the image is hard.

A class is in the set where its evidence reaches its limit, and the most probable class always. Romano et al.
draw a random number for each image, which makes the coverage exact; left out here, as one image must get the
same set each time it is asked about: a class that the network mostly ranks first is covered more often than
wanted. Their regularised successor (Angelopoulos et al. 2021) shortens the long tails of a thousand classes
and has two more numbers to choose; eight classes have no such tail.

What is promised. If a further lesion is exchangeable with the calibration lesions, and one of its images is
taken, the set holds its true class with a probability of at least `coverage`: for lesions of each class
separately with `conditional_on="class"` (Vovk 2012), whatever the shares of the classes are, and within each
group where groups were given. Nothing is promised where images look different from those of the calibration
(another hospital). Temperature and limits are fitted on images the network was not trained on.

Images of one lesion are no independent evidence, so each lesion weighs the same, its images 1/m each (Lee,
Barber and Willett 2023). That keeps the promise, needs no seed and wastes no image; where every lesion has
one image it is the ordinary quantile.
"""

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from transxv2s.errors import InputError

Score = Literal["lac", "aps"]
Condition = Literal["class", "none"]
Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

UNKNOWN = (None, "", "unknown")  # groups that tell nothing
DIGITS = 9  # to which sums of weights are compared: 100 · 0.55 is 55.00000000000001
SUM_TOLERANCE = 1e-3  # files of a few digits stay within


class Limits(BaseModel):
    """What the evidence has to reach, and how much stands behind it.

    Attributes:
        values: For each class, in [0, 1]; 0 lets the class into every set.
        lesions: For each class the number of calibration lesions that its limit was taken from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: tuple[float, ...] = Field(min_length=1)
    lesions: tuple[int, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self.lesions) != len(self.values) or min(self.lesions) < 0:
            raise ValueError("limits need a number of lesions ≥ 0 for each class")
        if not all(0 <= value <= 1 for value in self.values):
            raise ValueError("limits must be from 0 to 1")
        return self


class PredictionSets(BaseModel):
    """What turns calibrated probabilities into sets of classes.

    An image of a group without limits of its own (not known, or not met in calibration) gets for each class
    the lowest limit of all groups and of all images together: whichever of the groups it is of, the set
    holds what that group's own limits would let in.

    Attributes:
        score: The evidence that is compared with the limits.
        coverage: Share of lesions whose true class the set is meant to hold, in (0, 1).
        conditional_on: Whether the promise is kept for each class or for all together.
        limits: From all calibration images.
        grouping: What the groups are ("source", "age band"); None without groups.
        groups: Limits of each group.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    score: Score
    coverage: float = Field(gt=0, lt=1)
    conditional_on: Condition
    limits: Limits
    grouping: str | None = None
    groups: dict[str, Limits] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if any(len(limits.values) != len(self.limits.values) for limits in self.groups.values()):
            raise ValueError("all groups need limits for the same classes")
        if (self.grouping is None) != (not self.groups):
            raise ValueError("groups need the name of the grouping, and the other way round")
        return self

    def sets(self, probabilities: ArrayLike, groups: Sequence[str | None] | None = None) -> NDArray[np.bool_]:
        """Which classes (N, K) each set holds; never none.

        Args:
            probabilities: Calibrated, shape (N, K), in [0, 1].
            groups: The group of each image (N,); None, "" and "unknown" are not known.

        Raises:
            InputError: The shapes do not fit, or a probability is not finite.
        """
        p = _probabilities(probabilities)
        if p.shape[1] != len(self.limits.values):
            raise InputError(f"The sets are of {len(self.limits.values)} classes; give as many columns.")
        names = _groups(groups, len(p))
        limits = {name: self.limits_of(name) for name in set(names)}
        held = evidence(p, self.score) >= np.array([limits[name] for name in names])
        held[np.arange(len(p)), p.argmax(axis=1)] = True
        return held

    def of(self, probabilities: ArrayLike, group: str | None = None) -> list[int]:
        """The classes of one image's set from probabilities (K,), most probable first; never empty.

        Raises:
            InputError: As for `sets`.
        """
        p = np.asarray(probabilities, dtype=np.float64)
        held = self.sets(p[None], [group])[0]
        return [int(k) for k in np.argsort(-p, kind="stable") if held[k]]

    def limits_of(self, group: str | None = None) -> tuple[float, ...]:
        """The limits (K,) that an image of this group gets."""
        if group in self.groups:
            return self.groups[group].values
        every = (self.limits, *self.groups.values())
        return tuple(min(values) for values in zip(*(limits.values for limits in every), strict=True))

    def always(self, group: str | None = None) -> list[int]:
        """Classes that are in every set of the group, as a rule because of too few calibration lesions."""
        return [k for k, limit in enumerate(self.limits_of(group)) if limit == 0]


def fit(
    probabilities: ArrayLike,
    labels: ArrayLike,
    coverage: float,
    *,
    score: Score = "lac",
    conditional_on: Condition = "class",
    lesions: Sequence[object] | None = None,
    groups: Sequence[str | None] | None = None,
    grouping: str | None = None,
) -> PredictionSets:
    """Limits from images that the network was not trained on.

    With fewer than coverage / (1 − coverage) lesions (9 for 0.9) no finite limit keeps the promise, and the
    class, or with `conditional_on="none"` every class, is in all sets. By class and group, that counts for
    each class within each group; images of unknown group take part in the limits of all images only.

    Args:
        probabilities: Calibrated, shape (N, K), in [0, 1].
        labels: Class indices, shape (N,).
        coverage: In (0, 1).
        score: The evidence, see the top of this file.
        conditional_on: "class" for a limit for each class, "none" for one limit of all.
        lesions: Which lesion each image shows (N,); without them each image is a lesion of its own.
        groups: The group of each image (N,); None, "" and "unknown" are not known.
        grouping: What the groups are, in a word or two.

    Raises:
        InputError: Coverage outside (0, 1), arrays that do not go together, or groups without a name.
    """
    if not 0 < coverage < 1:
        raise InputError(f"Coverage is {coverage}; give a share between 0 and 1, such as 0.9.")
    if (groups is None) != (grouping is None):
        raise InputError("Groups need the name of the grouping, and the other way round.")
    # here, as only fitting needs them, and they bring scikit-learn with them
    from transxv2s.scoring.arrays import checked
    from transxv2s.scoring.bootstrap import lesion_numbers

    p, truth = checked(_probabilities(probabilities), labels)
    lesion = lesion_numbers(range(len(p)) if lesions is None else lesions, len(p))
    own = evidence(p, score)[np.arange(len(p)), truth]

    def limits(chosen: NDArray[np.bool_]) -> Limits:
        classes = range(p.shape[1])
        parts = [chosen & (truth == k) if conditional_on == "class" else chosen for k in classes]
        found = [_limit(own[part], lesion[part], coverage) for part in parts]
        return Limits(values=tuple(f[0] for f in found), lesions=tuple(f[1] for f in found))

    names = np.array(_groups(groups, len(p)), dtype=object)
    known = sorted(set(names) - set(UNKNOWN))
    if groups is not None and not known:
        raise InputError(f"No image has a known {grouping}; leave the groups out.")
    return PredictionSets(
        score=score,
        coverage=coverage,
        conditional_on=conditional_on,
        limits=limits(np.ones(len(p), dtype=bool)),
        grouping=grouping,
        groups={name: limits(names == name) for name in known},
    )


def evidence(probabilities: Floats, score: Score) -> Floats:
    """Evidence for each class (N, K) in [0, 1] from probabilities (N, K), see the top of this file.

    The sums of "aps" are taken from the smallest probability on, so that a class of 1e-20 keeps its place
    beside one of nearly 1, and over the whole sum, so that the most probable class has exactly 1.
    """
    if score == "lac":
        return np.minimum(probabilities, 1.0)  # sums of classes exceed 1 by an ulp
    running = np.sort(probabilities, axis=1).cumsum(axis=1)
    not_above = (probabilities[:, None, :] <= probabilities[:, :, None]).sum(axis=2)
    return np.asarray(np.take_along_axis(running, not_above - 1, axis=1) / running[:, -1:])


def band(coverage: float, calibration_sizes: ArrayLike, test_sizes: ArrayLike, level: float = 0.95) -> Floats:
    """Where the coverage of m test lesions lies if n calibration lesions set the limit: (…, 2), low and high.

    With evidence that has no ties and one image a lesion, the number covered is beta-binomial of m trials
    with a = ⌈(n + 1)·coverage⌉ and b = n + 1 − a (Vovk 2012). The interval is central and holds at least
    `level` of it. Ties, and the most probable class that is always in, only raise the coverage; several
    images a lesion, each with its share of the weight, narrow its spread.

    Args:
        coverage: In (0, 1).
        calibration_sizes: Numbers of calibration lesions, shape (…).
        test_sizes: Numbers of test lesions, shape (…).
        level: In (0, 1).

    Returns:
        Shares in [0, 1]; both 1 where n is too small for a limit, NaN where there is no test lesion.
    """
    from scipy.stats import betabinom  # type: ignore[import-untyped]  # slow to import, for reports alone

    n, m = np.broadcast_arrays(np.asarray(calibration_sizes), np.asarray(test_sizes))
    rank = np.ceil(np.round((n + 1) * coverage, DIGITS))
    sure = rank > n  # no limit: the class is in every set
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    law = betabinom(np.maximum(m, 1)[..., None], rank[..., None], np.where(sure, 1, n + 1 - rank)[..., None])
    covered = np.where(sure[..., None], 1.0, law.ppf(tails) / np.maximum(m, 1)[..., None])
    return np.where(m[..., None] > 0, covered, np.nan)


def _limit(own: Floats, lesion: Integers, coverage: float) -> tuple[float, int]:
    """The highest evidence that lesions of total weight ≥ (L + 1)·coverage reach, 0 if none; and L."""
    lesion = np.unique(lesion, return_inverse=True)[1]
    images = np.bincount(lesion)
    order = np.argsort(-own, kind="stable")
    reached = (1 / images[lesion[order]]).cumsum().round(DIGITS)
    needed = round((len(images) + 1) * coverage, DIGITS)
    place = int(np.searchsorted(reached, needed))
    return (float(own[order[place]]) if place < len(own) else 0.0), len(images)


def _probabilities(probabilities: ArrayLike) -> Floats:
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.size == 0:
        raise InputError(f"Probabilities must be of shape (N, K), with N ≥ 1, not {p.shape}.")
    if not ((p >= 0).all() and (abs(p.sum(axis=1) - 1) <= SUM_TOLERANCE).all()):  # false for NaN
        raise InputError("Probabilities of an image must be ≥ 0 and sum to 1; repair them or leave it out.")
    return p


def _groups(groups: Sequence[str | None] | None, images: int) -> Sequence[str | None]:
    if groups is None:
        return [None] * images
    if len(groups) != images:
        raise InputError(f"There are {len(groups)} groups for {images} images; give each image one, or None.")
    return groups
