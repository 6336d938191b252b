"""Which of the stripes are hair: long ones that stand out and no network, and what goes on from them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.imaging.hair.channels import dark_and_light
from transxv2s.imaging.hair.meshes import meshes
from transxv2s.imaging.hair.parameters import HairRemoval
from transxv2s.imaging.hair.rulers import ruler_marks
from transxv2s.imaging.hair.stripes import Stripes, stripes

Mask = NDArray[np.bool_]

LIGHT = 1.1  # times the contrast: gel, scales and reflections look like light hair,
LONGER = 1.36  # times the length: and are short
WEAK = 0.53  # shares of the contrast: where a hair may fade to,
BRANCH = 0.5  # for ends and bends, too short to be found alone,
MESH = 0.3  # and for the sides of a network's meshes
CLEAR = 1.67  # multiples of the contrast: a hair that stands out so much need not be longer than min_length
ADDED = 3  # exponent of the sum of evidence: stripes, each a little too faint, make up for it together
ENOUGH = 1.4  # sum of evidence of all stripes of an image in which there is hair
FURTHER = 0.3  # evidence that suffices for another hair where there is hair of its shade, dark or light,
OTHER = 0.7  # and where there is hair of the other shade only
MESHED = 0.65  # share of a stripe's pixels that lie beside small holes, in a network
SOLID = 0.2  # share of a stripe's pixels that are no gap between dots
NEAR = 2  # pixels to the parallels of a thin hair


@dataclass(frozen=True)
class Judged:
    """Connected stripes.

    Attributes:
        component: int32 (H, W), 0 where there is none.
        evidence: (N,) by component; 1 is what a hair needs that is alone.
        short: bool (H, W), short stripes that may be its ends.
    """

    component: NDArray[np.int32]
    evidence: NDArray[np.float64]
    short: Mask

    def total(self) -> float:
        """Evidence of all stripes together; an image with hair has ENOUGH of it."""
        return float((self.evidence**ADDED).sum())

    def hair(self) -> Mask:
        """Those with enough evidence in an image with hair, and the short stripes connected with them."""
        least = FURTHER if self.total() >= ENOUGH else OTHER
        hair = (self.evidence >= least)[self.component]
        count, component = cv2.connectedComponents((hair | self.short).astype(np.uint8), connectivity=8)
        touched = np.bincount(component[hair], minlength=count) > 0
        return np.asarray(touched[component])


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
    marks = ruler_marks(dark.short, network, contrast)
    judged = [
        _judged(found, network, more * contrast, longer * parameters.min_length)
        for found, more, longer in ((dark, 1, 1), (light, LIGHT, LONGER))
    ]
    if sum(stripe.total() for stripe in judged) < ENOUGH:
        return marks, np.zeros_like(marks)
    dark_hair, light_hair = (stripe.hair() for stripe in judged)
    return dark_hair | marks, light_hair


def _judged(found: Stripes, network: Mask, contrast: float, min_length: float) -> Judged:
    """Length times mean contrast, in those of the shortest clear hair; networks and dots have none."""
    weak = found.long > WEAK * contrast
    count, component, stats, _ = cv2.connectedComponentsWithStats(weak.astype(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) / min(weak.shape)
    capped = np.minimum(found.long[weak] / contrast, CLEAR)
    evidence = length * np.bincount(component[weak], capped, count) / area / (CLEAR * min_length)
    evidence[np.bincount(component[network], minlength=count) > MESHED * area] = 0
    solid = weak & (found.solid > WEAK * contrast)
    evidence[np.bincount(component[solid], minlength=count) < SOLID * area] = 0
    evidence[0] = 0
    return Judged(np.asarray(component, np.int32), evidence, (found.short > BRANCH * contrast) & ~network)
