"""Maps that know nothing of the network: what a method must beat to be worth showing."""

import cv2
import numpy as np

from transxv2s.explain.faithfulness.perturbation import Map

WIDTH = 0.25  # standard deviation of the Gaussian in shares of each side
GRID = 8  # cells a side of the random map, about the grid of a network's last maps


def random_map(shape: tuple[int, int], seed: int) -> Map:
    """Uniform noise on a coarse grid, enlarged as a heat map is: (H, W) between 0 and 1.

    Noise pixel by pixel would be easier to beat: a scattered tenth of the pixels hides nothing.
    """
    coarse = np.random.default_rng(seed).random((GRID, GRID), np.float32)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def centre(shape: tuple[int, int]) -> Map:
    """A Gaussian in the middle, where photographers put lesions: (H, W) between 0 and 1."""
    y, x = (np.square((np.arange(side) + 0.5) / side - 0.5) for side in shape)
    return np.exp(-(y[:, None] + x) / (2 * WIDTH**2)).astype(np.float32)


RANDOM, CENTRE = "random", "centre"
CONTROLS = (RANDOM, CENTRE)
