"""Drawing training images: by class frequency, the same in every run, and from the middle of an epoch on."""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import Sampler

POWERS = {"none": 0.0, "square_root": 0.5, "balanced": 1.0}


def image_weights(labels: Sequence[int], sampling: Literal["none", "square_root", "balanced"]) -> Tensor:
    """Chance of each image (N,): the size of its class to the power of 0, -1/2 or -1.

    Classes are then drawn as they are, by the square root of their size, or all alike.
    """
    target = torch.tensor(labels)
    sizes = torch.bincount(target)
    return sizes[target].double() ** -POWERS[sampling]


class EpochSampler(Sampler[int]):
    """Indices of one epoch, fixed by seed and epoch; it can start after images already seen.

    With equal weights it is a permutation; otherwise drawing is with replacement.

    Args:
        weights: Chance of each image (N,).
        seed: Seed of the run.
    """

    def __init__(self, weights: Tensor, seed: int) -> None:
        self.weights = weights
        self.seed = seed
        self.epoch = 0
        self.start = 0

    def __len__(self) -> int:
        return len(self.weights)

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        if bool((self.weights == self.weights[0]).all()):
            order = torch.randperm(len(self), generator=generator)
        else:
            order = torch.multinomial(self.weights, len(self), replacement=True, generator=generator)
        start, self.start = self.start, 0
        return iter(order[start:].tolist())
