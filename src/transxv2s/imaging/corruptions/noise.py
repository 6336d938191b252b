"""Noise with the grain of the reference size, so that shrinking a large image does not average it away."""

import numpy as np
from numpy.random import Generator

from transxv2s.imaging.corruptions.scale import Rgb, at_reference, clipped


def gaussian(rgb: Rgb, generator: Generator, deviation: float) -> Rgb:
    """Adds normal noise of this deviation, 1 being the whole range of a channel."""
    return at_reference(rgb, lambda x: clipped(x + 255 * deviation * generator.standard_normal(x.shape)))


def speckle(rgb: Rgb, generator: Generator, deviation: float) -> Rgb:
    """Multiplies by normal noise of mean 1 and this deviation."""
    return at_reference(rgb, lambda x: clipped(x * (1 + deviation * generator.standard_normal(x.shape))))


def shot(rgb: Rgb, generator: Generator, photons: float) -> Rgb:
    """Counts photons, Poisson distributed, of which a white pixel gets this many in each channel."""
    return at_reference(rgb, lambda x: clipped(generator.poisson(x * (photons / 255)) * (255 / photons)))


def impulse(rgb: Rgb, generator: Generator, share: float) -> Rgb:
    """Sets this share of all values, in each channel by itself, to 0 or 255."""

    def change(reference: Rgb) -> Rgb:
        hit = generator.random(reference.shape) < share
        extremes = 255 * generator.integers(0, 2, reference.shape, np.uint8)
        return np.where(hit, extremes, reference)

    return at_reference(rgb, change)
