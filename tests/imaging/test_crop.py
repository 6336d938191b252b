"""The dermatoscope's circle is cut, everything else is left, and fractions keep the middle."""

import cv2
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


def largest_clear_area(inside: Mask) -> float:
    """Share of the image that the largest rectangle without anything outside takes, of all on a grid."""
    coarse = cv2.resize(inside.astype(np.uint8), (32, 32), interpolation=cv2.INTER_AREA)
    outside = cv2.integral(1 - coarse)
    top, bottom, left, right = np.ogrid[:33, :33, :33, :33]
    dark = outside[bottom, right] - outside[top, right] - outside[bottom, left] + outside[top, left]
    area = np.maximum(bottom - top, 0) * np.maximum(right - left, 0)
    return float(area[dark == 0].max()) / 32**2


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


@pytest.mark.parametrize("centre", [(0.5, 0.45), (0.47, 0.53), (0.45, 0.5)])
@pytest.mark.parametrize("radius", [0.6, 0.65, 0.7])
def test_a_circle_larger_than_the_frame_leaves_only_corners_to_cut(
    centre: tuple[float, float], radius: float
) -> None:
    circle = disc(150, 200, centre, radius)
    box = field_of_view(seen_through(circle))
    assert box is not None
    assert cut(circle[..., None].astype(np.uint8), box).mean() > 0.99
    assert (box.bottom - box.top) * (box.right - box.left) > 0.93 * largest_clear_area(circle)


def test_a_fading_vignette_is_cut_where_it_is_dark() -> None:
    """Brightness falls to nothing over a third of the radius, as at the rim of a lens."""
    y, x = np.mgrid[:150, :200]
    fade = np.clip((118 - np.hypot(y - 75, x - 100)) / 40, 0, 1)[..., None]
    image = (skin(150, 200) * fade).astype(np.uint8)
    box = field_of_view(image)
    assert box is not None
    assert (cut(image, box).max(axis=2) < 50).mean() < 0.005


def test_mild_shading_is_left_alone() -> None:
    y, x = np.mgrid[:150, :200]
    shading = 1 - 0.5 * ((y - 75) ** 2 + (x - 100) ** 2)[..., None] / (75**2 + 100**2)
    assert field_of_view((skin(150, 200) * shading).astype(np.uint8)) is None


@pytest.mark.parametrize("line", [0, 90])
def test_black_bars_are_cut_and_nothing_else(line: int) -> None:
    """A scanner may leave a bright line around everything."""
    image = skin(300, 400)
    image[:40] = image[-25:] = image[:, :30] = 12
    image[[0, -1]] = line
    box = field_of_view(image)
    assert box is not None
    np.testing.assert_allclose(box, (40 / 300, 275 / 300, 30 / 400, 1), atol=0.01)


def test_a_circle_between_bars_is_found() -> None:
    image = np.full((300, 300, 3), 8, np.uint8)
    circle = disc(200, 300, (0.5, 0.5), 0.6)
    image[50:250] = seen_through(circle)
    box = field_of_view(image)
    assert box is not None
    kept = np.zeros((300, 300, 1), np.uint8)
    kept[50:250, :, 0] = circle
    assert cut(kept, box).mean() > 0.99


def test_a_dark_lesion_that_meets_the_rim_is_kept() -> None:
    """Half of the field of view is lesion, as dark as the surround: only the circle tells them apart."""
    circle = disc(200, 200, (0.5, 0.5), 0.45)
    plain = seen_through(circle)
    image = plain.copy()
    image[disc(200, 200, (0.85, 0.45), 0.3) & circle] = (30, 20, 18)
    whole, found = field_of_view(plain), field_of_view(image)
    assert whole is not None
    assert found is not None
    np.testing.assert_allclose(found, whole, atol=0.06)


@pytest.mark.parametrize("seed", range(4))
def test_dark_tufts_of_hair_in_the_corners_are_no_circle(seed: int) -> None:
    """Triangles with ragged edges, as thick hair makes around a lesion on the scalp."""
    generator = np.random.default_rng(seed)
    image = skin(150, 200)
    for corner in ((0, 0), (0, 199), (149, 0), (149, 199)):
        for _ in range(25):
            end = generator.integers(10, 70, 2)
            target = [int(abs(c - e)) for c, e in zip(corner, end, strict=True)]
            cv2.line(image, corner[::-1], target[::-1], (20, 15, 15), 3)
    assert field_of_view(image) is None


def test_a_limb_before_a_dark_background_is_no_circle() -> None:
    image = skin(150, 200)
    image[:40] = image[120:] = (60, 50, 60)
    assert field_of_view(image) is None


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
