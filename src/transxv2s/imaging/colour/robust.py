"""Mean and deviation of an image's channels that challenging illumination does not decide.

Three things are done, all indifferent to the gain of a channel, so that a cast changes nothing either:

1. The vignette is estimated as exp(c·ρ²) with ρ the distance from the middle, c <= 0, and divided out. c is
   the weighted median over places of the radial slope of log brightness: the edges of a lesion are steep but
   few, a vignette tilts every place a little (after Zheng et al., Single-image vignetting correction using
   radial gradient symmetry, CVPR 2008).
2. Dark corners and the dermatoscope's surround are left out: darker than a quarter of the bright part of the
   image, or outside the ellipse that touches all four sides.
3. Specular highlights are left out: brighter than nearly all of the image, in all channels at once.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

ENOUGH_SIDE = 96  # larger images are sampled: every second, third … row and column
SHADING_SIDE = 48  # the vignette is looked for in a copy of this size
BRIGHT = 0.8  # quantile that stands for the bright part, the skin
DARK = 0.25  # of the bright part
HIGHLIGHT = 1.08  # times the bright part
ENOUGH_SHARE = 0.1  # of the pixels must be left, or all are used


def robust_moments(image: NDArray[Any]) -> Values:
    """Mean and population deviation of each channel.

    Args:
        image: (H, W, C) in grey levels 0..255.

    Returns:
        (2, C), grey levels as they are in the middle of the image.
    """
    step = max(1, min(image.shape[:2]) // ENOUGH_SIDE)
    sample = image[::step, ::step].astype(np.float64)
    even = sample / _vignette(sample)[..., None]
    seen = even[_well_lit(even)]
    return np.stack([seen.mean(0), seen.std(0)])


def _vignette(image: Values) -> Values:
    """The share of light that reaches each place (H, W): 1 in the middle, and nowhere more."""
    size = (SHADING_SIDE, SHADING_SIDE)
    small: Values = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float64)
    light = _log_brightness(small.reshape(*size, -1))
    height, width = image.shape[:2]
    across, down = (np.array([width, height]) ** 2) / (width**2 + height**2)
    y, x = _coordinates(SHADING_SIDE, SHADING_SIDE)
    slope_y, slope_x = np.gradient(light, 2 / SHADING_SIDE)
    rise_y, rise_x = 2 * down * y, 2 * across * x  # gradient of ρ²
    steepness = rise_y**2 + rise_x**2
    ratio = (slope_y * rise_y + slope_x * rise_x) / steepness
    lit = cv2.erode((light > _bright(light) + np.log(DARK)).astype(np.uint8), np.ones((3, 3))) > 0
    c = min(_weighted_median(ratio[lit], steepness[lit]), 0.0) if lit.any() else 0.0
    y, x = _coordinates(height, width)
    return np.asarray(np.exp(c * (down * y**2 + across * x**2)))


def _well_lit(image: Values) -> Mask:
    """Where the image shows skin or lesion in proper light (H, W)."""
    y, x = _coordinates(*image.shape[:2])
    light = _log_brightness(image)
    lit: Mask = (light > _bright(light) + np.log(DARK)) & (y**2 + x**2 <= 1)
    if lit.mean() < ENOUGH_SHARE:
        return np.ones_like(lit)
    skin = np.quantile(image[lit], BRIGHT, axis=0)
    kept: Mask = lit & ~(image > HIGHLIGHT * skin).all(2)
    return kept if kept.mean() >= ENOUGH_SHARE else lit


def _coordinates(height: int, width: int) -> tuple[Values, Values]:
    """Rows (H, 1) and columns (1, W), from −1 to 1."""
    return (
        ((2 * np.arange(height) + 1) / height - 1)[:, None],
        ((2 * np.arange(width) + 1) / width - 1)[None],
    )


def _log_brightness(image: Values) -> Values:
    """Mean over channels of the logarithm (H, W): the gain of a channel only shifts it."""
    light: Values = np.log(np.maximum(image, 1)).mean(2)
    return light


def _bright(light: Values) -> float:
    return float(np.quantile(light, BRIGHT))


def _weighted_median(values: Values, weights: Values) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
