"""The largest central disc: angular frequencies of its texture on rings, whose size no turn changes.

A disc of the picture as it is, in true proportions: what was turned by some angle and then squashed is not
found.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.datasets.duplicates.quantised import packed, unpacked
from transxv2s.datasets.duplicates.texture import SIDE, square, texture

RINGS, ANGLES, HIGHEST = 12, 64, 12
REACH = 0.95 * (SIDE / 2 - 1)  # of the outermost ring, in pixels
RADII = REACH * (np.arange(RINGS) + 0.7) / RINGS
FINEST = 2.6 / (REACH / RINGS)  # angular frequencies a pixel of radius: what 32 pixels can show
# Which ring and which frequency, ordered by frequency; small rings have only low ones.
RING, FREQUENCY = np.array(
    [(r, k) for k in range(1, HIGHEST + 1) for r in range(RINGS) if k <= FINEST * RADII[r]]
).T
STARTS = np.searchsorted(FREQUENCY, np.arange(1, HIGHEST + 1))
COUNT = 2 * len(RING)
BYTES = 1 + -(-COUNT // 2)
TURNS = 96  # angles at which two discs are compared: the finest frequency has 8 a period
MIDDLE = (SIDE - 1) / 2
INSIDE = np.hypot(*(np.mgrid[:SIDE, :SIDE] - MIDDLE)) <= MIDDLE
_ANGLE = 2 * np.pi * np.arange(ANGLES) / ANGLES
X = (MIDDLE + RADII[:, None] * np.cos(_ANGLE)).astype(np.float32)
Y = (MIDDLE + RADII[:, None] * np.sin(_ANGLE)).astype(np.float32)
LEAST = 1e-3

Complex = NDArray[np.complex64]


def describe(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Share of the disc that is seen, then the frequencies: uint8 (BYTES,), of RGB uint8 (H, W, 3)."""
    contrast, seen = texture(square(_central_square(image)), INSIDE)
    rings = cv2.remap(contrast, X, Y, cv2.INTER_LINEAR)
    if float(np.sqrt(np.mean(rings**2))) < LEAST:
        seen = 0.0
    waves = (np.fft.rfft(rings, axis=1) * np.sqrt(RADII)[:, None])[RING, FREQUENCY]
    both = np.concatenate([waves.real, waves.imag]).astype(np.float32)
    return np.append(np.uint8(round(255 * seen)), packed(both))


def _central_square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def waves(discs: NDArray[np.uint8]) -> Complex:
    """Complex amplitudes (N, COUNT / 2) of unit norm, ordered by frequency, of (N, BYTES)."""
    values = unpacked(discs[:, 1:], COUNT)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values[:, : COUNT // 2] + 1j * values[:, COUNT // 2 :], np.complex64)


def magnitudes(amplitudes: Complex) -> NDArray[np.float32]:
    """Unit vectors (N, COUNT / 2) that neither turns nor flips change; alike for copies."""
    sizes = np.abs(amplitudes) * (FREQUENCY**0.25).astype(np.float32)
    sizes -= sizes.mean(axis=1, keepdims=True)
    return np.asarray(sizes / np.linalg.norm(sizes, axis=1, keepdims=True), np.float32)


def correlations(first: Complex, second: Complex) -> NDArray[np.float32]:
    """Row by row, the largest correlation over all turns of one disc and of its mirror image: (N,), −1..1.

    The cross-correlation theorem: over the angle, the correlation is the inverse Fourier transform of the
    products of the amplitudes, summed over the rings.
    """
    return np.maximum(_over_turns(first * second.conj()), _over_turns(first * second))


def _over_turns(products: Complex) -> NDArray[np.float32]:
    spectrum = np.zeros((len(products), TURNS // 2 + 1), np.complex64)
    spectrum[:, 1 : HIGHEST + 1] = np.add.reduceat(products, STARTS, axis=1)
    return np.asarray(np.fft.irfft(spectrum, TURNS, axis=1).max(axis=1) * (TURNS / 2), np.float32)
