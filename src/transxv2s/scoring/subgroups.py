"""Scores by source, sex, age band, anatomical site, skin tone, or any other grouping of the images."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from transxv2s.ages import AGE_BANDS, UNKNOWN
from transxv2s.errors import InputError
from transxv2s.imaging.skin_tone import SKIN_TONES
from transxv2s.scoring.arrays import Floats, Integers, checked_for, mean_defined, or_none
from transxv2s.scoring.bootstrap import DRAWS, LEVEL, Interval, bootstrap, lesion_numbers
from transxv2s.scoring.confusion import confusions, rates
from transxv2s.scoring.malignancy import MALIGNANT, THRESHOLD, Binary, behaving
from transxv2s.scoring.ranking import OneVersusRest
from transxv2s.taxonomy import Taxonomy

MIN_LESIONS = 20  # below, one lesion would move a rate by more than 5 points


class Subgroup(TypedDict):
    """Scores of the images of one group.

    `balanced_accuracy` and `auc` are means over the `classes` that the group contains, so groups of different
    classes are not compared by them alone. `malignant_recall` is the share of the malignant images whose
    summed malignant probability reaches the threshold. All three are None, and `note` says why, where the
    group has fewer lesions than the floor.
    """

    group: str
    images: int
    lesions: int
    classes: list[str]
    balanced_accuracy: Interval | None
    auc: float | None
    malignant_recall: Interval | None
    note: str | None


def subgroups(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    lesions: Sequence[object],
    taxonomy: Taxonomy,
    groupings: Mapping[str, Sequence[str | None]],
    *,
    min_lesions: int = MIN_LESIONS,
    threshold: float = THRESHOLD,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
    adjusted: npt.ArrayLike | None = None,
) -> dict[str, list[Subgroup]]:
    """One table for each grouping, one row for each of its groups, "unknown" last.

    Args:
        probabilities: (N, K) in taxonomy order.
        labels: (N,), the true class of each image as its position in the taxonomy.
        lesions: (N,), which lesion each image shows.
        taxonomy: Names the K classes and their behaviour.
        groupings: For each name ("sex", "age", …) the group of each image (N,); None and "" are unknown.
        min_lesions: Groups of fewer lesions get no score.
        threshold: Of the summed malignant probability.
        draws: How often the lesions of a group are resampled with replacement.
        seed: Of the resampling.
        level: Share of the draws inside the interval.
        adjusted: (N, K), of which the greatest is the class that is named; the probabilities by default.

    Raises:
        InputError: The arguments do not fit each other.
    """
    p, y = checked_for(taxonomy, probabilities, labels)
    named = p if adjusted is None else checked_for(taxonomy, adjusted, labels)[0]
    lesion = lesion_numbers(lesions, len(y))
    malignant = behaving(taxonomy, MALIGNANT)

    def row(group: str, chosen: Integers) -> Subgroup:
        own = np.unique(lesion[chosen], return_inverse=True)[1]
        images, labelled = p[chosen], y[chosen]
        count = int(own.max()) + 1
        empty: Subgroup = {
            "group": group,
            "images": len(chosen),
            "lesions": count,
            "classes": [taxonomy.codes[c] for c in np.unique(labelled)],
            "balanced_accuracy": None,
            "auc": None,
            "malignant_recall": None,
            "note": f"fewer than {min_lesions} lesions: too few for a score",
        }
        if count < min_lesions:
            return empty
        statistic = _Group(named[chosen], labelled, own, Binary.of(images, labelled, malignant, threshold))
        accuracy, recall = bootstrap(statistic, count, draws=draws, seed=seed, level=level)
        auc = _macro_auc(images, labelled)
        scores: Subgroup = empty | {"balanced_accuracy": accuracy, "auc": auc, "malignant_recall": recall}
        return scores | {"note": None}

    return {
        name: [row(group, chosen) for group, chosen in members(name, groups, len(y))]
        for name, groups in groupings.items()
    }


class _Group:
    """Balanced accuracy and malignant recall of a group as a statistic of the weights of its lesions."""

    def __init__(self, named: Floats, y: Integers, lesion: Integers, binary: Binary) -> None:
        self.classes = named.shape[1]
        self.confusion_by_lesion = confusions(named, y, lesion)
        self.lesion = lesion
        self.binary = binary

    def __call__(self, weights: Floats) -> Floats:
        confusion = (weights @ self.confusion_by_lesion).reshape(-1, self.classes, self.classes + 1)
        recall = self.binary.rates(weights[:, self.lesion])[:, 0]
        return np.stack([rates(confusion).balanced_accuracy, recall], axis=-1)


def _macro_auc(p: Floats, y: Integers) -> float | None:
    """Mean AUC over the classes present in labels (N,) of probabilities (N, K); None for one class alone."""
    ones = np.ones(len(y))
    return or_none(
        mean_defined(np.array([OneVersusRest.of(p[:, c], y == c).auc(ones) for c in range(p.shape[1])]))
    )


def members(
    name: str, groups: Sequence[str | None], images: int, ordered: Sequence[str] = ()
) -> list[tuple[str, Integers]]:
    """Each group with the positions of its images: first those that have an order, unknown last.

    Args:
        name: Of the grouping.
        groups: Of each image (N,); None and "" are unknown.
        images: N.
        ordered: Groups in their order; bands of age and skin tones have theirs.

    Raises:
        InputError: Not one group for each image.
    """
    if len(groups) != images:
        raise InputError(f"the grouping {name!r} has {len(groups)} entries for {images} images")
    known = np.array([group or UNKNOWN for group in groups])
    order = {group: place for place, group in enumerate((*ordered, *AGE_BANDS, *SKIN_TONES))}
    names = sorted(set(known.tolist()), key=lambda g: (g == UNKNOWN, order.get(g, -1), g))
    return [(group, np.flatnonzero(known == group)) for group in names]
