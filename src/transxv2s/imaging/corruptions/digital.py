"""What is lost when an image is stored or sent: JPEG blocks and coarse pixels."""

import io

import numpy as np
from numpy.random import Generator
from PIL import Image

from transxv2s.imaging.corruptions.scale import Rgb, at_reference, resized, scale_of


def jpeg(rgb: Rgb, _: Generator, quality: int) -> Rgb:
    """Stores the image at its reference size with this quality (libjpeg's, 1 to 95) and reads it again."""

    def change(reference: Rgb) -> Rgb:
        file = io.BytesIO()
        Image.fromarray(reference).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file), np.uint8)

    return at_reference(rgb, change)


def pixelate(rgb: Rgb, _: Generator, share: float) -> Rgb:
    """Keeps this share of the reference's pixels along each side; an image that has fewer stays as it is."""
    height, width = rgb.shape[:2]
    if share >= scale_of(rgb):
        return rgb.copy()
    sides = (max(1, int(share * side / scale_of(rgb))) for side in (height, width))
    return resized(resized(rgb, *sides), height, width)
