"""Do prediction sets hold the true class as often as promised, and how large are they?"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from transxv2s.scoring.bootstrap import Interval, lesion_numbers
from transxv2s.scoring.shares import lesion_shares
from transxv2s.scoring.subgroups import members
from transxv2s.taxonomy import Taxonomy, mapping
from transxv2s.trust.conformal import Condition, PredictionSets, band

Place = Literal["below", "within", "above"]
ROUNDING = 1e-9


class SetOutcome(TypedDict):
    """The sets of a group, each lesion counting once; few lesions have no interval.

    Attributes:
        group: Its name.
        images: Its images.
        lesions: Its lesions.
        coverage: Share whose true class is in the set.
        size: Mean number of classes in a set.
        single: Share whose set has one class.
        calibration_lesions: How many the limit was taken from that the promise to this group rests on; None
            where the group has no promise of its own, or one of several limits.
        band: 95 % band of the coverage, low and high, that these numbers of lesions allow.
        place: Where the coverage lies.
    """

    group: str
    images: int
    lesions: int
    coverage: Interval
    size: Interval
    single: Interval
    calibration_lesions: int | None
    band: list[float] | None
    place: Place | None


class SetOutcomes(TypedDict):
    """What became of a promise.

    Attributes:
        promised: Coverage.
        to_each: Whether it is promised of each class, or of all together.
        grouping: Of what groups, too; None without.
        tables: By the name of a grouping.
    """

    promised: float
    to_each: Condition
    grouping: str | None
    tables: dict[str, list[SetOutcome]]


class Judged(NamedTuple):
    """The sets of N labelled images.

    Attributes:
        held: Which of the network's K classes are in the sets, (N, K).
        labels: True classes (N,), positions in `target`.
        lesions: Which lesion each image shows, (N,).
        groupings: What each image is of, (N,), by "source" and "age".
        model: The network's classes.
        target: Those in which network and data set are compared.
    """

    held: NDArray[np.bool_]
    labels: NDArray[np.intp]
    lesions: Sequence[str]
    groupings: Mapping[str, Sequence[str | None]]
    model: Taxonomy
    target: Taxonomy

    def parts(self, label: int) -> NDArray[np.intp]:
        """Positions of the network's classes that are a class of `target`, or parts of it."""
        return np.flatnonzero([place == label for place in mapping(self.model, self.target)])

    def covered(self) -> NDArray[np.bool_]:
        """Whether each set holds the true class, or a part of it, (N,)."""
        parts = [self.parts(label) for label in range(len(self.target))]
        pairs = zip(self.held, self.labels, strict=True)
        return np.array([held[parts[label]].any() for held, label in pairs], bool)


def set_outcomes(judged: Judged, sets: PredictionSets) -> SetOutcomes:
    """What became of a promise: in all, by class, by source, and by what sets were calibrated by.

    There is no table of a single source or age.

    Raises:
        InputError: The arrays do not go together, or an image has no lesion.
    """
    images, codes = len(judged.labels), judged.target.codes
    lesion = lesion_numbers(judged.lesions, images)
    covered, size = judged.covered(), judged.held.sum(axis=1)
    groupings: dict[str, Sequence[str | None]] = {"all": ["all"] * images}
    groupings["class"] = [codes[label] for label in judged.labels]
    for name in dict.fromkeys(filter(None, ("source", sets.grouping))):
        if len(set(judged.groupings.get(name, ()))) > 1:
            groupings[name] = judged.groupings[name]

    def row(table: str, group: str, chosen: NDArray[np.intp]) -> SetOutcome:
        each = np.ones(len(chosen))
        pairs = [(values[chosen], each) for values in (covered, size, size == 1)]
        coverage, mean, single = lesion_shares(pairs, lesion[chosen])
        count = len(np.unique(lesion[chosen]))
        behind = _behind(sets, judged, table, group)
        allowed = None if behind is None else band(sets.coverage, behind, count).tolist()
        return {
            "group": group,
            "images": len(chosen),
            "lesions": count,
            "coverage": coverage,
            "size": mean,
            "single": single,
            "calibration_lesions": behind,
            "band": allowed,
            "place": allowed and place_in(allowed, float(coverage["value"] or 0)),
        }

    return {
        "promised": sets.coverage,
        "to_each": sets.conditional_on,
        "grouping": sets.grouping,
        "tables": {
            name: [row(name, group, chosen) for group, chosen in members(name, groups, images, codes)]
            for name, groups in groupings.items()
        },
    }


def place_in(allowed: Sequence[float], coverage: float) -> Place:
    """Where a coverage lies beside a band of low and high."""
    low, high = allowed
    return "below" if coverage < low - ROUNDING else "above" if coverage > high + ROUNDING else "within"


def _behind(sets: PredictionSets, judged: Judged, table: str, group: str) -> int | None:
    """Calibration lesions of the one limit that the promise to a group rests on."""
    if sets.grouping or table != ("class" if sets.conditional_on == "class" else "all"):
        return None
    if table == "all":
        return sets.limits.lesions[0]
    parts = judged.parts(judged.target.index(group))
    return sets.limits.lesions[parts[0]] if len(parts) == 1 else None
