"""Rulers: rows of short parallel strokes at equal distances."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_TICKS = 5
MOST_STROKES = 120  # a picture with more short strokes shows texture, not a ruler
LENGTHS = (0.02, 0.16)  # of a tick, shares of the short side
GAPS = (0.012, 0.16)  # between ticks
SLENDER = 2.0  # length over width, at least
PARALLEL = 12.0  # degrees between neighbours, at most
ACROSS = 35.0  # degrees that a row may be slanted against its ticks' normal
MISPLACED = 0.35  # shares of the gap by which the next tick may miss its place


@dataclass(frozen=True)
class Strokes:
    """Short strokes: (N,) labels and angles in degrees, (N, 2) centres x, y."""

    labels: NDArray[np.intp]
    centres: Reals
    angles: Reals


def strokes(component: NDArray[np.int32], side: int) -> Strokes:
    """Components as long and as slender as a tick, by the second moments of their pixels."""
    rows, columns = np.nonzero(component)
    label = component[rows, columns]
    count = np.maximum(np.bincount(label), 1)

    def mean(values: NDArray[np.number[Any]]) -> Reals:
        return np.bincount(label, values) / count

    x, y = mean(columns), mean(rows)
    xx, yy = mean((columns - x[label]) ** 2) + 1 / 12, mean((rows - y[label]) ** 2) + 1 / 12
    xy = mean((columns - x[label]) * (rows - y[label]))
    spread = np.hypot(xx - yy, 2 * xy)
    length, width = (np.sqrt(6 * np.maximum(xx + yy + sign * spread, 0)) for sign in (1, -1))
    low, high = (share * side for share in LENGTHS)
    kept = np.flatnonzero((count > 1) & (length > low) & (length < high) & (length > SLENDER * width))
    return Strokes(kept, np.stack([x, y], 1)[kept], np.rad2deg(0.5 * np.arctan2(2 * xy, xx - yy))[kept])


def between(first: Reals, second: Reals) -> Reals:
    """Angle between two undirected lines, in degrees, 0 to 90."""
    difference = np.abs(first - second) % 180
    return np.asarray(np.minimum(difference, 180 - difference))


def rows(found: Strokes, side: int) -> set[int]:
    """Indices of the strokes that stand in a row of at least LEAST_TICKS."""
    step = found.centres[None] - found.centres[:, None]
    gap = np.hypot(step[..., 0], step[..., 1])
    direction = np.rad2deg(np.arctan2(step[..., 1], step[..., 0]))
    parallel = between(found.angles[None], found.angles[:, None]) < PARALLEL
    across = between(direction, found.angles[:, None] + 90) < ACROSS
    near = (gap > GAPS[0] * side) & (gap < GAPS[1] * side)
    ticks: set[int] = set()
    for first, second in np.argwhere(parallel & across & near):
        chain = [first, second]
        while (follower := _follower(found.centres, chain, parallel)) is not None:
            chain.append(follower)
        if len(chain) >= LEAST_TICKS:
            ticks.update(chain)
    return ticks


def _follower(centres: Reals, chain: list[int], parallel: Mask) -> int | None:
    """The stroke where the next tick should be."""
    last = centres[chain[-1]]
    step = last - centres[chain[-2]]
    miss = np.hypot(*(centres - last - step).T)
    miss[~parallel[chain[-1]]] = np.inf
    best = int(miss.argmin())
    return best if miss[best] < MISPLACED * np.hypot(*step) and best not in chain else None


def ruler_marks(short: Mask) -> Mask:
    """The ticks of rulers among short stripes.

    Args:
        short: bool (H, W), stripes of any length.
    """
    _, component = cv2.connectedComponents(short.astype(np.uint8), connectivity=8)
    found = strokes(np.asarray(component, np.int32), min(short.shape))
    if not LEAST_TICKS <= len(found.labels) <= MOST_STROKES:
        return np.zeros_like(short)
    return np.isin(component, found.labels[sorted(rows(found, min(short.shape)))])
