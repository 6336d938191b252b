"""Blurs; their kernels are in units of the reference size and drawn at the image's own."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from transxv2s.imaging.corruptions.scale import Reals, Rgb, clipped, scale_of

FINE = 8  # points of a disc for each pixel and axis
STEPS = 4  # points of a trail for each pixel of the reference
LARGEST_ANGLE = 45.0  # degrees that a trail may rise or fall


def defocus(rgb: Rgb, _: Generator, radius: float) -> Rgb:
    """Every point becomes a disc of this radius."""
    return _filtered(rgb, disc(radius * scale_of(rgb)))


def motion(rgb: Rgb, generator: Generator, radius: float, deviation: float) -> Rgb:
    """Every point leaves a trail of up to twice the radius that fades like a half Gaussian, as ImageMagick's.

    Its angle is drawn from −45° to 45°.
    """
    angle = np.deg2rad(generator.uniform(-LARGEST_ANGLE, LARGEST_ANGLE))
    along = np.arange(0, 2 * radius + 1 / STEPS, 1 / STEPS)
    weights = np.exp(-(along**2) / (2 * deviation**2))
    x, y = (scale_of(rgb) * along * f(angle) for f in (np.cos, np.sin))
    return _filtered(rgb, trail(x, y, weights))


def zoom(rgb: Rgb, _: Generator, largest: float, step: float) -> Rgb:
    """The mean of the image and of itself enlarged about its middle, by 1, 1 + step, … up to `largest`."""
    height, width = rgb.shape[:2]
    x, y = (width - 1) / 2, (height - 1) / 2
    factors = np.arange(1, largest + step / 2, step)
    total = rgb.astype(np.float32)
    for factor in factors:
        enlarging = np.array([[factor, 0, x * (1 - factor)], [0, factor, y * (1 - factor)]])
        total += cv2.warpAffine(rgb, enlarging, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return clipped(total / (len(factors) + 1))


def disc(radius: float) -> Reals:
    """A kernel of sum 1 whose pixels are worth as much as a disc of this radius covers of them."""
    reach = int(np.ceil(radius))
    fine = (np.arange(FINE * (2 * reach + 1)) + 0.5) / FINE - reach - 0.5
    inside = (fine[:, None] ** 2 + fine**2 <= radius**2).astype(np.float32)
    side = 2 * reach + 1
    covered = inside.reshape(side, FINE, side, FINE).mean(axis=(1, 3))
    total = covered.sum()
    return np.asarray(covered / total, np.float32) if total else np.ones((1, 1), np.float32)


def trail(x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]) -> Reals:
    """A kernel of sum 1 with weighted points (N,) at places off its middle, each shared by four pixels."""
    reach = int(np.ceil(max(np.abs(x).max(), np.abs(y).max()))) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float64)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for row, vertical in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, horizontal in ((left, 1 - (x - left)), (left + 1, x - left)):
            np.add.at(kernel, (row + reach, column + reach), weights * vertical * horizontal)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _filtered(rgb: Rgb, kernel: Reals) -> Rgb:
    """What lies beyond the border is mirrored."""
    return np.asarray(cv2.filter2D(rgb, -1, kernel, borderType=cv2.BORDER_REFLECT), np.uint8)
