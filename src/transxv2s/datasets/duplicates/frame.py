"""The whole frame: low spatial frequencies of its texture, and how flips and quarter turns act on them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.datasets.duplicates.quantised import packed, unpacked
from transxv2s.datasets.duplicates.texture import SIDE, square, texture

HIGHEST = 20  # sum of both cosine frequencies; JPEG at quality 30 spoils those above
V, H = np.array([(v, h) for v in range(SIDE) for h in range(SIDE) if 0 < v + h <= HIGHEST]).T
WHITENING = np.hypot(V, H) ** 0.5  # amplitudes of textures fall with frequency; finer ones tell more
COUNT = len(V)
BYTES = 1 + -(-COUNT // 2)
EVERYWHERE = np.ones((SIDE, SIDE), np.bool_)
LEAST = 1e-3  # root mean square of a texture; below it the picture is blank


def describe(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Share of the frame that is seen, then the frequencies: uint8 (BYTES,), of RGB uint8 (H, W, 3)."""
    contrast, seen = texture(square(image), EVERYWHERE)
    if float(np.sqrt(np.mean(contrast**2))) < LEAST:
        seen = 0.0
    return np.append(np.uint8(round(255 * seen)), packed(cv2.dct(contrast)[V, H] * WHITENING))


def vectors(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unit vectors (N, COUNT) whose scalar products are correlations, of (N, BYTES)."""
    values = unpacked(frames[:, 1:], COUNT)
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True), np.float32)


def dihedral(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors of all 8 flips and quarter turns of each picture: (N, COUNT) to (8, N, COUNT).

    A flip reverses a cosine series, cos(πk(SIDE − 1 − x + ½)/SIDE) = (−1)^k cos(πk(x + ½)/SIDE); the main
    diagonal swaps both frequencies.
    """
    place = {pair: position for position, pair in enumerate(zip(V.tolist(), H.tolist(), strict=True))}
    transposed = values[:, [place[h, v] for v, h in place]]
    signs = [np.where((V * up + H * left) % 2, -1, 1) for up in (0, 1) for left in (0, 1)]
    return np.stack([side * sign for side in (values, transposed) for sign in signs]).astype(np.float32)
