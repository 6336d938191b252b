"""Augmentation on uint8 images: shapes, ranges, and that "off" is off."""

import pytest
import torch
from torch import Tensor, nn

from transxv2s.training.augment import QuarterTurn, ResolutionJitter, build
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
        {"dihedral": True, "min_area": 0.6, "colour_jitter": 0.2, "resolution_jitter": 0.3},
    ],
)
def test_shape_and_type_stay_and_pixels_change(options: dict[str, float], image: Tensor) -> None:
    drawn = draws(build(Augmentation.model_validate(options), SIDE), image, 20)
    assert {(d.shape, d.dtype) for d in drawn} == {(image.shape, torch.uint8)}
    assert not all(torch.equal(d, image) for d in drawn)


def test_resolution_jitter_loses_detail_but_neither_mean_nor_range(image: Tensor) -> None:
    checks = (image > 127).to(torch.uint8) * 255  # overshoots of the cubic would wrap around
    for drawn in draws(ResolutionJitter(1.0), checks, 20):
        assert drawn.float().std() < checks.float().std()
        assert drawn.float().mean() == pytest.approx(checks.float().mean(), abs=5)


@pytest.mark.parametrize("value", [0, 200, 255])
def test_resolution_jitter_leaves_a_flat_image(value: int) -> None:
    flat = torch.full((3, SIDE, SIDE), value, dtype=torch.uint8)
    assert all(torch.equal(drawn, flat) for drawn in draws(ResolutionJitter(1.0), flat, 10))


def test_resolution_jitter_comes_as_often_as_asked(image: Tensor) -> None:
    changed = sum(not torch.equal(d, image) for d in draws(ResolutionJitter(0.3), image, 300))
    assert 60 < changed < 120  # 90 expected, standard deviation 8
