"""What comes of letting a network answer where it may and an expert look at the rest.

Each lesion counts once: of its images each has its share of the weight. Malignant or precancerous lesions
are safe if they are recognised as such, be it as another class that an expert must see, or referred.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

import numpy as np

from transxv2s.scoring.arrays import Booleans, Integers
from transxv2s.scoring.bootstrap import DRAWS, LEVEL, Interval, lesion_numbers
from transxv2s.scoring.shares import Pair, lesion_shares
from transxv2s.scoring.subgroups import members


class Outcome(TypedDict):
    """What happens to the lesions of a group.

    Shares with 95 % intervals over lesions, without interval where the group has few lesions; values are None
    where there is nothing to take a share of.

    Attributes:
        group: Its name.
        images: Its images.
        lesions: Its lesions.
        referred: Share that an expert sees.
        accuracy_of_answers: Share named rightly of those that are not referred.
        caught: Share named rightly or referred.
        safe: Share of the malignant or precancerous that are recognised as such or referred.
        missed_per_1000: Malignant or precancerous lesions that are answered to be benign, of 1,000 of all.
    """

    group: str
    images: int
    lesions: int
    referred: Interval
    accuracy_of_answers: Interval
    caught: Interval
    safe: Interval
    missed_per_1000: Interval


class Answered(NamedTuple):
    """What became of N images.

    Attributes:
        right: Whether the class that was named is the true one, (N,).
        referred: Whether an expert must look, (N,).
        suspected: Whether a class was named that an expert must see, (N,).
        ought: Whether the true class is malignant or precancerous, (N,).
        lesions: Which lesion each image shows, (N,).
    """

    right: Booleans
    referred: Booleans
    suspected: Booleans
    ought: Booleans
    lesions: Sequence[object]


def referral(
    answered: Answered,
    groupings: Mapping[str, Sequence[str | None]],
    orders: Mapping[str, Sequence[str]] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, list[Outcome]]:
    """One table for each grouping, one row for each of its groups, and a table `all` of one row.

    Args:
        answered: What became of the images.
        groupings: For each name the group of each image (N,); None and "" are unknown.
        orders: By the name of a grouping, the order of its groups.
        draws: How often the lesions of a group are resampled with replacement.
        seed: Of the resampling.
        level: Share of the draws inside the interval.

    Raises:
        InputError: The arguments do not fit each other.
    """
    lesion = lesion_numbers(answered.lesions, len(answered.right))
    tables = {"all": ["all"] * len(lesion), **groupings}
    return {
        name: [
            _row(answered, lesion, group, chosen, draws=draws, seed=seed, level=level)
            for group, chosen in members(name, groups, len(lesion), (orders or {}).get(name, ()))
        ]
        for name, groups in tables.items()
    }


def _row(
    answered: Answered, lesion: Integers, group: str, chosen: Integers, *, draws: int, seed: int, level: float
) -> Outcome:
    pairs = _pairs(*(values[chosen] for values in answered[:4]))
    found = lesion_shares(pairs, lesion[chosen], draws=draws, seed=seed, level=level)
    referred, accuracy, caught, safe, missed = found
    return {
        "group": group,
        "images": len(chosen),
        "lesions": len(np.unique(lesion[chosen])),
        "referred": referred,
        "accuracy_of_answers": accuracy,
        "caught": caught,
        "safe": safe,
        "missed_per_1000": missed,
    }


def _pairs(right: Booleans, referred: Booleans, suspected: Booleans, ought: Booleans) -> list[Pair]:
    """Hits and bases of the five outcomes."""
    everything = np.ones_like(right)
    return [
        (referred, everything),
        (right & ~referred, ~referred),
        (right | referred, everything),
        ((suspected | referred) & ought, ought),
        (1000 * (ought & ~suspected & ~referred), everything),
    ]
