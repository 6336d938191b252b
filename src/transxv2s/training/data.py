"""Lightning's data module over prepared images: ISIC 2019, a split file and a store."""

import logging
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from transxv2s.datasets import ham10000, isic2019, splits, store
from transxv2s.datasets.records import Record, examples, with_larger_files
from transxv2s.training import augment
from transxv2s.training.recipe import Recipe
from transxv2s.training.sampling import EpochSampler, image_weights

EVALUATION_BATCH = 64

log = logging.getLogger(__name__)


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
        split: The split in use.
        records: The images of each subset.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        records = self._read()
        self.split = splits.load(recipe.data.split)
        self.records = {s: _thinned(self.split.select(records, s), recipe.data.limit) for s in splits.SUBSETS}
        self.sampler = EpochSampler(image_weights(self.labels("train"), recipe.sampling), recipe.seed)

    def _read(self) -> list[Record]:
        data = self.recipe.data
        reading = isic2019.read(data.isic2019)
        if reading.missing:
            log.warning("%d images have no file, such as %s", len(reading.missing), examples(reading.missing))
        records = list(reading.records)
        if not data.split.exists():
            splits.make(records, data.split)
        return with_larger_files(records, ham10000.files(data.ham10000) if data.ham10000 else {})

    def labels(self, subset: str) -> list[int]:
        """Class positions of a subset."""
        return [record.label for record in self.records[subset]]

    def dataset(self, subset: str) -> PreparedImages:
        """A subset, prepared on first use; only training images are changed at random."""
        recipe = self.recipe
        images = store.prepare(self.records[subset], recipe.preprocessing, recipe.data.store)
        change = augment.build(recipe.augmentation, recipe.preprocessing.size) if subset == "train" else None
        return PreparedImages(images, self.labels(subset), change)

    def prepare_data(self) -> None:
        """Called by Lightning in one process: fills the store."""
        for subset in splits.SUBSETS:
            self.dataset(subset)

    def _loader(self, subset: str, **options: Any) -> DataLoader[Any]:
        workers = self.recipe.workers
        return DataLoader(
            self.dataset(subset),
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=False,
            **options,
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled or weighted; an incomplete last batch is dropped."""
        return self._loader("train", batch_size=self.recipe.batch_size, sampler=self.sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """In order."""
        return self._loader("validation", batch_size=EVALUATION_BATCH)

    def test_dataloader(self) -> DataLoader[Any]:
        """In order."""
        return self._loader("test", batch_size=EVALUATION_BATCH)

    def state_dict(self) -> dict[str, Any]:
        """Epoch and number of images already seen of it, for a resumed run.

        Lightning saves before it counts a batch as completed, so those that are ready are counted here; at
        the end of an epoch nothing of the next one was seen.
        """
        if self.trainer is None:
            return {}
        epochs: Any = self.trainer.fit_loop.epoch_progress.current
        batches = self.trainer.fit_loop.epoch_loop.batch_progress.current
        seen = batches.ready * self.recipe.batch_size if epochs.started > epochs.processed else 0
        return {"epoch": epochs.processed, "seen": seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Makes the sampler go on after the images already seen.

        Workers ask for their first images before Lightning tells the sampler the epoch.
        """
        self.sampler.set_epoch(state_dict["epoch"])
        self.sampler.start = state_dict["seen"]


def _thinned(records: list[Record], limit: int | None) -> list[Record]:
    """At most this many records, evenly spaced."""
    if limit is None or limit >= len(records):
        return records
    return [records[i * len(records) // limit] for i in range(limit)]
