"""Compares all pictures with all others and says which are the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from transxv2s.datasets.duplicates import disc, frame
from transxv2s.datasets.duplicates.fingerprints import Bytes, Fingerprints

# Evidence as in `_enough`. Chosen on the images of ISIC 2019 at even positions in order of their names: on
# pairs of them and planted copies of them; benchmarks/near_duplicates.py plants copies of the others.
FRAME_EVIDENCE, DISC_EVIDENCE = 1.0, 1.1
LIKELY = 0.55  # correlation of magnitudes from which the phases of two discs are compared
BLOCK = 32_000_000  # correlations held at once, 128 MB
AT_ONCE = 20_000  # discs compared at once

Floats = NDArray[np.float32]
Places = NDArray[np.intp]
Matches = dict[tuple[int, int], float]


@dataclass(frozen=True)
class Pair:
    """Two pictures that are the same.

    Attributes:
        first: Position in the set, or in the first of two sets.
        second: Position in the set, larger than `first`; or in the second of two sets.
        kind: "exact" for files of the same content, "near" for others.
        similarity: Correlation of the textures, 0..1; 1 for exact pairs.
    """

    first: int
    second: int
    kind: Literal["exact", "near"]
    similarity: float


def find_pairs(f: Fingerprints) -> list[Pair]:
    """All pairs of pictures in a set that are the same, ordered by position."""
    return _pairs(f, f, within=True)


def find_pairs_between(a: Fingerprints, b: Fingerprints) -> list[Pair]:
    """All pairs of a picture of `a` and a picture of `b` that are the same, ordered by position."""
    return _pairs(a, b, within=False)


def _pairs(a: Fingerprints, b: Fingerprints, *, within: bool) -> list[Pair]:
    near = _frames(a.frames, b.frames, within)
    if a.discs.size and b.discs.size:
        for places, value in _discs(a.discs, b.discs, within).items():
            near[places] = max(value, near.get(places, 0.0))
    found = {places: Pair(*places, "near", min(value, 1.0)) for places, value in near.items()}
    found |= {places: Pair(*places, "exact", 1.0) for places in _identical(a, b, within)}
    return [found[places] for places in sorted(found)]


def _identical(a: Fingerprints, b: Fingerprints, within: bool) -> Iterator[tuple[int, int]]:
    places: dict[bytes, list[int]] = {}
    for second, digest in enumerate(b.digests):
        places.setdefault(digest.tobytes(), []).append(second)
    for first, digest in enumerate(a.digests):
        for second in places.get(digest.tobytes(), ()):
            if first < second or not within:
                yield first, second


def _enough(correlation: Floats, seen: Floats, evidence: float) -> NDArray[np.bool_]:
    """Whether correlations are too high for chance, given how much of the pictures is seen.

    The Fisher transform of a chance correlation of n independent values has the deviation 1/√n. A picture of
    which a quarter is seen has fewer of them, but more than a quarter: what is seen is smaller and finer. The
    fourth root separates planted copies from other pairs better than the square root or none.

    Args:
        correlation: (N,), −1..1.
        seen: (N,), 0..1, the smaller share of the two pictures.
        evidence: What is enough for pictures that are seen as a whole.
    """
    return np.asarray(np.arctanh(np.minimum(correlation, 1 - 1e-6)) * seen**0.25 >= evidence)


def _frames(a: Bytes, b: Bytes, within: bool) -> Matches:
    """Correlations of those frames that are the same, by positions."""

    def rows(start: int, stop: int) -> Floats:
        return frame.dihedral(frame.vectors(a[start:stop]))

    found: Matches = {}
    for first, second, value in _above(rows, len(a), frame.vectors(b), np.tanh(FRAME_EVIDENCE), within):
        good = _enough(value, _seen(a[first], b[second]), FRAME_EVIDENCE)
        _add(found, first[good], second[good], value[good])
    return found


def _discs(a: Bytes, b: Bytes, within: bool) -> Matches:
    """Correlations of those discs that are the same, by positions."""
    left, right = disc.waves(a), disc.waves(b)
    sizes = disc.magnitudes(left)[None]

    def rows(start: int, stop: int) -> Floats:
        return sizes[:, start:stop]

    found: Matches = {}
    for likely in _above(rows, len(a), disc.magnitudes(right), LIKELY, within):
        for start in range(0, len(likely[0]), AT_ONCE):
            first, second = (places[start : start + AT_ONCE] for places in likely[:2])
            value = disc.correlations(left[first], right[second])
            good = _enough(value, _seen(a[first], b[second]), DISC_EVIDENCE)
            _add(found, first[good], second[good], value[good])
    return found


def _seen(first: Bytes, second: Bytes) -> Floats:
    """The smaller of the shares, 0..1, that the rows begin with: (N, K) twice to (N,)."""
    return np.minimum(first[:, 0], second[:, 0]).astype(np.float32) / np.float32(255)


def _add(found: Matches, first: Places, second: Places, value: Floats) -> None:
    """Adds pairs, each with its largest correlation."""
    for i, j, r in zip(first.tolist(), second.tolist(), value.tolist(), strict=True):
        found[i, j] = max(r, found.get((i, j), 0.0))


def _above(
    rows: Callable[[int, int], Floats], count: int, right: Floats, least: float, within: bool
) -> Iterator[tuple[Places, Places, Floats]]:
    """Positions and values of all scalar products of at least `least`, by blocks of rows.

    Args:
        rows: Gives (transforms, stop − start, K), for each row of the left side its transformed copies.
        count: Rows of the left side.
        right: (N, K).
        least: Smallest product that counts.
        within: Both sides are the same set, and each pair is wanted once.
    """
    step = max(1, BLOCK // (len(rows(0, 1)) * max(len(right), 1))) if count else 1
    for start in range(0, count, step):
        skipped = start if within else 0
        products = rows(start, start + step) @ right[skipped:].T
        transform, first, second = np.nonzero(products >= least)
        value = products[transform, first, second]
        first, second = first + start, second + skipped
        wanted = first < second if within else np.ones(len(first), np.bool_)
        yield first[wanted], second[wanted], value[wanted]
