"""Lightning's data module over prepared images: a data set, a split file and a store."""

from collections.abc import Iterable, Sequence
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from transxv2s.datasets import splits, store
from transxv2s.datasets.article import is_copy
from transxv2s.datasets.records import Record
from transxv2s.imaging.pipeline import Rgb
from transxv2s.training import augment
from transxv2s.training.batches import EpochBatches, SeededImages, Share
from transxv2s.training.recipe import Recipe
from transxv2s.training.sampling import EpochSampler, image_weights
from transxv2s.training.selection import parts, select
from transxv2s.training.stopping import leave_signals
from transxv2s.trust.fitting import evenly_by_class

EVALUATION_BATCH = 64


class Interleaved:
    """Images from two stores, in the order of the records.

    Args:
        parts: The two stores.
        second: For each image, whether it is the next of the second store.
    """

    def __init__(self, parts: Sequence[store.Images], second: Sequence[bool]) -> None:
        self._parts = parts
        rank = [0, 0]
        self._places: list[tuple[bool, int]] = []
        for part in second:
            self._places.append((part, rank[part]))
            rank[part] += 1

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int, /) -> Rgb:
        part, place = self._places[index]
        return self._parts[part][place]


class PreparedImages(Dataset[tuple[Tensor, int]]):
    """Preprocessed images and their labels.

    Args:
        images: uint8 (N, S, S, 3), usually memory-mapped.
        labels: N class positions.
        transform: Applied to uint8 (3, S, S).
    """

    def __init__(self, images: store.Images, labels: list[int], transform: nn.Module | None = None) -> None:
        self.images = images
        self.labels = labels
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = torch.from_numpy(self.images[index].copy()).permute(2, 0, 1)
        return (self.transform(image) if self.transform else image), self.labels[index]


class LesionData(lightning.LightningDataModule):
    """Training, validation and test images of a recipe; batches are uint8 (B, 3, S, S) with labels (B,).

    Attributes:
        taxonomy: The classes, in the order of the labels.
        split: The split in use.
        audit: What was found in the images used.
        records: The images of each subset.
        leaks: Whether held-out images share something with those of training; see `Selection`.
        parent: The checkpoint that training starts from, if any.
        origin: What is to be told of it.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        chosen = select(recipe)
        self.taxonomy, self.split, self.audit = chosen.taxonomy, chosen.split, chosen.audit
        self.records, self.leaks = chosen.records, chosen.leaks
        self.parent, self.origin = chosen.parent, chosen.origin
        self.sampler = EpochSampler(image_weights(self.labels("train"), recipe.sampling), recipe.seed)

    def labels(self, subset: str) -> list[int]:
        """Class positions of a subset."""
        return [record.label for record in self.records[subset]]

    def dataset(self, subset: str) -> PreparedImages:
        """A subset, prepared on first use; only training images are changed at random."""
        recipe = self.recipe
        change = augment.build(recipe.augmentation, recipe.preprocessing.size) if subset == "train" else None
        return PreparedImages(self._images(self.records[subset]), self.labels(subset), change)

    def _images(self, records: Sequence[Record]) -> store.Images:
        """Under the article's protocol an image as it is, beside copies that are preprocessed."""
        made = [
            store.prepare(part.records, part.preprocessing, self.recipe.data.store)
            for part in parts(records, self.recipe.preprocessing, self.split)
        ]
        return made[0] if len(made) == 1 else Interleaved(made, [is_copy(record.id) for record in records])

    def prepare_data(self) -> None:
        """Called by Lightning in one process: fills the store."""
        for subset in splits.SUBSETS:
            self.dataset(subset)

    def _loader(self, dataset: Dataset[Any], batches: Iterable[Any]) -> DataLoader[Any]:
        workers = self.recipe.workers
        return DataLoader(
            dataset,
            batch_sampler=batches,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=False,
            worker_init_fn=leave_signals,
        )

    @property
    def _place(self) -> tuple[int, int]:
        """This device and the number of all."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def train_dataloader(self) -> DataLoader[Any]:
        """This device's batches, shuffled or weighted; a last round that is not full is dropped."""
        batch_size, accumulate = self.recipe.batch_size, self.recipe.hardware.accumulate
        batches = EpochBatches(self.sampler, batch_size, *self._place, accumulate)
        return self._loader(SeededImages(self.dataset("train")), batches)

    def val_dataloader(self) -> DataLoader[Any]:
        """This device's share, in order."""
        return self._in_order("validation")

    def test_dataloader(self) -> DataLoader[Any]:
        """This device's share, in order."""
        return self._in_order("test")

    def known_dataloader(self) -> DataLoader[Any]:
        """This device's share of some training images as they are, from which novelty is learnt."""
        return self._in_order("train", self.known)

    @property
    def known(self) -> list[int]:
        """Places in the training subset of the images from which novelty is learnt."""
        return evenly_by_class(self.labels("train"))

    def _in_order(self, subset: str, places: Sequence[int] | None = None) -> DataLoader[Any]:
        images = PreparedImages(self._images(self.records[subset]), self.labels(subset))
        dataset: Any = images if places is None else Subset(images, places)
        return self._loader(dataset, Share(len(dataset), EVALUATION_BATCH, *self._place))

    def state_dict(self) -> dict[str, Any]:
        """Epoch and number of images already seen of it, for a resumed run.

        Lightning saves before it counts a batch as completed, so those that are ready are counted here; at
        the end of an epoch nothing of the next one was seen.
        """
        if self.trainer is None:
            return {}
        epochs: Any = self.trainer.fit_loop.epoch_progress.current
        batches = self.trainer.fit_loop.epoch_loop.batch_progress.current
        images = self.recipe.batch_size * self.trainer.world_size
        seen = batches.ready * images if epochs.started > epochs.processed else 0
        return {"epoch": epochs.processed, "seen": seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Makes the sampler go on after the images already seen.

        Workers ask for their first images before Lightning tells the sampler the epoch.
        """
        self.sampler.set_epoch(state_dict["epoch"])
        self.sampler.start = state_dict["seen"]
