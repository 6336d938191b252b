"""Colour jitter in one product: torchvision's factors, and a hue that turns in scikit-image's YIQ."""

import math
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.color import rgb2yiq
from torch import Tensor
from torchvision.transforms.v2 import functional

from transxv2s.training import colour_jitter
from transxv2s.training.colour_jitter import ColourJitter, change_colours


@pytest.fixture
def image() -> Tensor:
    """Away from black and white, so that nothing below is clipped."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(90, 160, (3, 40, 50), generator=generator, dtype=torch.uint8)


def apart(a: Tensor, b: Tensor) -> int:
    return int((a.int() - b.int()).abs().max())


@pytest.mark.parametrize("factor", [0.75, 0.9, 1.0, 1.1, 1.25])
def test_single_factors_are_torchvisions_within_a_level(factor: float, image: Tensor) -> None:
    """Torchvision cuts fractions off where this rounds."""
    assert apart(change_colours(image, factor, 1, 1, 0), functional.adjust_brightness(image, factor)) <= 1
    assert apart(change_colours(image, 1, factor, 1, 0), functional.adjust_contrast(image, factor)) <= 1
    assert apart(change_colours(image, 1, 1, factor, 0), functional.adjust_saturation(image, factor)) <= 1


def test_all_factors_at_once_are_torchvisions_in_any_order(image: Tensor) -> None:
    """On fractions of levels, where torchvision cuts nothing off between its steps."""
    steps: list[tuple[Callable[..., Tensor], float]] = [
        (functional.adjust_brightness, 1.15),
        (functional.adjust_contrast, 0.85),
        (functional.adjust_saturation, 1.2),
    ]
    found = change_colours(image, 1.15, 0.85, 1.2, 0)
    for order in permutations(steps):
        judge = image.float() / 255
        for step, factor in order:
            judge = step(judge, factor)
        assert apart(found, (judge * 255).round()) <= 1


def chroma(image: Tensor) -> NDArray[np.complex128]:
    yiq = rgb2yiq(image.permute(1, 2, 0).numpy())
    return np.asarray(yiq[..., 1] + 1j * yiq[..., 2])


@pytest.mark.parametrize("hue", [-0.1, 0.02, 0.25])
def test_the_hue_turns_in_yiq_and_luma_stays(hue: float, image: Tensor) -> None:
    found = change_colours(image, 1, 1, 1, hue)
    rounding = 1.5 / 255
    expected = chroma(image) * np.exp(2j * math.pi * hue)
    assert np.abs(chroma(found) - expected).max() < rounding
    luma = [rgb2yiq(x.permute(1, 2, 0).numpy())[..., 0] for x in (found, image)]
    assert np.abs(luma[0] - luma[1]).max() < rounding


def test_greys_have_neither_hue_nor_saturation() -> None:
    grey = torch.arange(256, dtype=torch.uint8).expand(3, 1, 256)
    assert torch.equal(change_colours(grey, 1, 1, 1.3, 0.1), grey)


def test_what_leaves_the_range_is_clipped() -> None:
    levels = torch.arange(256, dtype=torch.uint8).expand(3, 1, 256)
    assert torch.equal(change_colours(levels, 2, 1, 1, 0), (2 * levels.int()).clamp(max=255).to(torch.uint8))


def test_strengths_are_torchvisions(image: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = []

    def lowest(low: float, high: float) -> float:
        ranges.append((low, high))
        return low

    monkeypatch.setattr(colour_jitter, "between", lowest)
    ColourJitter(0.2)(image)
    assert sorted(ranges) == [(-0.02, 0.02), (0.8, 1.2), (0.8, 1.2), (0.8, 1.2)]
