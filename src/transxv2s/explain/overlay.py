"""Heat maps and attention laid over the square that the network saw, as pictures.

The colours are viridis: perceptually uniform, in order of lightness also for the colour-blind, and from blue
over green to yellow, hues that skin and lesions hardly have. On skin it stands out more than inferno and
magma, whose reds look like a lesion, and than cividis, which passes through grey. Opacity grows with the
value, so that the lesion stays visible wherever the network did not look.
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.imaging.pipeline import Rgb, resize

COLOUR_MAP = "viridis"
OPACITY = 0.8  # where a map is strongest: the structure below shows through even there
CEILING = 99.5  # percentile of a map from which on it has full colour: one pixel shall not dim all others
SIDE = 384  # pixels of a picture's shorter side
MASK_RANGE = (0.25, 4.0)  # what a context mask of mean 1 is drawn from and to, the same for every module
MARK, RIM = (255, 230, 0), (0, 0, 0)  # of chosen nodes: yellow with a black rim stands out on light and dark

Field = NDArray[np.float32]


def heat_overlay(square: Rgb, values: Field) -> Rgb:
    """A heat map over the square that the network saw, in full colour from its `CEILING` on.

    Args:
        square: RGB uint8 (H, W, 3).
        values: (H, W) between 0 and 1; an empty map gives the bare square.

    Returns:
        RGB uint8, the shorter side of `SIDE` pixels or more.
    """
    ceiling = float(np.percentile(values, CEILING)) or float(values.max()) or 1.0
    return _overlay(square, values / ceiling)


def mask_overlay(square: Rgb, mask: Field) -> Rgb:
    """A context mask (h, w) of mean 1 over the square, by its logarithm, drawn from and to `MASK_RANGE`.

    The logarithm, because masks weight by factors: some reach sixteen times their mean.
    """
    low, high = MASK_RANGE
    return _overlay(square, np.log(np.clip(mask, low, high) / low) / math.log(high / low))


def _overlay(square: Rgb, values: Field) -> Rgb:
    below = enlarged(square)
    height, width = below.shape[:2]
    grown = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return _blended(below, np.asarray(grown, np.float32))


def colour_bar(square: Rgb, length: int = 256, breadth: int = 16) -> Rgb:
    """What no value (left) to the strongest ones look like over a square's mean colour, RGB uint8."""
    ramp = np.tile(np.linspace(0, 1, length, dtype=np.float32), (breadth, 1))
    ground = np.broadcast_to(square.mean((0, 1)), (breadth, length, 3))
    return _blended(ground, ramp)


def _blended(below: NDArray[Any], values: Field) -> Rgb:
    import matplotlib as mpl  # a quarter of a second that only pictures need

    opacity = OPACITY * values.clip(0, 1)[..., None]
    colours = 255 * mpl.colormaps[COLOUR_MAP](values)[..., :3]
    mixed: Rgb = ((1 - opacity) * below + opacity * colours).round().astype(np.uint8)
    return mixed


def enlarged(square: Rgb) -> Rgb:
    """The square, enlarged by a whole number until its shorter side has `SIDE` pixels."""
    factor = max(1, -(-SIDE // min(square.shape[:2])))
    return resize(square, factor * square.shape[0], factor * square.shape[1]) if factor > 1 else square


def node_overlay(square: Rgb, nodes: NDArray[np.bool_]) -> Rgb:
    """The positions (h, w) that the adaptive sampling chose, as dots in the middle of their cells."""
    picture = enlarged(square).copy()
    cell = np.array(picture.shape[:2]) / nodes.shape
    radius = max(3, round(0.22 * float(cell.min())))
    for position in np.argwhere(nodes):
        y, x = ((position + 0.5) * cell).astype(int).tolist()
        cv2.circle(picture, (x, y), radius + 1, RIM, -1, cv2.LINE_AA)
        cv2.circle(picture, (x, y), radius - 1, MARK, -1, cv2.LINE_AA)
    return picture
