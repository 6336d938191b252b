"""Faults made in real images: each is what one of the notes on image quality is for."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from synthetic_hair import paint, walk
from transxv2s.imaging.corruptions import corrupt
from transxv2s.imaging.corruptions.noise import gaussian

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Fault = Callable[[Rgb, Mask, Generator], Rgb]

HAIRS = 2  # coats of up to 40 hairs
LOST = 0.45  # share of a lesion's area that a cut takes away
INSIDE = 0.5  # share of the lesion's own box that a frame within it keeps


def _bytes(values: NDArray[np.floating]) -> Rgb:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _gains(*gains: float) -> Fault:
    return lambda rgb, _, __: _bytes(rgb * np.array(gains))


def _blurred(rgb: Rgb, _: Mask, __: Generator) -> Rgb:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.03 * min(rgb.shape[:2])), np.uint8)


def _moved(rgb: Rgb, _: Mask, generator: Generator) -> Rgb:
    return corrupt(rgb, "motion_blur", 5, int(generator.integers(1000)))


def _dim(rgb: Rgb, _: Mask, __: Generator) -> Rgb:
    return _bytes(60 + 0.3 * (rgb - rgb.mean()))


def _hairy(rgb: Rgb, _: Mask, generator: Generator) -> Rgb:
    for _coat in range(HAIRS):
        rgb = paint(rgb, walk(generator, rgb.shape[1] / rgb.shape[0])).image
    return rgb


def _cut(rgb: Rgb, lesion: Mask, _: Generator) -> Rgb:
    """From the left, through the lesion."""
    columns = np.nonzero(lesion)[1]
    return rgb[:, int(np.quantile(columns, LOST)) :]


def _inside(rgb: Rgb, lesion: Mask, _: Generator) -> Rgb:
    """Only the middle of the lesion."""
    x, y, width, height = cv2.boundingRect(lesion.astype(np.uint8))
    margin = (1 - INSIDE) / 2
    top, left = round(y + margin * height), round(x + margin * width)
    return rgb[top : round(y + (1 - margin) * height), left : round(x + (1 - margin) * width)]


FAULTS: dict[str, Fault] = {
    "none": lambda rgb, _, __: rgb,
    "blurred, σ = 3 % of a side": _blurred,
    "moved, the strongest of MedMNIST-C": _moved,
    "noise, σ = 0.12 at 224 px": lambda rgb, _, generator: gaussian(rgb, generator, 0.12),
    "light × 0.15": _gains(0.15, 0.15, 0.15),
    "dim: mean 60, contrast × 0.3": _dim,
    "overexposed by 130": lambda rgb, _, __: _bytes(rgb + 130.0),
    "red × 0.5": _gains(0.5, 1, 1),
    "green × 0.5": _gains(1, 0.5, 1),
    "blue × 0.4": _gains(1, 1, 0.4),
    "without colours": lambda rgb, _, __: np.stack([cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)] * 3, 2),
    "hair painted on": _hairy,
    "lesion cut off at one side": _cut,
    "frame within the lesion": _inside,
}
