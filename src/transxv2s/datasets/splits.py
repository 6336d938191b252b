"""Lesion-disjoint splits as files: made once from a seed, with a digest.

Images belong together when they share a lesion id or are byte-identical files, directly or over others.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from transxv2s.datasets.records import Record, examples, rows
from transxv2s.errors import DataError

COLUMNS = ("image", "lesion", "fold", "split")
FOLDS = 10
TEST_FOLDS = (0, 1)
VALIDATION_FOLD = 2
SUBSETS = ("train", "validation", "test")


class Components:
    """Connected components of names (union-find with path halving)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, name: str) -> str:
        """The representative of the component of a name."""
        self._parent.setdefault(name, name)
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def join(self, first: str, second: str) -> None:
        """Makes two components one, named by the smaller representative."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low


def groups(records: Sequence[Record]) -> list[str]:
    """For each record the name of its group: connected over lesion ids and identical file contents."""
    components = Components()
    for record in records:
        image = f"image:{record.id}"
        components.join(image, "bytes:" + hashlib.sha256(record.path.read_bytes()).hexdigest())
        if record.lesion:
            components.join(image, f"lesion:{record.lesion}")
    names = [components.find(f"image:{record.id}") for record in records]
    first: dict[str, str] = {}
    for record, name in zip(records, names, strict=True):
        first.setdefault(name, record.lesion or record.id)
    return [first[name] for name in names]


@dataclass(frozen=True)
class Split:
    """Which image belongs to which lesion group, fold and subset.

    Attributes:
        lesion: Group by image id; no group is in two subsets.
        fold: Fold by image id.
        subset: "train", "validation" or "test" by image id.
        digest: First 12 hex digits of the sha256 of the file.
    """

    lesion: dict[str, str]
    fold: dict[str, int]
    subset: dict[str, str]
    digest: str

    def select(self, records: Iterable[Record], subset: str) -> list[Record]:
        """The records of one subset, in their order.

        Raises:
            DataError: A record is not in the split.
        """
        records = list(records)
        unknown = [r.id for r in records if r.id not in self.subset]
        if unknown:
            raise DataError(f"{len(unknown)} images are not in the split, for example {examples(unknown)}")
        return [r for r in records if self.subset[r.id] == subset]


def subset_of(fold: int) -> str:
    """Folds 0 and 1 are the test part, fold 2 is for validation, the rest is for training."""
    return "test" if fold in TEST_FOLDS else "validation" if fold == VALIDATION_FOLD else "train"


def make(records: Sequence[Record], path: Path, seed: int = 0) -> None:
    """Writes a split of ten folds, stratified by class and source and grouped by lesion.

    Raises:
        DataError: A fold came out empty.
    """
    lesion = groups(records)
    strata = [f"{record.label}/{record.source}" for record in records]
    folds = np.full(len(records), -1)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    too_few = f"{len(records)} images of {len(set(lesion))} lesions are too few for {FOLDS} folds"
    try:
        for fold, (_, held_out) in enumerate(splitter.split(lesion, strata, lesion)):
            folds[held_out] = fold
    except ValueError as error:  # scikit-learn wants one stratum with at least an image for each fold
        raise DataError(too_few) from error
    if len(Counter(folds.tolist())) != FOLDS or folds.min() < 0:
        raise DataError(too_few)
    table = zip(records, lesion, folds.tolist(), strict=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted((r.id, group, fold, subset_of(fold)) for r, group, fold in table))


def load(path: Path) -> Split:
    """Reads a split file.

    Raises:
        DataError: It is missing, names an unknown subset, or puts one lesion into two subsets.
    """
    table = list(rows(path, COLUMNS))
    unknown = {row["split"] for row in table} - set(SUBSETS)
    if unknown:
        raise DataError(f"{path}: the column split must hold {', '.join(SUBSETS)}, not {', '.join(unknown)}")
    pairs = {(row["lesion"], row["split"]) for row in table}
    torn = sorted(lesion for lesion, n in Counter(lesion for lesion, _ in pairs).items() if n > 1)
    if torn:
        raise DataError(f"{path}: {len(torn)} lesions are in two subsets, for example {examples(torn)}")
    return Split(
        {row["image"]: row["lesion"] for row in table},
        {row["image"]: int(row["fold"]) for row in table},
        {row["image"]: row["split"] for row in table},
        hashlib.sha256(path.read_bytes()).hexdigest()[:12],
    )
