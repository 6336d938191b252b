"""Splits as files: made once from a seed, with a digest, by one of three protocols.

`grouped`: ten folds that tear neither a lesion nor copies of a picture. `leave-source-out`: whole hospitals
held out. `by-image`, for comparison only: the article's, which tears both.
"""

import csv
import hashlib
import io
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from transxv2s.datasets.article import doubled
from transxv2s.datasets.duplicates import Pair
from transxv2s.datasets.groups import groups
from transxv2s.datasets.records import Record, counted, examples, plain
from transxv2s.datasets.tables import Row, known, read_table
from transxv2s.errors import DataError
from transxv2s.files import make_folders, write_whole

COLUMNS = ("image", "lesion", "fold", "split")
FOLDS = 10
TEST_FOLDS = (0, 1)
VALIDATION_FOLD = 2
SUBSETS = ("train", "validation", "test")
UNUSED = "unused"  # would leak or is kept for later: listed, so that nothing vanishes in silence


@dataclass(frozen=True)
class Split:
    """Which image belongs to which group, fold and subset.

    Attributes:
        lesion: Group by image id.
        fold: Fold by image id.
        subset: "train", "validation", "test" or "unused" by image id.
        digest: First 12 hex digits of the sha256 of the file; "+fold K" follows where a fold was chosen.
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
            raise DataError(
                counted(unknown, "image is not in the split", "images are not in the split")
                + ": make a split of this data set with `transxv2s data split`"
            )
        return [r for r in records if self.subset[r.id] == subset]

    def for_fold(self, test: int) -> "Split":
        """The same folds with another one for testing; the next one is for validation. Unused stays unused.

        Raises:
            DataError: There is no such fold.
        """
        folds = sorted(set(self.fold.values()))
        if test not in folds:
            raise DataError(f"the split has the folds {folds[0]} to {folds[-1]}, not {test}")
        validation = folds[(folds.index(test) + 1) % len(folds)]
        part = {test: "test", validation: "validation"}
        subset = {
            image: UNUSED if self.subset[image] == UNUSED else part.get(fold, "train")
            for image, fold in self.fold.items()
        }
        return replace(self, subset=subset, digest=f"{self.digest}+fold {test}")


def subset_of(fold: int) -> str:
    """Folds 0 and 1 are the test part, fold 2 is for validation, the rest is for training."""
    return "test" if fold in TEST_FOLDS else "validation" if fold == VALIDATION_FOLD else "train"


def grouped(records: Sequence[Record], copies: Iterable[Pair], seed: int = 0) -> list[Row]:
    """Rows of a split of ten folds, stratified by class and source; no group is in two folds.

    Args:
        records: The images.
        copies: Pairs of their positions that show the same picture.
        seed: Of the shuffling.

    Raises:
        DataError: There are too few groups for ten folds.
    """
    lesion = groups(records, copies)
    fold = _folds(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed), records, lesion)
    return [_row(r.id, group, k, subset_of(k)) for r, group, k in zip(records, lesion, fold, strict=True)]


def by_image(records: Sequence[Record], seed: int = 0) -> list[Row]:
    """Rows of the article's protocol, for comparison only: the set doubled by preprocessing, split by image.

    Copies of a picture and images of one lesion fall on both sides: every output of such a split says so.
    """
    twice = doubled(records)
    fold = _folds(StratifiedKFold(FOLDS, shuffle=True, random_state=seed), twice, None)
    return [
        _row(r.id, r.lesion or original.id, k, subset_of(k))
        for r, original, k in zip(twice, [*records, *records], fold, strict=True)
    ]


def _folds(
    splitter: StratifiedKFold | StratifiedGroupKFold, records: Sequence[Record], group: Sequence[str] | None
) -> list[int]:
    strata = [f"{record.label}/{record.source}" for record in records]
    fold = np.full(len(records), -1)
    lesions = len(set(group if group else records))
    too_few = (
        f"{len(records)} images of {lesions} lesions are too few for {FOLDS} folds: add images, at least one "
        f"class of one source needs {FOLDS}, or evaluate them all without a split"
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of strata with fewer images than there are folds
            for k, (_, held_out) in enumerate(splitter.split(strata, strata, group)):
                fold[held_out] = k
    except ValueError as error:  # scikit-learn wants one stratum with at least an image for each fold
        raise DataError(too_few) from error
    if len(Counter(fold.tolist())) != FOLDS or fold.min() < 0:  # scikit-learn can leave a fold empty
        raise DataError(too_few)
    found: list[int] = fold.tolist()
    return found


def leave_source_out(base: Split, records: Sequence[Record], sources: Collection[str]) -> list[Row]:
    """Rows of a split that trains on some sources and tests on all others.

    Args:
        base: A grouped split of the same images; its validation fold stays for validation.
        records: The images, with their sources.
        sources: To train on. Their images that share a group with a test image are "unused", and so is what
            is in the base.

    Raises:
        DataError: A source is unknown, or none is left to test on.
    """
    there = {record.source for record in records}
    if not set(sources) < there:
        raise DataError(
            f"train on some of the sources {', '.join(sorted(there))}, and not on all of them; "
            f"asked for was {', '.join(sorted(sources)) or 'none'}"
        )
    kept_out = {r.id for r in records if base.subset[r.id] == UNUSED}
    tested = {base.lesion[r.id] for r in records if r.source not in sources and r.id not in kept_out}
    rows = []
    for r in records:
        lesion, fold = base.lesion[r.id], base.fold[r.id]
        inside = UNUSED if lesion in tested else "validation" if fold == VALIDATION_FOLD else "train"
        part = inside if r.source in sources else "test"
        rows.append(_row(r.id, lesion, fold, UNUSED if r.id in kept_out else part))
    return rows


def left_out(rows: Sequence[Row], images: Collection[str]) -> list[Row]:
    """Rows of the same split in which these images, and all of their groups, are "unused".

    Args:
        rows: Of a split.
        images: Ids; of the ISIC Archive in whatever size.

    Raises:
        DataError: None of the images is in the split.
    """
    plainly = {plain(image) for image in images}
    groups = {row["lesion"] for row in rows if plain(row["image"]) in plainly}
    if not groups:
        raise DataError("none of the images to leave out is in the data set: name them as it does")
    return [row | {"split": UNUSED} if row["lesion"] in groups else row for row in rows]


def _row(image: str, lesion: str, fold: int, split: str) -> Row:
    return {"image": image, "lesion": lesion, "fold": str(fold), "split": split}


def write(rows: Iterable[Row], path: Path) -> str:
    """Writes a split file, sorted by image, and returns its digest.

    Raises:
        DataError: It cannot be written.
    """
    make_folders(path.parent)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["image"]))
    write_whole(path, buffer.getvalue())
    return digest(path)


def digest(path: Path) -> str:
    """First 12 hex digits of the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def load(path: Path) -> Split:
    """Reads a split file. Whether it leaks is for the audit to say. An image of no lesion is one of its own.

    Raises:
        DataError: It is missing, names an image twice or an unknown subset, or a fold is no number.
    """
    if not path.exists():
        raise DataError(f"the split file {path} is missing: make one with `transxv2s data split`")
    table = read_table(path, COLUMNS)
    unknown = {row["split"] for row in table} - {*SUBSETS, UNUSED}
    if unknown:
        named = ", ".join(map(repr, sorted(unknown)))
        raise DataError(f"{path}: the column split must hold {', '.join(SUBSETS)}, not {named}")
    twice = [image for image, n in Counter(row["image"] for row in table).items() if n > 1]
    if twice:
        raise DataError(
            f"{path}: {counted(twice, 'image has several rows', 'images have several rows')}: keep one"
        )
    odd = [row["image"] for row in table if not (row["fold"].isdecimal() and len(row["fold"]) < 10)]
    if odd:
        raise DataError(f"{path}: the fold of {examples(odd)} is not a whole number: number the folds from 0")
    return Split(
        {row["image"]: known(row["lesion"]) or row["image"] for row in table},
        {row["image"]: int(row["fold"]) for row in table},
        {row["image"]: row["split"] for row in table},
        digest(path),
    )
