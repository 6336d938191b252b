"""Pigment networks: ridges around small holes, which hair surrounds only here and there."""

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

LARGEST = 0.11  # extent of a hole, a share of the short side; gaps between parallel hairs are longer
SMALLEST = 3  # pixels of a hole
BESIDE = 3  # pixels from a hole to the ridge's far side


def meshes(ridges: Mask) -> Mask:
    """The small holes between ridges, with the ridges around them.

    Args:
        ridges: bool (H, W).

    Returns:
        bool (H, W).
    """
    _, region, stats, _ = cv2.connectedComponentsWithStats((~ridges).astype(np.uint8), connectivity=4)
    extent = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    small = (stats[:, cv2.CC_STAT_AREA] >= SMALLEST) & (extent < LARGEST * min(ridges.shape))
    small[0] = False  # the ridges themselves
    beside = np.ones((2 * BESIDE + 1, 2 * BESIDE + 1), np.uint8)
    return np.asarray(cv2.dilate(small[region].astype(np.uint8), beside) > 0)
