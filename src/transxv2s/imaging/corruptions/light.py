"""Light: brighter, darker, more and less contrast."""

import cv2
from numpy.random import Generator

from transxv2s.imaging.corruptions.scale import Rgb, clipped


def brightness(rgb: Rgb, _: Generator, factor: float) -> Rgb:
    """Multiplies all values."""
    return clipped(rgb * factor)


def contrast(rgb: Rgb, _: Generator, factor: float) -> Rgb:
    """Multiplies the distances to the image's mean grey (ITU-R BT.601 luma)."""
    mean = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).mean()
    return clipped(mean + factor * (rgb - mean))
