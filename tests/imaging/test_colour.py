"""GWSD against the article's formula, and what follows from it."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from transxv2s.errors import InputError
from transxv2s.imaging.colour import GWSD, estimate_targets, gwsd

ARTICLE = GWSD()
UNCLIPPED = GWSD(target_mean=128, target_std=20)  # uniform noise then stays within ±1.8·20 of 128
OWN = GWSD(target_mean=None, target_std=None)

Values = NDArray[np.float64]


def noise(seed: int = 0, *shape: int) -> Values:
    """Uniform noise of another mean and range in each channel, far from 0 and 255."""
    values = np.random.default_rng(seed).uniform(0, 1, shape or (9, 7, 3))
    return values * (30.0, 50.0, 60.0) + (60.0, 90.0, 120.0)


def by_hand(image: Values, parameters: GWSD) -> Values:
    """x' = clip(s_c·(x − μ_c) + μ_G, 0, 255), one value at a time."""
    height, width, channels = image.shape
    count = height * width
    means = [sum(image[:, :, c].flat) / count for c in range(channels)]
    stds = [(sum((x - means[c]) ** 2 for x in image[:, :, c].flat) / count) ** 0.5 for c in range(channels)]
    target_mean = sum(means) / channels if parameters.target_mean is None else parameters.target_mean
    target_std = sum(stds) / channels if parameters.target_std is None else parameters.target_std
    result = np.empty_like(image)
    for (y, x, c), value in np.ndenumerate(image):
        scale = min(target_std / stds[c], parameters.max_gain)
        result[y, x, c] = min(max(scale * (value - means[c]) + target_mean, 0), 255)
    return result


@pytest.mark.parametrize("parameters", [ARTICLE, UNCLIPPED, OWN, GWSD(max_gain=1.5), GWSD(target_std=None)])
def test_it_is_the_written_formula(parameters: GWSD) -> None:
    image = noise(1)
    np.testing.assert_allclose(gwsd(image, parameters), by_hand(image, parameters), atol=1e-9)


def test_the_article_s_targets_are_the_defaults_and_some_values_are_clipped_there() -> None:
    assert (ARTICLE.target_mean, ARTICLE.target_std) == (163.7, 47.5)
    image = np.zeros((10, 10, 3))
    image[0, 0] = 200
    result = gwsd(image, ARTICLE)
    assert result.max() == 255
    assert gwsd(255 - image, ARTICLE).min() == 0


def test_mean_and_deviation_become_the_targets() -> None:
    result = gwsd(noise(2), UNCLIPPED)
    np.testing.assert_allclose(result.mean((0, 1)), 128)
    np.testing.assert_allclose(result.std((0, 1)), 20)


def test_own_targets_are_the_means_over_channels() -> None:
    image = noise(3)
    result = gwsd(image, OWN)
    np.testing.assert_allclose(result.mean((0, 1)), image.mean())
    np.testing.assert_allclose(result.std((0, 1)), image.std((0, 1)).mean())


def test_a_second_time_changes_nothing() -> None:
    once = gwsd(noise(4), UNCLIPPED)
    np.testing.assert_allclose(gwsd(once, UNCLIPPED), once)


gains = st.tuples(*[st.floats(0.3, 1.3)] * 3)  # less would reach the cap of the scale
offsets = st.tuples(*[st.floats(-10, 10)] * 3)


@settings(deadline=None)
@given(gains, offsets, st.integers(0, 2**32 - 1))
def test_gain_and_offset_of_a_channel_cancel(
    gain: tuple[float, ...], offset: tuple[float, ...], seed: int
) -> None:
    """The tint of the illuminant is removed."""
    image = noise(seed)
    np.testing.assert_allclose(gwsd(image * gain + offset, UNCLIPPED), gwsd(image, UNCLIPPED), atol=1e-6)


def test_gain_does_not_cancel_where_targets_are_the_image_s_own() -> None:
    image = noise(5)
    assert np.abs(gwsd(image * (0.5, 1, 1), OWN) - gwsd(image, OWN)).max() > 5


@pytest.mark.parametrize("parameters", [ARTICLE, OWN])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_flat_channels_and_single_pixels_stay_finite(parameters: GWSD, dtype: type[Any]) -> None:
    flat = np.full((5, 6, 3), 90, dtype)
    flat[:, :, 0] = np.arange(5)[:, None]
    for image in (flat, flat[:1, :1]):
        result = gwsd(image, parameters)
        assert result.dtype == dtype
        assert np.isfinite(result).all()
        expected = image.mean((0, 1)).mean() if parameters.target_mean is None else parameters.target_mean
        np.testing.assert_allclose(result[..., 1], expected, atol=0.5 if dtype == np.uint8 else 1e-4)


def test_a_nearly_flat_channel_is_spread_by_the_cap_alone() -> None:
    image = np.full((4, 4, 3), 100.0)
    image[0, 0] = 101
    result = gwsd(image, GWSD(target_mean=128, max_gain=10))
    np.testing.assert_allclose(result[0, 0] - result[1, 1], 10)


