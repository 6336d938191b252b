"""Hair removal: thin dark lines are found by black-hat morphology and painted over (DullRazor's idea).

A thin dark stripe is hair only where it goes on straight for a while: the meshes of a pigment network turn
sooner, dots and vessels are shorter. Where nothing is found the image comes back as it is.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]

STRIPE_ANGLES = (0, 45, 90, 135)
STRAIGHT_ANGLES = tuple(range(0, 180, 15))


class HairRemoval(BaseModel):
    """Parameters of hair removal; lengths are shares of the image's short side.

    Attributes:
        min_side: Smaller images, in which a hair is thinner than a pixel, are left alone.
        max_width: Widest stripe that can be hair.
        contrast: How much darker than its surroundings a hair is, in grey levels.
        straight: A hair is nearly straight over this length.
        min_length: Shortest hair, or bundle of crossing hairs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_side: int = Field(default=100, ge=1)
    max_width: float = Field(default=0.045, gt=0, lt=1)
    contrast: int = Field(default=15, ge=1, le=255)
    straight: float = Field(default=0.13, gt=0, lt=1)
    min_length: float = Field(default=0.2, gt=0)


def _line(length: int, angle: int) -> NDArray[np.uint8]:
    """A line through the middle of a (length, length) kernel."""
    kernel = np.zeros((length, length), np.uint8)
    middle, radius = length // 2, length / 2
    dx, dy = np.cos(np.deg2rad(angle)) * radius, np.sin(np.deg2rad(angle)) * radius
    ends = [(round(middle + sign * dx), round(middle + sign * dy)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1)
    return kernel


def hair_mask(rgb: Rgb, parameters: HairRemoval) -> Mask:
    """Where there is hair.

    Args:
        rgb: uint8 (H, W, 3).
        parameters: See HairRemoval.

    Returns:
        bool (H, W).
    """
    side = min(rgb.shape[:2])
    if side < parameters.min_side:
        return np.zeros(rgb.shape[:2], np.bool_)
    grey = np.asarray(rgb.max(axis=2))  # hair is dark in every channel; vessels and brown networks are red
    width, straight = (
        max(3, round(share * side)) | 1 for share in (parameters.max_width, parameters.straight)
    )
    stripes = [cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, _line(width, a)) for a in STRIPE_ANGLES]
    dark = (np.max(stripes, axis=0) > parameters.contrast).astype(np.uint8)
    lines = [cv2.morphologyEx(dark, cv2.MORPH_OPEN, _line(straight, a)) for a in STRAIGHT_ANGLES]
    return _long(np.max(lines, axis=0), parameters.min_length * side)


def _long(candidates: NDArray[np.uint8], length: float) -> Mask:
    """The connected components whose bounding box has a diagonal of at least this length in pixels."""
    _, component, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8)
    keep = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) >= length
    keep[0] = False  # the background
    mask: Mask = keep[component]
    return mask


def remove_hair(rgb: Rgb, parameters: HairRemoval) -> Rgb:
    """Paints hair over from its surroundings (Telea 2004); without hair the very same array comes back.

    Args:
        rgb: uint8 (H, W, 3).
        parameters: See HairRemoval.
    """
    mask = hair_mask(rgb, parameters)
    if not mask.any():
        return rgb
    wide = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(cv2.inpaint(rgb, wide, 3, cv2.INPAINT_TELEA), dtype=np.uint8)
