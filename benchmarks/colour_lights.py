"""Known lights for the colour benchmarks: casts, gains, vignettes, dark corners and highlights, as bytes."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from colour_methods import Rgb

Values = NDArray[np.float64]
Generator = np.random.Generator
Disturbance = Callable[[Rgb, Generator], Rgb]


def as_bytes(values: Values) -> Rgb:
    """Rounded, as a camera would store it."""
    return np.asarray(np.rint(values).clip(0, 255), np.uint8)


def illuminant(generator: Generator) -> Values:
    """A warmer or colder light: red and blue change against each other, by up to ±30 %; none above 1."""
    tilt = generator.uniform(-0.3, 0.3)
    gains = np.exp([tilt, generator.normal(0, 0.03), -tilt])
    return np.asarray(gains / gains.max())


def gains(generator: Generator) -> Values:
    """Each channel dimmed on its own, by up to half."""
    return generator.uniform(0.5, 1, 3)


def vignette(rgb: Rgb, generator: Generator) -> Rgb:
    """Light that falls off from a place near the middle to 40–70 % in the corners."""
    fall = generator.uniform(0.3, 0.6)
    return as_bytes(rgb * (1 - fall * _radius(rgb, generator) ** 2)[..., None])


def dark_corners(rgb: Rgb, generator: Generator) -> Rgb:
    """The dermatoscope's circle, which leaves all four corners dark."""
    edge, level = generator.uniform(0.75, 0.9), generator.uniform(0, 25)
    seen = 1 / (1 + np.exp((_radius(rgb, generator) - edge) * 60))[..., None]
    return as_bytes(seen * rgb + (1 - seen) * level)


def highlights(rgb: Rgb, generator: Generator) -> Rgb:
    """White spots with soft edges on 1–4 % of the image."""
    height, width = rgb.shape[:2]
    spots = np.zeros((height, width))
    share = generator.uniform(0.01, 0.04)
    while spots.mean() < share:
        middle = (int(generator.integers(width)), int(generator.integers(height)))
        axes = (int(generator.integers(1, 9)), int(generator.integers(1, 9)))
        cv2.ellipse(spots, middle, axes, float(generator.uniform(0, 180)), 0, 360, (1.0,), cv2.FILLED)
    soft: Values = np.asarray(cv2.GaussianBlur(spots, (0, 0), 1.0), np.float64)[..., None]
    return as_bytes((1 - soft) * rgb + soft * 255)


DISTURBANCES: dict[str, Disturbance] = {
    "vignette": vignette,
    "dark corners": dark_corners,
    "highlights": highlights,
}


def _radius(rgb: Rgb, generator: Generator) -> Values:
    """Distance from a place near the middle; 1 in the corners."""
    height, width = rgb.shape[:2]
    y, x = generator.uniform(-0.05, 0.05, 2)
    rows = (np.arange(height)[:, None] + 0.5) / height - 0.5 - y
    columns = (np.arange(width)[None] + 0.5) / width - 0.5 - x
    return np.asarray(2 * np.hypot(rows * height, columns * width) / np.hypot(height, width))
