"""Shares and means in which each lesion counts once, with intervals over lesions."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from transxv2s.scoring.arrays import Floats, Integers, ratio
from transxv2s.scoring.bootstrap import DRAWS, LEVEL, Interval, bootstrap
from transxv2s.scoring.subgroups import MIN_LESIONS

Pair = tuple[npt.ArrayLike, npt.ArrayLike]


def lesion_shares(
    pairs: Sequence[Pair], lesion: Integers, *, draws: int = DRAWS, seed: int = 0, level: float = LEVEL
) -> list[Interval]:
    """Of each pair Σ hits / Σ bases over N images, an image of a lesion with m images weighing 1/m.

    Values are None where there is nothing to take a share of; few lesions give no interval.

    Args:
        pairs: Hits (N,) and bases (N,), each bool or a number; bases of 1 give means.
        lesion: Lesion of each image (N,), any numbers.
        draws: How often the lesions are resampled with replacement.
        seed: Of the resampling.
        level: Share of the draws inside the interval.
    """
    own = np.unique(lesion, return_inverse=True)[1]
    hits, bases = (_by_lesion([pair[side] for pair in pairs], own) for side in (0, 1))

    def shares(weights: Floats) -> Floats:
        return ratio(weights @ hits.T, weights @ bases.T)

    count = hits.shape[1]
    if count >= MIN_LESIONS:
        return bootstrap(shares, count, draws=draws, seed=seed, level=level)
    found = bootstrap(shares, count, draws=1, seed=seed, level=level)
    return [{"value": one["value"], "low": None, "high": None} for one in found]


def _by_lesion(values: Sequence[npt.ArrayLike], lesion: Integers) -> Floats:
    """Means of each of P values (N,) over the images of each lesion, numbered without gaps: (P, L)."""
    weight = 1 / np.bincount(lesion)[lesion]
    return np.array([np.bincount(lesion, weight * np.asarray(one)) for one in values])
