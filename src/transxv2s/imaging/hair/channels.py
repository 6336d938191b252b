"""The grey images in which hair is dark."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = TypeVar("Pixels", NDArray[np.uint8], NDArray[np.float32])


def dark_and_light(rgb: Pixels) -> tuple[Pixels, Pixels]:
    """Two images (H, W): dark hair is dark in the first, light hair in the second.

    Dark hair is dark in every channel, also in the brightest, where vessels and brown networks, which are
    red, hardly show. White and grey hair is bright in every channel, also in the darkest, here inverted.
    """
    red, green, blue = cv2.split(rgb)
    dark = cv2.max(cv2.max(red, green), blue)
    light = cv2.subtract(np.full_like(red, 255), cv2.min(cv2.min(red, green), blue))
    return np.asarray(dark, rgb.dtype), np.asarray(light, rgb.dtype)
