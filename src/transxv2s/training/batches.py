"""Which images make up which batch on which device, and with what random changes.

Everything here is a function of seed, epoch and place: an epoch that was interrupted goes on as it would
have, and many devices see in one step what one device sees that accumulates as many batches.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from transxv2s.errors import ConfigError

Draw = tuple[int, int]  # an image and the seed of its random changes


class EpochOrder(Protocol):
    """The images of an epoch in order; iterating starts at `start` and sets that back to 0."""

    seed: int
    epoch: int
    start: int

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[int]: ...


def seed_of(*numbers: int) -> int:
    """A seed of 32 bits for a place in a run, by NumPy's hash, so that neighbours are not alike."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


class EpochBatches(Sampler[list[Draw]]):
    """The batches of one device; the devices take turns, and a last round that is not full is dropped.

    Args:
        sampler: The order of the epoch. Lightning tells it the epoch, and where to start, by this name.
        batch_size: Images of a batch.
        rank: This device among all.
        world: Number of devices.
        accumulate: Batches of one device in a step.

    Raises:
        ConfigError: There are not enough images for one step.
    """

    def __init__(
        self, sampler: EpochOrder, batch_size: int, rank: int = 0, world: int = 1, accumulate: int = 1
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self._rank = rank
        self._world = world
        self._round = batch_size * world * accumulate
        if len(sampler) < self._round:
            raise ConfigError(
                f"a step takes {self._round} images (batch_size, times the devices of hardware, times "
                f"hardware.accumulate), but only {len(sampler)} are there to train on; make it smaller"
            )

    def __len__(self) -> int:
        """Batches of this device in a whole epoch."""
        return self._used // (self.batch_size * self._world)

    @property
    def _used(self) -> int:
        return len(self.sampler) // self._round * self._round

    def __iter__(self) -> Iterator[list[Draw]]:
        seed, epoch, first = self.sampler.seed, self.sampler.epoch, self.sampler.start
        order = list(self.sampler)[: self._used - first]
        for place in range(self._rank * self.batch_size, len(order), self.batch_size * self._world):
            images = order[place : place + self.batch_size]
            yield [(image, seed_of(seed, epoch, first + place + i)) for i, image in enumerate(images)]


class SeededImages(Dataset[Any]):
    """Images whose random changes (by torch's generator, and no other) follow the seed they are asked with.

    Args:
        images: A data set that is asked by the number of an image.
    """

    def __init__(self, images: Dataset[Any]) -> None:
        self.images = images

    def __getitem__(self, draw: Draw) -> Any:
        index, seed = draw
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return self.images[index]


class Share(Sampler[list[int]]):
    """The batches in which one device scores images 0 to N − 1, in order.

    No image comes twice, and every device has as many batches as the others, for it waits for them; sizes
    differ by one at most.

    Args:
        images: Number of images N.
        batch_size: Largest size of a batch.
        rank: This device among all.
        world: Number of devices.

    Raises:
        ConfigError: There are fewer images than devices.
    """

    def __init__(self, images: int, batch_size: int, rank: int = 0, world: int = 1) -> None:
        if images < world:
            raise ConfigError(f"{images} images cannot be scored on {world} devices; take fewer devices")
        steps = -(-images // (batch_size * world))
        parts = np.array_split(np.arange(images), steps * world)
        self._batches = [part.tolist() for part in parts[rank * steps : (rank + 1) * steps]]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)
