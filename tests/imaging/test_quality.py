"""Notes on pictures that cannot be trusted, and none on real ones."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from transxv2s.imaging.quality import quality_notes

from .conftest import Ham

Rgb = NDArray[np.uint8]


def lesion(height: int = 150, width: int = 200) -> Rgb:
    """A brown disc on skin, with grain."""
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - height / 2, x - width / 2) < min(height, width) / 4
    grain = np.random.default_rng(0).normal(0, 10, (height, width, 1))
    picture = np.where(disc[..., None], (110, 70, 50), (210, 160, 140)) + grain
    return picture.clip(0, 255).astype(np.uint8)


def blurred(image: Rgb) -> Rgb:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.04 * min(image.shape[:2])), np.uint8)


@pytest.mark.parametrize("size", [(64, 64), (84, 84), (150, 200), (900, 600)])
def test_a_good_picture_gets_no_note(size: tuple[int, int]) -> None:
    assert quality_notes(lesion(*size)) == []


@pytest.mark.parametrize("size", [(40, 50), (63, 300), (300, 16)])
def test_a_small_picture_is_told_with_its_size(size: tuple[int, int]) -> None:
    assert f"the image is only {size[1]}×{size[0]} pixels" in quality_notes(lesion(*size))


def test_one_fault_gives_one_note() -> None:
    faulty = {
        "very dark": (lesion() * 0.15).astype(np.uint8),
        "overexposed": np.clip(lesion() * 1.0 + 115, 0, 255).astype(np.uint8),
        "very blurred": blurred(lesion()),
        "nearly uniform": (lesion() * 0.02 + 120).astype(np.uint8),
    }
    for words, picture in faulty.items():
        (note,) = quality_notes(picture)
        assert words in note


@pytest.mark.parametrize("level", [0, 128, 255])
def test_one_colour_is_uniform_at_any_size(level: int) -> None:
    for size in ((1, 1), (200, 300)):
        notes = quality_notes(np.full((*size, 3), level, np.uint8))
        assert any("uniform" in note for note in notes)
        assert any("dark" in note for note in notes) == (level == 0)
        assert any("overexposed: 100% of it is white" in note for note in notes) == (level == 255)


def test_real_images_get_no_note_until_they_are_blurred(ham: Ham) -> None:
    """Every hundredth by darkness of the corners, so that vignettes are among them."""
    images = [ham.image(name) for name in ham.by_probability_of("dark_corner")[::-100]]
    assert [notes for image in images if (notes := quality_notes(image))] == []
    noted = sum("the image is very blurred" in quality_notes(blurred(image)) for image in images)
    assert noted > 0.9 * len(images)
