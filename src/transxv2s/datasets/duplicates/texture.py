"""Local contrast of a picture where it shows skin: what two copies share and two lesions do not."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SIDE = 32  # of the square in pixels; a copy at 0.4 of 84 pixels still has 34
SURROUND = (0.2, 0.4)  # of the brightness of skin: darker is surround, brighter is skin, a ramp between
MARGIN = np.hypot(*np.mgrid[-2:3, -2:3]) < 2.5  # pixels this near to the surround show only its edge
SCALE = 2.0  # of the local neighbourhood, in pixels (σ of a Gaussian)
NOISE = 2.0  # grey levels of contrast that compression makes up
FLAT = 0.3  # of the picture's contrast: calmer places are not blown up


def square(image: NDArray[np.uint8]) -> Floats:
    """Luminance of RGB uint8 (H, W, 3), squashed by area to (SIDE, SIDE), 0..255."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def texture(grey: Floats, within: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Deviation from the local mean over local deviation, both weighted by what is skin.

    Jarrett et al., What is the best multi-stage architecture for object recognition?, ICCV 2009, section 3.1
    (local contrast normalisation), with weights. Brightness and contrast cancel but for `NOISE`; flips and
    quarter turns of `grey` do the same to the result.

    Args:
        grey: (SIDE, SIDE), 0..255.
        within: (SIDE, SIDE), where to look.

    Returns:
        The texture (SIDE, SIDE), 0 where nothing is seen, and the share of `within` that is seen, 0..1.
    """
    weight = _skin(grey, within)
    near = np.maximum(_blurred(weight), np.float32(1e-3))
    deviation = weight * (grey - _blurred(weight * grey) / near)
    local = np.sqrt(_blurred(deviation**2) / near)
    contrast = deviation / (local + FLAT * deviation.std() + NOISE)
    return contrast.astype(np.float32), float(weight.sum() / within.sum())


def _skin(grey: Floats, within: NDArray[np.bool_]) -> Floats:
    """1 on skin, 0 on the dark surround, on its edge and outside `within`."""
    dark, bright = SURROUND
    relative = grey / max(float(np.quantile(grey[within], 0.9)), 1.0)
    skin = np.clip((relative - dark) / (bright - dark), 0, 1).astype(np.float32)
    eroded = cv2.erode(skin, MARGIN.astype(np.uint8), borderType=cv2.BORDER_REFLECT)
    return np.asarray(eroded * within, np.float32)


def _blurred(values: NDArray[np.floating[Any]]) -> Floats:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), SCALE, borderType=cv2.BORDER_REFLECT), np.float32)
