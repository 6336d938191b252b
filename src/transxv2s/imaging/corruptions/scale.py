"""Sizes of corruptions: lengths are those of an image whose short side has REFERENCE_SIDE pixels.

So an image is corrupted alike whatever size it comes in: corrupting and shrinking is about shrinking and
corrupting. What is smaller than a pixel of a small image is averaged, as shrinking the corrupted image would.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Reals = NDArray[np.float32]
Pixels = TypeVar("Pixels", NDArray[np.uint8], NDArray[np.float32])

REFERENCE_SIDE = 224  # MedMNIST-C's severities are for images of 224×224
LONGEST = 8  # times REFERENCE_SIDE: the long side of a strip is drawn together beyond it


def scale_of(rgb: Rgb) -> float:
    """Pixels of this image for one of the reference."""
    return float(min(rgb.shape[:2]) / REFERENCE_SIDE)


def clipped(values: NDArray[Any]) -> Rgb:
    """Rounded to 0..255."""
    return np.asarray(np.rint(np.clip(values, 0, 255)), np.uint8)


def resized(image: Pixels, height: int, width: int) -> Pixels:
    """(height, width, …); shrinking averages, enlarging keeps each pixel a block."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), image.dtype)


def at_reference(rgb: Rgb, change: Callable[[Rgb], Rgb]) -> Rgb:
    """Adds the difference that a change makes to the image at its reference size.

    Detail finer than that stays; an image whose short side is REFERENCE_SIDE becomes just change(rgb).

    Args:
        rgb: uint8 (H, W, 3).
        change: From uint8 (h, w, 3) to the same.
    """
    height, width = rgb.shape[:2]
    sides = (round(side / scale_of(rgb)) for side in (height, width))
    reference = resized(rgb, *(min(side, LONGEST * REFERENCE_SIDE) for side in sides))
    difference = change(reference).astype(np.float32) - reference
    return clipped(rgb + resized(difference, height, width))
