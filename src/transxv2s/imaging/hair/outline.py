"""From a hair's middle, found in the small image, to its outline in the large one."""

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.imaging.hair.channels import dark_and_light
from transxv2s.imaging.hair.filling import disc, filled
from transxv2s.imaging.hair.parameters import HairRemoval

Rgb = NDArray[np.uint8]
Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]

ZONE = 0.014  # of the short side: a hair's outline is looked for within this distance of its middle
HALF = 0.5  # a pixel is hair where its contrast is at least half the hair's: half of it is covered
LEAST = np.uint8(6)  # grey levels that any pixel of a hair stands out


def outlined(rgb: Rgb, small: Rgb, dark: Mask, light: Mask, parameters: HairRemoval) -> Mask:
    """Pixels near the middles that stand out from the skin as it would be without hair.

    Args:
        rgb: uint8 (H, W, 3).
        small: The same, shrunk: uint8 (h, w, 3).
        dark: bool (h, w), middles of dark hairs.
        light: bool (h, w), middles of light hairs.
        parameters: See HairRemoval.

    Returns:
        bool (H, W).
    """
    wide = disc(ZONE * min(dark.shape))
    zones = [np.asarray(cv2.dilate(lines.astype(np.uint8), wide), np.uint8) for lines in (dark, light)]
    skin = np.rint(filled(small, (zones[0] | zones[1]) > 0)).astype(np.uint8)
    mask = np.zeros(rgb.shape[:2], np.uint8)
    for grey, bare, zone in zip(dark_and_light(rgb), dark_and_light(skin), zones, strict=True):
        if zone.any():
            mask |= _standing_out(grey, bare, zone, parameters.max_width)
    return mask > 0


def _standing_out(grey: Grey, bare: Grey, zone: Grey, max_width: float) -> Grey:
    """1 where, within the zone, the contrast to bare skin is at least half the largest nearby."""
    size = grey.shape[::-1]
    zone = np.asarray(cv2.resize(zone, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    contrast = cv2.subtract(cv2.resize(bare, size, interpolation=cv2.INTER_LINEAR), grey) * zone
    window = 2 * max(2, round(max_width * min(size))) + 1
    largest = cv2.blur(cv2.dilate(contrast, np.ones((window, window), np.uint8)), (window, window))
    least = np.maximum(cv2.convertScaleAbs(largest, alpha=HALF), LEAST)
    return np.asarray((contrast >= least) & zone, np.uint8)
