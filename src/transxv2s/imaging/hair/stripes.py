"""Straight stripes: darker than both sides, and on for a while.

The image is averaged along each of ANGLES directions over a short way and compared with its own parallels on
either side; the smaller difference counts, so that an edge, which has one dark side only, gives nothing (the
idea of the line operators of Zwiggelaar et al. 2004 and of DullRazor's oriented closings). A morphological
opening along the direction keeps what goes on straight. A stripe is measured against the grain of the skin
around it: what is faint on smooth skin would be nothing on coarse skin.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Reals = NDArray[np.float32]

ANGLES = tuple(range(0, 180, 15))
# Lengths are shares of the short side.
GAIN = 4  # contrasts are computed in quarters of a grey level, in 8 bits, which are fast
CLOSED = 0.06  # gaps of this length, where hairs cross, are bridged
AVERAGED = 0.035  # along the stripe, against noise
SHORT = 0.024  # ticks of a ruler, ends and bends of hair
SHORTEST = 0.016  # the sides of a pigment network's meshes
SOLID = 0.08  # more than a dot or a network's mesh
WINDOW = 1 / 6  # that a pixel's surroundings are taken from
WIDE_COUNTS = 0.5  # of structure in skin there is more the coarser it is
FINE = 2.0  # pixels, standard deviation of the Gaussian that grain is finer than
TYPICAL = 1.35  # from the median deviation to about the mean
MOST_GRAIN = 7.0  # more is a network, which `meshes` tells from hair, or dense hair itself
LEAST_GRAIN = 1.0  # grey levels: rounding alone gives some


@cache
def segment(length: int, angle: int) -> Grey:
    """A line of about this length through the middle of an odd square kernel; 1 on the line."""
    radius = max(length // 2, 1)
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.uint8)
    along = np.linspace(-radius, radius, 4 * radius + 1)
    turn = np.deg2rad(angle)
    rows, columns = (np.rint(radius + along * f(turn)).astype(int) for f in (np.sin, np.cos))
    kernel[rows, columns] = 1
    return kernel


def flattened(grey: Grey, window: int) -> Grey:
    """GAIN times the difference to the mean of a window, around 128."""
    mean = cv2.blur(grey, (window, window))
    return np.asarray(cv2.addWeighted(grey, GAIN, mean, -GAIN, 128), np.uint8)


def padded_for(grey: Grey, margin: int, angle: int) -> Grey:
    """With what lies beyond the border: what is at the border, or nothing bright.

    So a slanted hair is found up to the border, and a thin frame around the image is no stripe.
    """
    beyond = cv2.BORDER_REPLICATE if angle % 90 else cv2.BORDER_CONSTANT
    return np.asarray(cv2.copyMakeBorder(grey, margin, margin, margin, margin, beyond, value=0), np.uint8)


def below_both_sides(padded: Grey, margin: int, angle: int, distances: tuple[int, ...]) -> Grey:
    """How much darker than its two parallels each pixel is; the farther parallels count less."""
    height, width = (side - 2 * margin for side in padded.shape)
    middle = padded[margin : margin + height, margin : margin + width]
    best = np.zeros((height, width), np.uint8)
    for number, distance in enumerate(distances):
        x, y = (round(distance * f(np.deg2rad(angle + 90))) for f in (np.cos, np.sin))
        sides = [
            padded[margin + s * y : margin + s * y + height, margin + s * x : margin + s * x + width]
            for s in (-1, 1)
        ]
        below = cv2.subtract(cv2.min(*sides), middle)
        best = cv2.max(best, cv2.convertScaleAbs(below, alpha=WIDE_COUNTS) if number else below)
    return best


def grain(flat: Grey, window: int) -> Reals:
    """Typical deviation from a slightly blurred image, in grey levels.

    The median over a window is the skin's own, or the pigment network's, as long as hair covers less than
    half.

    Args:
        flat: uint8 (H, W), see flattened.
        window: Odd side of the window in pixels.

    Returns:
        float32 (H, W).
    """
    fine = cv2.absdiff(flat, cv2.GaussianBlur(flat, (0, 0), FINE))
    half = np.ascontiguousarray(fine[::2, ::2])  # every second pixel is enough for a median, and faster
    median = cv2.blur(cv2.medianBlur(half, window // 2 | 1), (5, 5)).astype(np.float32)
    return np.asarray(np.minimum(cv2.resize(median, flat.shape[::-1]) * (TYPICAL / GAIN), MOST_GRAIN))


@dataclass(frozen=True)
class Stripes:
    """Contrast of dark stripes to the grain around them, float32 (H, W), at least 0.

    Attributes:
        long: Straight over the length asked for, gaps bridged.
        short: Straight over SHORT, gaps bridged.
        bare: Straight over SHORTEST, with the gaps they have.
        solid: Straight over SOLID without a gap.
    """

    long: Reals
    short: Reals
    bare: Reals
    solid: Reals


def stripes(grey: Grey, distances: tuple[int, ...], straight: int) -> Stripes:
    """Finds dark stripes.

    Args:
        grey: uint8 (H, W).
        distances: To the parallels compared with, in pixels, the nearest first.
        straight: Length of long stripes in pixels.
    """
    side, margin = min(grey.shape), max(distances) + 1
    window = round(WINDOW * side) | 1
    flat = flattened(grey, window)
    averaged_length, closed, *openings = (
        max(2, round(share * side)) for share in (AVERAGED, CLOSED, SHORT, SHORTEST, SOLID)
    )
    best = np.zeros((4, *grey.shape), np.uint8)
    for angle in ANGLES:
        kernel = segment(averaged_length, angle).astype(np.float32)
        averaged = cv2.filter2D(flat, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
        padded = padded_for(np.asarray(averaged, np.uint8), margin, angle)
        gaps = below_both_sides(padded, margin, angle, distances)
        bridged = cv2.morphologyEx(gaps, cv2.MORPH_CLOSE, segment(closed, angle))
        for result, below, length in zip(
            best, (bridged, bridged, gaps, gaps), (straight, *openings), strict=True
        ):
            opened = cv2.morphologyEx(below, cv2.MORPH_OPEN, segment(length, angle))
            cv2.max(result, opened, dst=result)
    scale = 1 / GAIN / (LEAST_GRAIN + grain(flat, window))
    return Stripes(*(result * scale for result in best))
