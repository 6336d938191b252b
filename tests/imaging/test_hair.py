"""Hair removal on drawn hair, drawn dots and real images with and without hair."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from transxv2s.imaging.hair import HairRemoval, hair_mask, remove_hair

from .conftest import Ham

PARAMETERS = HairRemoval()
HAIR_COLOUR = (40, 30, 25)

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def skin(height: int = 240, width: int = 320) -> Rgb:
    """Smooth skin, brighter on one side, with a soft brown lesion in the middle."""
    y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    lesion = 1 / (1 + np.exp(40 * (np.hypot(y - 0.5, x - 0.5) - 0.2)))
    shade = (190 + 40 * x)[..., None] * (1, 0.8, 0.7)
    grain = np.random.default_rng(0).normal(0, 2, (height, width, 3))
    return np.asarray((shade * (1 - 0.5 * lesion[..., None]) + grain).clip(0, 255), np.uint8)


def drawn(image: Rgb, width: float) -> tuple[Rgb, Mask]:
    """Three smooth-edged hairs, one of them bent, and where they are; width as a share of the short side."""
    height, length = np.array(image.shape[:2]) * 4  # drawn at four times the size
    canvas = np.zeros((height, length), np.uint8)
    thickness = round(width * min(height, length))
    cv2.line(canvas, (0, height // 5), (length, height // 3), 255, thickness)
    cv2.line(canvas, (length // 4, height), (length // 2, 0), 255, thickness)
    cv2.ellipse(canvas, (length, height), (length // 2, height // 2), 0, 180, 270, 255, thickness)
    cover = cv2.resize(canvas, image.shape[1::-1], interpolation=cv2.INTER_AREA)[..., None] / 255
    return (image * (1 - cover) + cover * HAIR_COLOUR).astype(np.uint8), cover[..., 0] > 0.5


def disagreement(first: Rgb, second: Rgb, where: Mask) -> float:
    return float(np.abs(first.astype(int) - second)[where].mean())


@pytest.mark.parametrize("width", [0.015, 0.02, 0.03])
@pytest.mark.parametrize("size", [(150, 200), (240, 320), (500, 400)])
def test_drawn_hair_is_found_and_painted_over(size: tuple[int, int], width: float) -> None:
    clean = skin(*size)
    hairy, mask = drawn(clean, width)
    found = hair_mask(hairy, PARAMETERS)
    dice = 2 * (found & mask).sum() / (found.sum() + mask.sum())
    assert (found & mask).sum() / mask.sum() > 0.9
    assert dice > 0.8
    repaired = remove_hair(hairy, PARAMETERS)
    assert disagreement(repaired, clean, mask) < 0.1 * disagreement(hairy, clean, mask)
    far = ~cv2.dilate(found.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    np.testing.assert_array_equal(repaired[far], hairy[far])


def test_without_hair_the_same_object_comes_back() -> None:
    image = skin()
    assert not hair_mask(image, PARAMETERS).any()
    assert remove_hair(image, PARAMETERS) is image


def test_the_given_image_is_not_changed() -> None:
    hairy, _ = drawn(skin(), 0.02)
    before = hairy.copy()
    assert remove_hair(hairy, PARAMETERS) is not hairy
    np.testing.assert_array_equal(hairy, before)


def test_small_images_are_left_alone() -> None:
    hairy, _ = drawn(skin(99, 300), 0.02)
    assert remove_hair(hairy, PARAMETERS) is hairy
    smaller = HairRemoval(min_side=99)
    assert remove_hair(hairy, smaller) is not hairy


def test_dots_survive() -> None:
    """Globules are as dark and as wide as hair, but do not go on straight."""
    image = skin()
    for y in range(20, 240, 20):
        for x in range(20, 320, 20):
            cv2.circle(image, (x, y), 3, HAIR_COLOUR, cv2.FILLED)
    assert remove_hair(image, PARAMETERS) is image


def test_short_strokes_and_bright_lines_are_no_hair() -> None:
    image = skin()
    cv2.line(image, (50, 50), (70, 50), HAIR_COLOUR, 2)
    cv2.line(image, (0, 100), (320, 120), (250, 240, 235), 2)
    assert remove_hair(image, PARAMETERS) is image


def test_real_images_without_hair_come_back_as_they_are(ham: Ham) -> None:
    images = [ham.image(name) for name in ham.by_probability_of("hair")[:1000:25]]
    bald = [image for image in images if not hair_mask(image, PARAMETERS).any()]
    assert len(bald) >= 0.8 * len(images)
    assert all(remove_hair(image, PARAMETERS) is image for image in bald)


def test_hair_is_found_on_most_hairy_real_images(ham: Ham) -> None:
    images = [ham.image(name) for name in ham.by_probability_of("hair")[-40:]]
    assert sum(hair_mask(image, PARAMETERS).any() for image in images) >= 0.6 * len(images)
