"""The dermatoscope's circle is cut, everything else is left, and fractions keep the middle."""

import numpy as np
import pytest
from numpy.typing import NDArray

from transxv2s.imaging.crop import SMALLEST_CROP, Box, central, cut, field_of_view

from .conftest import Ham

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def skin(height: int, width: int) -> Rgb:
    grain = np.random.default_rng(0).normal(0, 4, (height, width, 3))
    return (np.array((210, 160, 140)) + grain).clip(0, 255).astype(np.uint8)


def disc(height: int, width: int, centre: tuple[float, float], radius: float) -> Mask:
    """Centre in shares of the sides, radius in shares of the short side."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - centre[0] * height, x - centre[1] * width)
    return np.asarray(distance < radius * min(height, width))


def seen_through(circle: Mask) -> Rgb:
    image = skin(*circle.shape)
    image[~circle] = 6
    return image


@pytest.mark.parametrize("size", [(150, 200), (480, 640), (300, 300), (640, 480)])
@pytest.mark.parametrize(("centre", "radius"), [((0.5, 0.5), 0.48), ((0.5, 0.5), 0.6), ((0.48, 0.52), 0.5)])
def test_the_circle_is_found_and_nothing_dark_is_left(
    size: tuple[int, int], centre: tuple[float, float], radius: float
) -> None:
    circle = disc(*size, centre, radius)
    box = field_of_view(seen_through(circle))
    assert box is not None
    inside = cut(circle[..., None].astype(np.uint8), box)
    assert inside.mean() > 0.985
    assert inside.sum() > 0.5 * circle.sum()  # a square within a circle has 2/π of its area


def test_a_lesion_in_the_circle_does_not_count_as_dark_surround() -> None:
    circle = disc(200, 200, (0.5, 0.5), 0.48)
    with_lesion = seen_through(circle)
    with_lesion[disc(200, 200, (0.5, 0.5), 0.25)] = (60, 40, 35)
    plain, found = field_of_view(seen_through(circle)), field_of_view(with_lesion)
    assert plain is not None
    assert found is not None
    np.testing.assert_allclose(found, plain, atol=0.05)


def test_images_without_a_dark_surround_are_left_alone() -> None:
    for image in (skin(150, 200), np.zeros((90, 90, 3), np.uint8), np.full((90, 90, 3), 255, np.uint8)):
        assert field_of_view(image) is None


@pytest.mark.parametrize("centre", [(0.5, 0.0), (0.0, 0.5), (1.0, 0.5), (0.5, 1.0), (0.0, 0.0), (0.5, 0.5)])
def test_a_dark_lesion_at_one_border_or_corner_is_left_alone(centre: tuple[float, float]) -> None:
    image = skin(150, 200)
    image[disc(150, 200, centre, 0.45)] = (25, 18, 15)
    assert field_of_view(image) is None


def test_a_circle_too_small_for_the_lesion_to_survive_is_left_alone() -> None:
    """Two specks far apart stretch the box until no crop of the allowed size is free of dark."""
    image = np.zeros((128, 128, 3), np.uint8)
    image[:, 60:68] = 200
    image[60:68, :] = 200
    assert field_of_view(image) is None


def test_lesions_of_real_images_are_kept(ham: Ham) -> None:
    """Half of them likely to have dark corners, half of any kind."""
    names = ham.by_probability_of("dark_corner")
    lost, cropped = [], 0
    for name in names[-400::20] + names[:-400:440]:
        box, lesion = field_of_view(ham.image(name)), ham.lesion(name)
        cropped += box is not None
        kept = cut(lesion[..., None].astype(np.uint8), box) if box else lesion
        lost.append(1 - kept.sum() / lesion.sum())
    assert len(lost) >= 40
    assert cropped >= 5  # otherwise nothing could have been lost
    assert np.mean(lost) < 0.02


@pytest.mark.parametrize("size", [(101, 75), (1, 1), (1, 40), (7, 2), (150, 200)])
@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.77, 0.9, 1.0])
def test_the_central_fraction_is_central(size: tuple[int, int], fraction: float) -> None:
    """Rows and columns carry their own number, so that the result tells where it comes from."""
    y, x = np.mgrid[: size[0], : size[1]]
    numbered = np.stack([y, x, x], axis=-1).astype(np.uint8)
    part = central(numbered, fraction)
    for axis, side in enumerate(size):
        kept = part.shape[axis]
        first = int(part[0, 0, axis])
        assert kept >= 1
        assert abs(kept - fraction * side) <= 1
        assert abs(first - (side - first - kept)) <= 1
    if fraction == 1:
        np.testing.assert_array_equal(part, numbered)


def test_a_box_never_gives_an_empty_image() -> None:
    image = skin(3, 3)
    assert cut(image, Box(0.5, 0.5, 0.5, 0.5)).shape == (1, 1, 3)


def test_a_single_pixel_has_no_dark_surround() -> None:
    for level in (0, 128, 255):
        assert field_of_view(np.full((1, 1, 3), level, np.uint8)) is None


def test_crops_are_never_smaller_than_promised() -> None:
    for radius in np.linspace(0.3, 0.75, 10):
        circle = disc(200, 300, (0.5, 0.5), radius)
        box = field_of_view(seen_through(circle))
        if box is not None:
            rows, columns = circle.any(1).mean(), circle.any(0).mean()
            assert box.bottom - box.top >= SMALLEST_CROP * rows - 0.03
            assert box.right - box.left >= SMALLEST_CROP * columns - 0.03
