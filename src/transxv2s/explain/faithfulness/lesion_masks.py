"""A lesion mask through the very same geometry as its image."""

import cv2
import numpy as np
from numpy.typing import NDArray

from transxv2s.explain.faithfulness.perturbation import Places
from transxv2s.imaging.crop import central, cut, field_of_view
from transxv2s.imaging.pipeline import Preprocessing, bounded, resize

Picture = NDArray[np.uint8]


def through_geometry(picture: Picture, rgb: Picture, preprocessing: Preprocessing) -> Picture:
    """Shrunk, cut, cropped and resized as `preprocessing.apply` does with an image; its colours stay.

    Args:
        picture: uint8 (H, W) or (H, W, C), of the image's size.
        rgb: The image, uint8 (H, W, 3), in which the field of view is looked for.
        preprocessing: Only its geometry is used.

    Returns:
        uint8 (size, size) or (size, size, C).
    """
    box = field_of_view(bounded(rgb)) if preprocessing.field_of_view else None
    picture = bounded(picture)
    if box:
        picture = cut(picture, box)
    picture = central(picture, preprocessing.crop_fraction)
    return resize(picture, preprocessing.size, preprocessing.size)


def seen_mask(mask: Picture, rgb: Picture, preprocessing: Preprocessing) -> Places:
    """The pixels of the network's square that the mask covers by half or more: (size, size).

    Args:
        mask: uint8 (h, w) or (h, w, 3), 0 outside the lesion; of any size, as the set is found in several.
        rgb: The image, uint8 (H, W, 3).
        preprocessing: As the network's.
    """
    inside = np.where(mask.reshape(*mask.shape[:2], -1)[..., 0] > 0, 255, 0).astype(np.uint8)
    height, width = rgb.shape[:2]
    if inside.shape != (height, width):
        inside = np.asarray(cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    return np.asarray(through_geometry(inside, rgb, preprocessing) >= 128)
