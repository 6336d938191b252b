"""Robust GWSD: vignettes, dark corners, highlights and casts do not decide mean and deviation."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from transxv2s.imaging.colour import GWSD
from transxv2s.imaging.colour.robust import robust_moments

from .conftest import Ham

Values = NDArray[np.float64]

HEIGHT, WIDTH = 150, 200
Y, X = np.mgrid[:HEIGHT, :WIDTH]
FROM_MIDDLE = np.hypot(Y - HEIGHT / 2, X - WIDTH / 2) / np.hypot(HEIGHT / 2, WIDTH / 2)


def lesion(seed: int = 0) -> Values:
    """A brown disc with a soft edge on skin, with grain."""
    generator = np.random.default_rng(seed)
    y, x = generator.uniform(0.4, 0.6, 2) * (HEIGHT, WIDTH)
    disc = 1 / (1 + np.exp((np.hypot(Y - y, X - x) - 40) / 4))[..., None]
    picture = disc * (110, 70, 50) + (1 - disc) * (200, 150, 130)
    return np.asarray(picture + generator.normal(0, 6, (HEIGHT, WIDTH, 3))).clip(0, 255)


def vignetted(image: Values) -> Values:
    return np.asarray(image * (1 - 0.4 * FROM_MIDDLE**2)[..., None])


def dark_cornered(image: Values) -> Values:
    outside = 1 / (1 + np.exp((0.85 - FROM_MIDDLE) * 60))[..., None]
    return np.asarray((1 - outside) * image + outside * 8)


def with_highlights(image: Values) -> Values:
    spots = np.zeros((HEIGHT, WIDTH))
    generator = np.random.default_rng(3)
    for _ in range(25):
        y, x = generator.integers(0, (HEIGHT, WIDTH))
        cv2.circle(spots, (int(x), int(y)), 3, 1.0, cv2.FILLED)
    return np.asarray(np.maximum(image, 255 * spots[..., None]))


def plain_moments(image: Values) -> Values:
    return np.stack([image.mean((0, 1)), image.std((0, 1))])


DISTURBANCES = {"vignette": vignetted, "dark corners": dark_cornered, "highlights": with_highlights}


@pytest.mark.parametrize("disturb", DISTURBANCES.values(), ids=DISTURBANCES)
def test_bad_light_moves_them_far_less_than_the_plain_ones(disturb: Callable[[Values], Values]) -> None:
    for seed in range(5):
        image = lesion(seed)
        shift = np.abs(robust_moments(disturb(image)) - robust_moments(image)).max(1)
        plain = np.abs(plain_moments(disturb(image)) - plain_moments(image)).max(1)
        assert (shift < plain / 3).all(), (seed, shift, plain)


@pytest.mark.parametrize("disturb", DISTURBANCES.values(), ids=DISTURBANCES)
def test_on_real_images_too(ham: Ham, disturb: Callable[[Values], Values]) -> None:
    """Every hundredth of those without dark corners; medians, since some lesions are badly lit already."""
    images = [ham.image(name).astype(np.float64) for name in ham.by_probability_of("dark_corner")[:4000:100]]
    shift = [np.abs(robust_moments(disturb(image)) - robust_moments(image)).max() for image in images]
    plain = [np.abs(plain_moments(disturb(image)) - plain_moments(image)).max() for image in images]
    assert np.median(shift) < np.median(plain) / 2


def test_gains_of_channels_are_gains_of_moments() -> None:
    gain = np.array([0.5, 0.8, 1.2])
    for image in (lesion(), dark_cornered(vignetted(lesion(1)))):
        np.testing.assert_allclose(robust_moments(image * gain), gain * robust_moments(image), rtol=1e-9)


def test_a_cast_is_removed() -> None:
    image = lesion()
    parameters = GWSD(target_mean=128, target_std=20, robust=True)
    np.testing.assert_allclose(parameters.apply(image * (0.5, 0.8, 1)), parameters.apply(image), atol=1e-6)


def test_in_good_light_they_are_near_the_plain_ones() -> None:
    """The ellipse holds more of the lesion than the frame: a few levels."""
    for seed in range(5):
        image = lesion(seed)
        assert np.abs(robust_moments(image) - plain_moments(image)).max() < 10


def test_they_are_the_plain_moments_of_what_is_well_lit() -> None:
    """Halves of two colours: no vignette, no corners; only the ellipse, which takes as much from both."""
    image = np.full((60, 60, 3), (180.0, 150, 120))
    image[:30] = (175, 140, 115)
    np.testing.assert_allclose(robust_moments(image), plain_moments(image))


@pytest.mark.parametrize("level", [0, 1, 90, 255])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (300, 200)])
def test_flat_and_tiny_images_stay_finite(level: int, size: tuple[int, int]) -> None:
    image = np.full((*size, 3), level, np.uint8)
    # 1e-5: OpenCV averages areas with single-precision weights
    np.testing.assert_allclose(robust_moments(image), [[level] * 3, [0] * 3], atol=1e-5)
    assert np.isfinite(GWSD(robust=True).apply(image.astype(np.float32))).all()


def test_large_images_are_sampled_and_give_nearly_the_same() -> None:
    image = lesion()
    large = image.repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_allclose(robust_moments(large), robust_moments(image), atol=1.5)


def test_bytes_and_numbers_agree() -> None:
    image = vignetted(lesion()).round()
    np.testing.assert_array_equal(robust_moments(image.astype(np.uint8)), robust_moments(image))
    exact = GWSD(robust=True).apply(image)
    np.testing.assert_array_equal(GWSD(robust=True).apply(image.astype(np.uint8)), np.rint(exact))
