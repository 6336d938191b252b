"""The peers against their formulas, and what all methods have in common."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import wiener  # type: ignore[import-untyped]

from transxv2s.errors import InputError
from transxv2s.imaging.colour import CLAHE, GWSD, METHODS, GrayWorld, MaxRGB, ShadesOfGray, Wiener

Rgb = NDArray[np.uint8]
Illuminant = GrayWorld | ShadesOfGray | MaxRGB

ILLUMINANTS: list[Illuminant] = [GrayWorld(), ShadesOfGray(), MaxRGB()]
EVERY = [*(kind() for kind in METHODS.values()), GWSD(robust=True)]
names = pytest.mark.parametrize("method", EVERY, ids=lambda m: m.method + "_robust" * getattr(m, "robust", 0))


def picture(seed: int = 0, height: int = 40, width: int = 50) -> Rgb:
    """Smooth colours with some noise; red is the strongest channel, as in skin."""
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(60, 160, (4, 5, 3)) * (1.2, 0.9, 0.7)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(smooth + generator.normal(0, 4, smooth.shape)).clip(1, 254).astype(np.uint8)


def estimated_light(image: NDArray[np.float64], p: float) -> NDArray[np.float64]:
    """(mean x^p)^(1/p) of each channel, one value at a time; the largest for p = ∞."""
    channels = [[float(x) for x in image[..., c].flat] for c in range(3)]
    if p == np.inf:
        return np.array([max(channel) for channel in channels])
    return np.array([(sum(x**p for x in channel) / len(channel)) ** (1 / p) for channel in channels])


@pytest.mark.parametrize(("method", "p"), [*zip(ILLUMINANTS, (1, 6, np.inf), strict=True)])
def test_the_light_is_divided_out(method: Illuminant, p: float) -> None:
    image = picture().astype(np.float64)
    light = estimated_light(image, p)
    white = np.linalg.norm(light) / 3**0.5
    np.testing.assert_allclose(method.apply(image), np.clip(image * white / light, 0, 255))
    np.testing.assert_array_equal(
        method.apply(picture()), np.rint(np.clip(picture() * (white / light), 0, 255))
    )


@pytest.mark.parametrize("method", ILLUMINANTS, ids=lambda m: m.method)
@settings(deadline=None)
@given(st.tuples(*[st.floats(0.4, 1)] * 3), st.integers(0, 2**32 - 1))
def test_a_cast_leaves_the_chromaticity_and_a_second_time_the_image(
    method: Illuminant, gain: tuple[float, ...], seed: int
) -> None:
    """Only the common brightness may differ. Dim images, so that nothing is clipped."""
    image = picture(seed).astype(np.float64) / 3
    plain, cast = method.apply(image), method.apply(image * gain)
    np.testing.assert_allclose(cast / cast.sum(2, keepdims=True), plain / plain.sum(2, keepdims=True))
    np.testing.assert_allclose(method.apply(plain), plain)


def test_shades_of_gray_lies_between_gray_world_and_max_rgb() -> None:
    image = picture(2).astype(np.float64) / 3
    near_one, near_infinity = ShadesOfGray(p=1).apply(image), ShadesOfGray(p=100).apply(image)
    np.testing.assert_allclose(near_one, GrayWorld().apply(image))
    np.testing.assert_allclose(near_infinity, MaxRGB().apply(image), rtol=0.02)


def test_clahe_is_opencvs_on_lightness() -> None:
    lab = cv2.cvtColor(picture(), cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(clipLimit=2, tileGridSize=(8, 8)).apply(lab[..., 0])
    np.testing.assert_array_equal(CLAHE().apply(picture()), cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def test_wiener_is_scipys_inside_and_does_not_darken_the_border() -> None:
    image = picture().astype(np.float64)
    result = Wiener().apply(image)
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), "symmetric")
    for c in range(3):
        np.testing.assert_allclose(result[..., c], wiener(padded[..., c], 5)[2:-2, 2:-2])
    alone = np.stack([wiener(image[..., c], 5) for c in range(3)], axis=-1)
    assert abs((result - image)[0].mean()) < 1
    assert (alone - image)[0].mean() < -5  # SciPy continues the image by black


def test_wiener_removes_noise() -> None:
    clean = np.full((40, 40, 3), 120.0)
    clean[:, 20:] = 180
    noisy = clean + np.random.default_rng(0).normal(0, 8, clean.shape)
    assert np.abs(Wiener().apply(noisy) - clean).mean() < np.abs(noisy - clean).mean() / 2


@names
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_type_shape_and_range_are_kept_and_the_image_is_not_changed(method: Any, dtype: type[Any]) -> None:
    image = picture().astype(dtype)
    before = image.copy()
    result = method.apply(image)
    assert (result.dtype, result.shape) == (image.dtype, image.shape)
    assert result.min() >= 0
    assert result.max() <= 255
    np.testing.assert_array_equal(image, before)
    assert not np.shares_memory(result, image)


@names
def test_batches_and_tensors_get_the_same_numbers(method: Any) -> None:
    batch = np.stack([picture(seed) for seed in range(4)]).reshape(2, 2, 40, 50, 3)
    together = method.apply(batch)
    for index in np.ndindex(2, 2):
        np.testing.assert_array_equal(together[index], method.apply(batch[index]))
    tensor = method.apply(torch.from_numpy(batch).movedim(-1, -3))
    np.testing.assert_array_equal(tensor.movedim(-3, -1).numpy(), together)


@names
@pytest.mark.parametrize("level", [0, 90, 255])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_flat_and_tiny_images_stay_finite(method: Any, level: int, dtype: type[Any]) -> None:
    for size in ((1, 1), (2, 7), (20, 30)):
        image = np.full((*size, 3), level, dtype)
        image[..., 0] = 17
        assert np.isfinite(method.apply(image)).all()


def test_clahe_takes_three_channels_only() -> None:
    with pytest.raises(InputError, match="three channels"):
        CLAHE().apply(picture()[..., :1])
