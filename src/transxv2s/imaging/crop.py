"""Cropping: the dermatoscope's dark surround, if there is one, and a central fraction."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]

WORKING_SIDE = 128  # the circle is looked for in a copy of this size
DARK_SHARE_OF_OTSU = 0.4  # darker than this share of Otsu's threshold is outside the field of view
DARK_CORNERS = 3  # of four; a dark lesion at the border reaches fewer
CORNER = 0.04  # side of a corner patch
MIN_DARK_AREA = 0.02  # less is not worth a crop
ALLOWED_DARK_AREA = 0.01  # of the crop
SMALLEST_CROP = 0.6  # of each side of the circle's box; tighter crops would lose the lesion


class Box(NamedTuple):
    """A rectangle in shares of the image's sides, 0..1."""

    top: float
    bottom: float
    left: float
    right: float


def _inside(rgb: Rgb) -> NDArray[np.uint8]:
    """The field of view, 1 inside and 0 in the dark surround, on a square of WORKING_SIDE."""
    small = cv2.resize(rgb, (WORKING_SIDE, WORKING_SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.GaussianBlur(small.max(axis=2), (5, 5), 0)
    otsu, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    bright = (grey > DARK_SHARE_OF_OTSU * otsu).astype(np.uint8)
    outlines, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(bright)
    if outlines:
        cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return np.asarray(filled, dtype=np.uint8)


def _dark_corners(inside: NDArray[np.uint8]) -> int:
    n = max(1, round(CORNER * WORKING_SIDE))
    patches = (inside[:n, :n], inside[:n, -n:], inside[-n:, :n], inside[-n:, -n:])
    return sum(patch.mean() < 0.5 for patch in patches)


def field_of_view(rgb: Rgb) -> Box | None:
    """The largest box around the middle of the dermatoscope's circle that is free of its dark surround.

    Args:
        rgb: uint8 (H, W, 3).

    Returns:
        None where no dark surround was found, or where the box would become too small.
    """
    inside = _inside(rgb)
    if 1 - inside.mean() < MIN_DARK_AREA or _dark_corners(inside) < DARK_CORNERS or not inside.any():
        return None
    left, top, width, height = cv2.boundingRect(inside)
    for percent in range(100, round(100 * SMALLEST_CROP) - 1, -2):
        trim = (1 - percent / 100) / 2
        y0, y1 = round(top + trim * height), round(top + (1 - trim) * height)
        x0, x1 = round(left + trim * width), round(left + (1 - trim) * width)
        if 1 - inside[y0:y1, x0:x1].mean() <= ALLOWED_DARK_AREA:
            return Box(y0 / WORKING_SIDE, y1 / WORKING_SIDE, x0 / WORKING_SIDE, x1 / WORKING_SIDE)
    return None


def cut(rgb: Rgb, box: Box) -> Rgb:
    """The pixels of a box (at least one)."""
    height, width = rgb.shape[:2]
    y0, x0 = round(box.top * height), round(box.left * width)
    return rgb[y0 : max(y0 + 1, round(box.bottom * height)), x0 : max(x0 + 1, round(box.right * width))]


def central(rgb: Rgb, fraction: float) -> Rgb:
    """The central part that keeps this fraction of each side.

    Args:
        rgb: uint8 (H, W, 3).
        fraction: In (0, 1]; 1 gives the image itself.
    """
    trim = (1 - fraction) / 2
    return cut(rgb, Box(trim, 1 - trim, trim, 1 - trim))
