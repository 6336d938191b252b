"""Filling holes from their surroundings."""

import cv2
import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float32]
Mask = NDArray[np.bool_]


def filled(image: NDArray[np.uint8], hole: Mask) -> Reals:
    """Pull and push (Gortler et al. 1996, "The Lumigraph", section 3.4), smoothed at each level.

    Pull: image and weight are halved until every pixel has known ones in it. Push: on the way back holes take
    the coarser level's values, which a 3×3 mean joins to their known neighbours.

    Args:
        image: uint8 (H, W, 3).
        hole: bool (H, W).

    Returns:
        float32 (H, W, 3); known pixels keep their values. Without any known pixel all is 0.
    """
    known = (~hole).astype(np.float32)
    return _pulled_and_pushed(image * known[..., None], known)


def _pulled_and_pushed(total: Reals, weight: Reals) -> Reals:
    value = np.asarray(total / np.maximum(weight, 1e-6)[..., None], np.float32)
    hole = weight == 0
    if not hole.any() or max(weight.shape) == 1:
        return value
    half = tuple((side + 1) // 2 for side in weight.shape[::-1])
    coarse = _pulled_and_pushed(
        *(np.asarray(cv2.resize(x, half, interpolation=cv2.INTER_AREA), np.float32) for x in (total, weight))
    )
    fine = cv2.resize(coarse, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(fine, hole.astype(np.uint8), value)
    smooth = cv2.blur(value, (3, 3))
    cv2.copyTo(smooth, hole.astype(np.uint8), value)
    return value


def disc(radius: float) -> NDArray[np.uint8]:
    """A round kernel of this radius in pixels, at least 1."""
    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
