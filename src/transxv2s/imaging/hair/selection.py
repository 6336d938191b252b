"""Which of the stripes are hair: long ones that stand out and no network, and what goes on from them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.imaging.hair.channels import dark_and_light
from transxv2s.imaging.hair.meshes import meshes
from transxv2s.imaging.hair.parameters import HairRemoval
from transxv2s.imaging.hair.rulers import ruler_marks
from transxv2s.imaging.hair.stripes import Stripes, stripes

Mask = NDArray[np.bool_]

LIGHT = 1.15  # times the contrast: gel, scales and reflections look like light hair
WEAK = 0.53  # shares of the contrast: where a hair may fade to,
FURTHER = 0.8  # what suffices for another hair in an image that has one,
BRANCH = 0.67  # for ends and bends, too short to be found alone,
MESH = 0.3  # and for the sides of a network's meshes
CLEAR = 1.67  # multiples of the contrast: a hair that stands out so much need not be longer than min_length
MESHED = 0.65  # share of a stripe's pixels that lie beside small holes, in a network
SOLID = 0.2  # share of a stripe's pixels that are no gap between dots
NEAR = 2  # pixels to the parallels of a thin hair


def hair_lines(rgb: NDArray[np.uint8], parameters: HairRemoval) -> tuple[Mask, Mask]:
    """Middles of dark and of light hairs; those of dark ruler marks are among the first.

    Args:
        rgb: uint8 (H, W, 3) of about 150 to 200 pixels a side.
        parameters: See HairRemoval.

    Returns:
        Two bool (H, W).
    """
    side, contrast = min(rgb.shape[:2]), parameters.contrast
    distances = NEAR, max(NEAR + 1, round(parameters.max_width * side))
    straight = max(2, round(parameters.straight * side))
    dark, light = (stripes(grey, distances, straight) for grey in dark_and_light(rgb))
    network = meshes(dark.bare > MESH * contrast)
    marks = ruler_marks((dark.short > contrast) & ~network)
    dark_hair, light_hair = (
        _hair(found, network, least, parameters.min_length)
        for found, least in ((dark, contrast), (light, LIGHT * contrast))
    )
    return dark_hair | marks, light_hair


def _hair(found: Stripes, network: Mask, contrast: float, min_length: float) -> Mask:
    """Connected stripes whose length times mean contrast reaches the shortest clear hair's; their ends."""
    weak = found.long > WEAK * contrast
    count, component, stats, _ = cv2.connectedComponentsWithStats(weak.astype(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) / min(weak.shape)
    capped = np.minimum(found.long[weak] / contrast, CLEAR)
    evidence = length * np.bincount(component[weak], capped, count) / area / (CLEAR * min_length)
    evidence[np.bincount(component[network], minlength=count) > MESHED * area] = 0
    solid = weak & (found.solid > WEAK * contrast)
    evidence[np.bincount(component[solid], minlength=count) < SOLID * area] = 0

    def reaches(share: float) -> Mask:
        peaks = np.bincount(component[found.long > share * contrast], minlength=count) > 0
        return np.asarray((evidence >= share) & peaks)

    if not reaches(1).any():
        return np.zeros_like(weak)
    hair = np.asarray(reaches(FURTHER)[component])
    return _with_branches(hair, found.short > BRANCH * contrast)


def _with_branches(hair: Mask, short: Mask) -> Mask:
    """Hair and the short stripes that are connected with it."""
    count, component = cv2.connectedComponents((hair | short).astype(np.uint8), connectivity=8)
    touched = np.bincount(component[hair], minlength=count) > 0
    return np.asarray(touched[component])
