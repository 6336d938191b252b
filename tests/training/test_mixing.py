"""Mixup and CutMix on batches: what happens to images happens to their targets."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from transxv2s.training import mixing
from transxv2s.training.recipe import Augmentation

CLASSES = 7
LABELS = torch.tensor([0, 3, 1, 6, 2])


@pytest.fixture
def images() -> Tensor:
    """Flat, each of its own grey level, so that every pixel tells where it is from."""
    levels = torch.tensor([0, 50, 90, 160, 250], dtype=torch.uint8)
    return levels[:, None, None, None].expand(-1, 3, 32, 32).contiguous()


def mixed(images: Tensor, count: int = 50, **options: float) -> Iterator[tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    change = mixing.build(Augmentation.model_validate(options), CLASSES)
    for _ in range(count):
        yield change(images, LABELS)


def levels(images: Tensor) -> set[float]:
    """The grey levels that occur."""
    return set(images.flatten().tolist())


def shares(targets: Tensor) -> list[float]:
    """How much of each target is its own label; the rest must be the label of the image before."""
    own = targets.gather(1, LABELS[:, None])[:, 0]
    other = targets.gather(1, LABELS.roll(1)[:, None])[:, 0]
    torch.testing.assert_close(own + other, torch.ones(len(LABELS)))
    assert ((targets > 0).sum(1) <= 2).all()
    return own.tolist()


def test_off_is_the_identity(images: Tensor) -> None:
    for found, targets in mixed(images, 5):
        assert torch.equal(found, images)
        assert torch.equal(targets, LABELS)


def test_mixup_blends_images_as_their_targets(images: Tensor) -> None:
    drawn = set()
    for found, targets in mixed(images, mixup=0.4):
        for i, share in enumerate(shares(targets)):
            blend = share * images[i].float() + (1 - share) * images[i - 1].float()
            torch.testing.assert_close(found[i], blend, atol=1e-3, rtol=0)
        drawn.add(round(shares(targets)[0], 3))
    assert len(drawn) > 30


def test_cutmix_covers_the_share_that_the_targets_say(images: Tensor) -> None:
    for found, targets in mixed(images, cutmix=1.0):
        for i, share in enumerate(shares(targets)):
            assert levels(found[i]) <= {images[i].max().item(), images[i - 1].max().item()}
            assert (found[i] == images[i]).float().mean().item() == pytest.approx(share, abs=1e-5)


def test_batches_are_mixed_as_often_as_asked(images: Tensor) -> None:
    count = sum(targets.ndim == 2 for _, targets in mixed(images, 300, mixup=1.0, mix_probability=0.3))
    assert 60 < count < 120  # 90 expected, standard deviation 8


def test_with_both_each_batch_draws_one(images: Tensor) -> None:
    whole = levels(images)
    cut = [levels(found) <= whole for found, _ in mixed(images, 200, mixup=1.0, cutmix=1.0)]
    assert 70 < sum(cut) < 130