@pytest.mark.parametrize("parameters", [ARTICLE, OWN])
def test_types_agree_to_their_rounding(parameters: GWSD) -> None:
    image = np.random.default_rng(6).integers(0, 256, (12, 15, 3), np.uint8)
    exact = gwsd(image.astype(np.float64), parameters)
    np.testing.assert_array_equal(gwsd(image, parameters), np.rint(exact))
    np.testing.assert_allclose(gwsd(image.astype(np.float32), parameters), exact, atol=1e-4)


@pytest.mark.parametrize("parameters", [ARTICLE, OWN])
def test_images_of_a_batch_do_not_mix(parameters: GWSD) -> None:
    batch = noise(7, 2, 4, 9, 7, 3) * np.arange(1, 5)[:, None, None, None] / 4
    together = gwsd(batch, parameters)
    for index in np.ndindex(2, 4):
        np.testing.assert_allclose(together[index], gwsd(batch[index], parameters))


def test_the_given_image_is_not_changed() -> None:
    image = noise(8)
    before = image.copy()
    gwsd(image, ARTICLE)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("parameters", [ARTICLE, OWN, GWSD(robust=True)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_tensors_and_arrays_get_the_same_numbers(parameters: GWSD, dtype: type[Any]) -> None:
    batch = np.random.default_rng(9).integers(0, 256, (2, 3, 40, 31, 3)).astype(dtype)
    tensor = torch.from_numpy(batch).movedim(-1, -3).contiguous()
    result = gwsd(tensor, parameters)
    assert (result.dtype, result.shape) == (tensor.dtype, tensor.shape)
    tolerance = {"uint8": 0, "float32": 1e-6, "float64": 1e-12}[batch.dtype.name]  # order of summation
    np.testing.assert_allclose(result.movedim(-3, -1).numpy(), gwsd(batch, parameters), rtol=tolerance)


def test_low_precision_tensors_are_computed_in_double() -> None:
    image = torch.rand(3, 20, 20).mul(255).bfloat16()
    exact = gwsd(image.double(), ARTICLE)
    torch.testing.assert_close(gwsd(image, ARTICLE), exact.bfloat16(), rtol=0, atol=0)


def test_tensors_keep_their_gradient() -> None:
    image = torch.from_numpy(noise(10)).movedim(-1, 0).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: gwsd(x, UNCLIPPED), [image])


def test_the_table_of_bytes_is_the_definition() -> None:
    """All 256 levels in each channel, with counts of their own."""
    generator = np.random.default_rng(11)
    image = np.concatenate([np.arange(256)] * 3 + [generator.integers(90, 120, 1232)]).astype(np.uint8)
    image = np.stack([generator.permutation(image) for _ in range(3)], axis=-1).reshape(40, 50, 3)
    for parameters in (ARTICLE, GWSD(target_mean=None), GWSD(target_std=200.3)):
        np.testing.assert_array_equal(
            gwsd(image, parameters), np.rint(by_hand(image.astype(float), parameters))
        )


@pytest.mark.parametrize("parameters", [ARTICLE, OWN])
def test_views_are_as_good_as_copies(parameters: GWSD) -> None:
    image = np.random.default_rng(12).integers(0, 256, (20, 30, 3), np.uint8)
    for view in (image[..., ::-1], image[::-2], image.transpose(1, 0, 2)):
        np.testing.assert_array_equal(gwsd(view, parameters), gwsd(view.copy(), parameters))


def test_any_number_of_channels() -> None:
    image = np.random.default_rng(13).integers(0, 256, (20, 30, 5), np.uint8)
    for channels in (1, 2, 5):
        exact = gwsd(image[..., :channels].astype(np.float64), ARTICLE)
        np.testing.assert_array_equal(gwsd(image[..., :channels], ARTICLE), np.rint(exact))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4)),
        np.zeros((0, 4, 3)),
        np.zeros((4, 4, 3), np.int64),
        torch.zeros(3, 4, 4, dtype=torch.int64),
    ],
)
def test_what_is_no_image_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match="colour methods take"):
        gwsd(wrong, ARTICLE)


@pytest.mark.parametrize("robust", [False, True])
def test_targets_are_means_over_a_training_set(robust: bool) -> None:
    images: list[Values] = [noise(seed, 12 + seed, 15, 3) for seed in range(4)]
    found = estimate_targets(iter(images), robust)
    assert found.robust is robust
    if not robust:
        assert found.target_mean == pytest.approx(np.mean([image.mean() for image in images]))
        assert found.target_std == pytest.approx(np.mean([image.std((0, 1)).mean() for image in images]))
    assert estimate_targets([images[0]] * 3, robust) == estimate_targets(images[:1], robust)


def test_targets_of_normalised_images_are_those_they_were_normalised_to() -> None:
    normalised: list[Values] = [gwsd(noise(seed), UNCLIPPED) for seed in range(3)]
    found = estimate_targets(normalised)
    assert found.target_mean == pytest.approx(128)
    assert found.target_std == pytest.approx(20)


def test_no_images_give_no_targets() -> None:
    with pytest.raises(InputError, match="from no images"):
        estimate_targets([])
