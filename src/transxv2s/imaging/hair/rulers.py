"""Rulers: rows of short parallel strokes at equal distances."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.imaging.hair.stripes import segment

Reals = NDArray[np.float64]
Mask = NDArray[np.bool_]
Mask8 = NDArray[np.uint8]

LEAST_TICKS = 5
MOST_STROKES = 120  # a picture with more short strokes shows texture, not a ruler
LENGTHS = (0.02, 0.16)  # of a tick, shares of the short side
GAPS = (0.012, 0.16)  # between ticks
SLENDER = 2.0  # length over width, at least
PARALLEL = 12.0  # degrees between neighbours, at most
ACROSS = 35.0  # degrees that a row may be slanted against its ticks' normal
FAINT = 0.4  # share of the contrast that further ticks in a row need
BAND = 2.0  # width of a row, in ticks: every fifth or tenth is longer, to one side
STEEP = 0.5  # share of a tick's length over which further ones have its direction
MISPLACED = 0.35  # shares of the gap by which the next tick may miss its place


@dataclass(frozen=True)
class Strokes:
    """Short strokes: (N,) labels, angles in degrees and lengths in pixels, (N, 2) centres x, y."""

    labels: NDArray[np.intp]
    centres: Reals
    angles: Reals
    lengths: Reals


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
    angle = np.rad2deg(0.5 * np.arctan2(2 * xy, xx - yy))
    return Strokes(kept, np.stack([x, y], 1)[kept], angle[kept], length[kept])


def between(first: Reals, second: Reals) -> Reals:
    """Angle between two undirected lines, in degrees, 0 to 90."""
    difference = np.abs(first - second) % 180
    return np.asarray(np.minimum(difference, 180 - difference))


def rows(found: Strokes, side: int) -> list[list[int]]:
    """Rows of at least LEAST_TICKS strokes, as their indices; no two neighbours begin a second one."""
    step = found.centres[None] - found.centres[:, None]
    gap = np.hypot(step[..., 0], step[..., 1])
    direction = np.rad2deg(np.arctan2(step[..., 1], step[..., 0]))
    parallel = between(found.angles[None], found.angles[:, None]) < PARALLEL
    across = between(direction, found.angles[:, None] + 90) < ACROSS
    near = (gap > GAPS[0] * side) & (gap < GAPS[1] * side)
    result: list[list[int]] = []
    for first, second in np.argwhere(parallel & across & near).tolist():
        if any({first, second} <= set(row) for row in result):
            continue
        chain = [first, second]
        while (follower := _follower(found.centres, chain, parallel)) is not None:
            chain.append(follower)
        if len(chain) >= LEAST_TICKS:
            result.append(chain)
    return result


def _follower(centres: Reals, chain: list[int], parallel: Mask) -> int | None:
    """The stroke where the next tick should be."""
    last = centres[chain[-1]]
    step = last - centres[chain[-2]]
    miss = np.hypot(*(centres - last - step).T)
    miss[~parallel[chain[-1]]] = np.inf
    best = int(miss.argmin())
    return best if miss[best] < MISPLACED * np.hypot(*step) and best not in chain else None


def ruler_marks(short: NDArray[np.float32], network: Mask, contrast: float) -> Mask:
    """The ticks of rulers among short stripes; those beside a row that was found may be fainter.

    Args:
        short: float32 (H, W), contrast of short stripes, see Stripes.
        network: bool (H, W), where no row is looked for.
        contrast: How much a tick stands out.

    Returns:
        bool (H, W).
    """
    side = min(short.shape)
    _, component = cv2.connectedComponents(((short > contrast) & ~network).astype(np.uint8), connectivity=8)
    found = strokes(np.asarray(component, np.int32), side)
    marks = np.zeros(short.shape, np.uint8)
    if LEAST_TICKS <= len(found.labels) <= MOST_STROKES:
        faint = (short > FAINT * contrast).astype(np.uint8)
        for row in rows(found, side):
            marks |= np.isin(component, found.labels[row]) | _along(faint, found, row)
    return marks > 0


def _along(faint: Mask8, found: Strokes, row: list[int]) -> Mask8:
    """Stripes as steep as the row's ticks on the line through them, all across the image."""
    first, last = found.centres[row[0]], found.centres[row[-1]]
    reach = 2 * max(faint.shape) * (last - first) / np.hypot(*(last - first))
    tick = float(np.median(found.lengths[row]))
    ends = [np.rint(point).astype(int).tolist() for point in (first - reach, last + reach)]
    band = np.zeros_like(faint)
    cv2.line(band, ends[0], ends[1], 1, max(1, round(BAND * tick)))
    along = segment(max(2, round(STEEP * tick)), round(found.angles[row[0]]) % 180)
    return np.asarray(cv2.morphologyEx(faint & band, cv2.MORPH_OPEN, along), np.uint8)
