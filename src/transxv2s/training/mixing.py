"""Mixup and CutMix: random changes of a whole batch and of its targets, with torchvision's transforms."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from transxv2s.training.recipe import Augmentation


class Mixing(nn.Module):
    """Blends the images of a batch with each other, or pastes parts of one into another, targets alike.

    Args:
        kinds: Transforms of a batch and its class positions, of which each mixed batch draws one.
        probability: Share of the batches that are mixed.
    """

    def __init__(self, kinds: Sequence[nn.Module], probability: float) -> None:
        super().__init__()
        self.kinds = nn.ModuleList(kinds)
        self.probability = probability

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 3, S, S) and class positions (B,) to images and targets (B, K), or to what they were."""
        if not self.kinds or torch.rand(()) >= self.probability:
            return images, labels
        kind = self.kinds[int(torch.randint(len(self.kinds), ()))]
        mixed: tuple[Tensor, Tensor] = kind(images.float(), labels)
        return mixed


def build(augmentation: Augmentation, classes: int) -> Mixing:
    """The part of the augmentation that works on batches."""
    kinds: list[nn.Module] = []
    if augmentation.mixup:
        kinds.append(v2.MixUp(alpha=augmentation.mixup, num_classes=classes))
    if augmentation.cutmix:
        kinds.append(v2.CutMix(alpha=augmentation.cutmix, num_classes=classes))
    return Mixing(kinds, augmentation.mix_probability)
