"""Lightning's data module over prepared images: ISIC 2019, a split file and a store."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from transxv2s.datasets import ham10000, isic2019, splits, store
from transxv2s.datasets.article import doubled, is_copy, original
from transxv2s.datasets.audit import refuse_leaks
from transxv2s.datasets.copies import copies
from transxv2s.datasets.protocol import audit_split, is_doubled
from transxv2s.datasets.records import Reading, Record, with_larger_files
from transxv2s.imaging.pipeline import Rgb
from transxv2s.training import augment
from transxv2s.training.recipe import Recipe
from transxv2s.training.sampling import EpochSampler, image_weights

EVALUATION_BATCH = 64

log = logging.getLogger(__name__)


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
        split: The split in use.
        audit: What was found in the images used.
        records: The images of each subset.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        reading = self._read()
        self.split = self._split(reading)
        records = doubled(reading.records) if is_doubled(self.split) else reading.records
        used = {s: _thinned(self.split.select(records, s), recipe.data.limit) for s in splits.SUBSETS}
        self.audit = audit_split(replace(reading, records=_originals(used)), self.split)
        refuse_leaks(self.audit, recipe.data.leaky)
        self.records = {subset: self._larger(chosen) for subset, chosen in used.items()}
        self.sampler = EpochSampler(image_weights(self.labels("train"), recipe.sampling), recipe.seed)

    def _read(self) -> Reading:
        reading = isic2019.read(self.recipe.data.isic2019)
        for note in reading.notes:
            log.warning("%s", note)
        return reading

    def _split(self, reading: Reading) -> splits.Split:
        """The split of the recipe, made if need be."""
        data = self.recipe.data
        if not data.split.exists():
            splits.write(splits.grouped(reading.records, copies(reading.records)[0]), data.split)
        split = splits.load(data.split)
        return split if data.fold is None else split.for_fold(data.fold)

    def _larger(self, records: Sequence[Record]) -> tuple[Record, ...]:
        folder = self.recipe.data.ham10000
        return with_larger_files(records, ham10000.files(folder) if folder else {})

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
        recipe, folder = self.recipe.preprocessing, self.recipe.data.store
        if not is_doubled(self.split):
            return store.prepare(records, recipe, folder)
        plain = recipe.model_copy(update={"hair_removal": None, "field_of_view": False, "colour": None})
        kinds = [is_copy(record.id) for record in records]
        parts = [
            store.prepare([r for r, k in zip(records, kinds, strict=True) if k == kind], steps, folder)
            for kind, steps in ((False, plain), (True, recipe))
        ]
        return Interleaved(parts, kinds)

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


def _originals(used: Mapping[str, Sequence[Record]]) -> tuple[Record, ...]:
    """Each image once, whether one or both of its copies are used."""
    records = [record for chosen in used.values() for record in chosen]
    return tuple({(image := original(r.id)): replace(r, id=image) for r in records}.values())
