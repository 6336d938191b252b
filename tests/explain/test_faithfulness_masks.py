"""Masks go the way of their images; measures against masks by hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from transxv2s.explain.faithfulness.lesion_masks import seen_mask, through_geometry
from transxv2s.explain.faithfulness.localisation import (
    band_concentration,
    edge_band,
    pointing_game,
    relevance_mass,
)
from transxv2s.imaging.crop import field_of_view
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import Preprocessing

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
GEOMETRY = Preprocessing(hair_removal=None, colour=None)
Picture = NDArray[np.uint8]


def dermatoscope(height: int = 150, width: int = 200) -> Picture:
    """Skin within a dark surround."""
    rgb = np.full((height, width, 3), 8, np.uint8)
    middle, axes = (width // 2, height // 2), (width * 45 // 100, height * 48 // 100)
    cv2.ellipse(rgb, middle, axes, 0, 0, 360, (205, 160, 140), cv2.FILLED)
    noise = np.random.default_rng(0).integers(0, 6, rgb.shape)
    return (rgb + noise).astype(np.uint8)


@pytest.mark.parametrize("crop_fraction", [1.0, 0.8])
@pytest.mark.parametrize("field", [True, False])
@pytest.mark.parametrize("name", ["dermatoscope", "ISIC_0000332.jpg", "ISIC_0000142.jpg"])
def test_the_geometry_is_that_of_preprocessing(name: str, field: bool, crop_fraction: float) -> None:
    """An image through the mask's way is what `apply` makes of it when it changes no colour."""
    rgb = dermatoscope() if name == "dermatoscope" else decode(SAMPLES / name)
    preprocessing = GEOMETRY.model_copy(update={"field_of_view": field, "crop_fraction": crop_fraction})
    np.testing.assert_array_equal(through_geometry(rgb, rgb, preprocessing), preprocessing.apply(rgb))


@pytest.mark.parametrize("size", [(150, 200), (450, 600)])
def test_a_mask_covers_what_it_covers_in_the_image(size: tuple[int, int]) -> None:
    """A lesion of a colour of its own is found again under the mask, whatever was cut off."""
    rgb = dermatoscope(*size)
    assert field_of_view(rgb) is not None
    mask = np.zeros(size, np.uint8)
    cv2.circle(mask, (size[1] * 6 // 10, size[0] * 4 // 10), size[0] // 5, 255, cv2.FILLED)
    rgb[mask > 0] = (60, 200, 60)
    square = GEOMETRY.apply(rgb).astype(int)
    green = square[..., 1] > square[..., 0] + 46
    found = seen_mask(mask, rgb, GEOMETRY)
    assert found.shape == (128, 128)
    assert (found != green).mean() < 0.005
    assert found.mean() > 1.2 * (mask > 0).mean(), "the surround was cut off"


def test_a_mask_of_another_size_than_its_image() -> None:
    rgb = dermatoscope(450, 600)
    small = np.zeros((150, 200), np.uint8)
    small[30:90, 60:130] = 1
    large = np.repeat(np.repeat(small, 3, 0), 3, 1)
    np.testing.assert_array_equal(seen_mask(small, rgb, GEOMETRY), seen_mask(large, rgb, GEOMETRY))
    coloured = np.dstack([large * 255] * 3)
    np.testing.assert_array_equal(seen_mask(coloured, rgb, GEOMETRY), seen_mask(large, rgb, GEOMETRY))


def test_masks_of_ham10000_lie_on_the_lesions(shared_dir: Path) -> None:
    """Lesions are darker than the skin around them, also after the crop."""
    folder = shared_dir.parent / "main" / ".data" / "ham10000"
    files = sorted((folder / "HAM10000_segmentations_lesion_tschandl").glob("*.png"))[::900]
    if not files:
        pytest.skip("needs HAM10000 with its masks, which is not unpacked here")
    darker = []
    for file in files:
        rgb = decode(folder / "HAM10000_images" / f"{file.stem.removesuffix('_segmentation')}.jpg")
        mask, grey = seen_mask(decode(file), rgb, GEOMETRY), GEOMETRY.apply(rgb).mean(2)
        darker.append(grey[mask].mean() < grey[~mask].mean())
    assert np.mean(darker) > 0.8


VALUES = np.array([[0, 1, 0, 0], [0, 4, 3, 0], [0, 0, 2, 0]], np.float32)
MASK = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], bool)


def test_by_hand() -> None:
    assert relevance_mass(VALUES, MASK) == pytest.approx(5 / 10)
    assert pointing_game(VALUES, MASK) == 0
    assert pointing_game(VALUES, ~MASK) == 1
    assert pointing_game(np.where(VALUES == 4, 3, VALUES), MASK) == 0.5, "two largest values, one within"


def test_a_uniform_map_has_the_share_of_the_area() -> None:
    flat = np.full((3, 4), 0.3, np.float32)
    assert relevance_mass(flat, MASK) == pytest.approx(4 / 12)
    assert pointing_game(flat, MASK) == pytest.approx(4 / 12)
    assert band_concentration(flat, MASK, width=0.4) == pytest.approx(1)


def test_nothing_to_compare_with_is_not_a_number() -> None:
    nothing, empty = np.zeros((3, 4), np.float32), np.zeros((3, 4), bool)
    assert np.isnan(relevance_mass(nothing, MASK))
    assert np.isnan(band_concentration(nothing, MASK))
    for measure in (relevance_mass, pointing_game, band_concentration):
        assert np.isnan(measure(VALUES, empty))
    assert np.isnan(band_concentration(VALUES, ~empty)), "a mask over everything has no edge"


def test_the_band_is_what_a_plain_loop_finds() -> None:
    mask = np.zeros((20, 24), np.uint8)
    cv2.ellipse(mask, (14, 9), (7, 5), 30, 0, 360, 1, cv2.FILLED)
    inside, expected = mask > 0, np.zeros(mask.shape, bool)
    for place in np.ndindex(mask.shape):
        others = np.argwhere(inside != inside[place])
        expected[place] = np.hypot(*(others - place).T).min() <= 0.1 * 20
    np.testing.assert_array_equal(edge_band(inside, 0.1), expected)
    assert 0 < expected.mean() < 1
    on_edge = expected.astype(np.float32)
    assert band_concentration(on_edge, inside, 0.1) == pytest.approx(1 / expected.mean())
