"""Hair and ruler marks, dark and light, are found, outlined and painted over from their surroundings.

The image is shrunk to WORKING_SIDE, where straight stripes are found (`stripes`) and judged (`selection`); at
full size each is outlined (`outline`) and filled (`filling`). Where nothing is found the very same array
comes back.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.imaging.hair.filling import disc, filled
from transxv2s.imaging.hair.outline import outlined
from transxv2s.imaging.hair.parameters import HairRemoval
from transxv2s.imaging.hair.selection import hair_lines

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]

WORKING_SIDE = 192
HALO = 0.004  # width of a hair's soft edge, as a share of the short side

__all__ = ["HairRemoval", "hair_is_visible", "hair_mask", "remove_hair"]


def hair_is_visible(rgb: Rgb, parameters: HairRemoval) -> bool:
    """Whether the image is large enough to show hair; smaller ones are skipped: their mask is empty."""
    return bool(min(rgb.shape[:2]) >= parameters.min_side)


def hair_mask(rgb: Rgb, parameters: HairRemoval) -> Mask:
    """Where there is hair or a ruler's mark.

    Args:
        rgb: uint8 (H, W, 3).
        parameters: See HairRemoval.

    Returns:
        bool (H, W); empty for images too small to show hair (see hair_is_visible).
    """
    nothing = np.zeros(rgb.shape[:2], np.bool_)
    if not hair_is_visible(rgb, parameters):
        return nothing
    small = _shrunk(rgb)
    dark, light = hair_lines(small, parameters)
    return outlined(rgb, small, dark, light, parameters) if (dark | light).any() else nothing


def remove_hair(rgb: Rgb, parameters: HairRemoval) -> Rgb:
    """Paints hair over from its surroundings; without hair the very same array comes back.

    Only the mask and its soft edge of HALO (at least one pixel) change.

    Args:
        rgb: uint8 (H, W, 3).
        parameters: See HairRemoval.
    """
    mask = hair_mask(rgb, parameters)
    if not mask.any():
        return rgb
    hole = cv2.dilate(mask.astype(np.uint8), disc(HALO * min(mask.shape)))
    result = rgb.copy()
    cv2.copyTo(np.rint(filled(rgb, hole > 0)).astype(np.uint8), hole, result)
    return result


def _shrunk(rgb: Rgb) -> Rgb:
    """The image with a short side of at most WORKING_SIDE pixels."""
    height, width = rgb.shape[:2]
    scale = WORKING_SIDE / min(height, width)
    if scale >= 1:
        return rgb
    size = round(width * scale), round(height * scale)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
