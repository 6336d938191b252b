"""The common baseline: black-hat, threshold, Telea (after "DullRazor", Lee et al. 1997)."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class BlackHat(NamedTuple):
    """Parameters of the baseline.

    Attributes:
        kernel: Side of the square kernel as a share of the image's short side.
        threshold: Of the black-hat, in grey levels.
        blur: Side of the Gaussian that takes noise off the black-hat; 1 takes none.
        grow: Pixels at 450 that the filled region is wider than the mask.
        radius: Of Telea's inpainting, in pixels.
    """

    kernel: float
    threshold: int
    blur: int
    grow: int
    radius: int


GRID = [
    BlackHat(kernel, threshold, blur, grow, radius)
    for kernel in (0.02, 0.03, 0.04, 0.06)
    for threshold in (8, 12, 18, 26, 36)
    for blur in (1, 3)
    for grow in (0, 1, 2)
    for radius in (1, 3)
]


def black_hat_mask(rgb: Rgb, parameters: BlackHat) -> Mask:
    """Dark structures narrower than the kernel, bool (H, W)."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    side = max(3, round(parameters.kernel * min(grey.shape)) | 1)
    hat = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((side, side), np.uint8))
    if parameters.blur > 1:
        hat = cv2.GaussianBlur(hat, (parameters.blur, parameters.blur), 0)
    return np.asarray(hat > parameters.threshold)


def black_hat_filled(rgb: Rgb, mask: Mask, parameters: BlackHat) -> Rgb:
    """The image with mask and edge inpainted."""
    hole = mask.astype(np.uint8)
    if grow := round(parameters.grow * min(mask.shape) / 450):
        hole = np.asarray(cv2.dilate(hole, np.ones((2 * grow + 1, 2 * grow + 1), np.uint8)), np.uint8)
    return np.asarray(cv2.inpaint(rgb, hole, parameters.radius, cv2.INPAINT_TELEA), np.uint8)
