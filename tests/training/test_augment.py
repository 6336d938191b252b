"""Augmentation on uint8 images: shapes, ranges, and that "off" is off."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from transxv2s.training import augment, colour_jitter
from transxv2s.training.augment import (
    JpegJitter,
    QuarterTurn,
    Reflected,
    ResolutionJitter,
    Rotation,
    build,
    rand_augment,
)
from transxv2s.training.recipe import Augmentation

SIDE = 64


@pytest.fixture
def image() -> Tensor:
    """No two pixels of a channel are alike by position, so that a permutation shows."""
    return torch.randint(256, (3, SIDE, SIDE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def symmetries(image: Tensor) -> list[Tensor]:
    turned = [torch.rot90(image, k, (1, 2)) for k in range(4)]
    return turned + [t.flip(2) for t in turned]


def draws(change: nn.Module, image: Tensor, count: int = 60) -> list[Tensor]:
    torch.manual_seed(0)
    return [change(image) for _ in range(count)]


def test_off_is_the_identity(image: Tensor) -> None:
    change = build(Augmentation(), SIDE)
    assert all(torch.equal(drawn, image) for drawn in draws(change, image, 5))


def test_dihedral_draws_each_of_the_eight_symmetries_and_nothing_else(image: Tensor) -> None:
    expected = symmetries(image)
    drawn = draws(build(Augmentation(dihedral=True), SIDE), image, 200)
    found = [[torch.equal(d, e) for e in expected] for d in drawn]
    assert all(sum(match) == 1 for match in found)
    assert min(sum(column) for column in zip(*found, strict=True)) >= 10  # 25 expected of each


def test_quarter_turns_do_not_mirror(image: Tensor) -> None:
    expected = symmetries(image)[:4]
    assert all(any(torch.equal(d, e) for e in expected) for d in draws(QuarterTurn(), image))


@pytest.mark.parametrize(
    "options",
    [
        {"dihedral": True},
        {"min_area": 0.5},
        {"colour_jitter": 1.0},
        {"resolution_jitter": 1.0},
        {"rotation": 20},
        {"rand_augment": 9},
        {"jpeg_quality": 30},
        {"dihedral": True, "min_area": 0.6, "colour_jitter": 0.2, "resolution_jitter": 0.3},
    ],
)
def test_shape_and_type_stay_and_pixels_change(options: dict[str, float], image: Tensor) -> None:
    drawn = draws(build(Augmentation.model_validate(options), SIDE), image, 20)
    assert {(d.shape, d.dtype) for d in drawn} == {(image.shape, torch.uint8)}
    assert not all(torch.equal(d, image) for d in drawn)


def test_resolution_jitter_loses_detail_but_neither_mean_nor_range(image: Tensor) -> None:
    checks = (image > 127).to(torch.uint8) * 255  # overshoots of the cubic would wrap around
    for drawn in draws(ResolutionJitter(1.0, 0.5), checks, 20):
        assert drawn.float().std() < checks.float().std()
        assert drawn.float().mean() == pytest.approx(checks.float().mean(), abs=5)


@pytest.mark.parametrize("value", [0, 200, 255])
def test_resolution_jitter_leaves_a_flat_image(value: int) -> None:
    flat = torch.full((3, SIDE, SIDE), value, dtype=torch.uint8)
    assert all(torch.equal(drawn, flat) for drawn in draws(ResolutionJitter(1.0, 0.1), flat, 10))


def test_resolution_jitter_comes_as_often_as_asked(image: Tensor) -> None:
    changed = sum(not torch.equal(d, image) for d in draws(ResolutionJitter(0.3, 0.5), image, 300))
    assert 60 < changed < 120  # 90 expected, standard deviation 8


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_resolution_jitter_shrinks_down_to_the_smallest_share(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides, original = [], functional.interpolate

    def interpolate(x: Tensor, size: tuple[int, int], **options: Any) -> Tensor:
        sides.append(size[0])
        return original(x, size, **options)

    monkeypatch.setattr(f"{augment.__name__}.F.interpolate", interpolate)
    draws(ResolutionJitter(1.0, share), torch.zeros(3, 100, 100, dtype=torch.uint8), 200)
    shrunk = sides[::2]
    assert 100 * share <= min(shrunk) < 100 * share + 5
    assert max(shrunk) >= 95


def waves(x: Tensor, y: Tensor) -> Tensor:
    """Grey levels (3, …) at coordinates, long against a pixel."""
    channels = [torch.sin(x / 9 + k) * torch.cos(y / 13 - k) for k in range(3)]
    return (127 + 100 * torch.stack(channels)).round().to(torch.uint8)


def coordinates(side: int) -> tuple[Tensor, Tensor]:
    """x to the right and y down (side, side), from the centre."""
    steps = torch.arange(side) - (side - 1) / 2
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return x, y


def turned(image: Tensor, degrees: float, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    monkeypatch.setattr(f"{augment.__name__}.between", lambda *_: degrees)
    drawn: Tensor = Rotation(180)(image)
    return drawn


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2])
def test_rotation_by_right_angles_moves_pixels(
    quarters: int, image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = torch.rot90(image, quarters, (1, 2))
    assert torch.equal(turned(image, 90 * quarters, monkeypatch), expected)


@pytest.mark.parametrize("degrees", [-170, 30, 45, 77])
def test_rotation_turns_counter_clockwise_about_the_centre(
    degrees: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside the circle that never leaves the image, by the formula that the image is made with.

    Within two levels: rounding of the image by half a level grows to nearly one in the cubic, whose weights
    are of both signs, and the result and the formula are rounded too.
    """
    x, y = coordinates(SIDE)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    expected = waves(cosine * x - sine * y, sine * x + cosine * y)
    found = turned(waves(x, y), degrees, monkeypatch)
    inside = x.hypot(y) < SIDE / 2 - 3
    assert (found.int() - expected.int()).abs()[:, inside].max() <= 2


def test_rotation_draws_every_angle_up_to_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    angles = []

    def between(low: float, high: float) -> float:
        angles.append(colour_jitter.between(low, high))
        return angles[-1]

    monkeypatch.setattr(f"{augment.__name__}.between", between)
    draws(Rotation(40), torch.zeros(3, 8, 8, dtype=torch.uint8), 200)
    assert -40 <= min(angles) < -35
    assert 35 < max(angles) <= 40


@pytest.mark.parametrize("change", [Rotation(180), Reflected(rand_augment(10), augment.RAND_AUGMENT_BORDER)])
def test_no_border_is_black(change: nn.Module) -> None:
    """A flat image stays flat: nothing comes from outside."""
    flat = torch.full((3, SIDE, SIDE), 200, dtype=torch.uint8)
    assert all(drawn.amin((1, 2)).equal(drawn.amax((1, 2))) for drawn in draws(change, flat, 300))


def test_a_jpeg_of_lower_quality_is_farther_from_its_image_and_keeps_its_channels() -> None:
    image = waves(*coordinates(SIDE))
    far, near = (
        torch.stack([(d.float() - image).abs().mean() for d in draws(JpegJitter(quality), image)]).max()
        for quality in (5, 95)
    )
    assert far > 3 * near
    assert near < 2
