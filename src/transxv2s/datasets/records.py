"""One labelled image, and what all readers share: reading CSV tables and finding image files."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from transxv2s.errors import DataError
from transxv2s.imaging.decode import SUFFIXES

EXAMPLES = 3  # how many names a message shows


@dataclass(frozen=True)
class Record:
    """One labelled image.

    Attributes:
        id: The publisher's image id.
        path: Where the image file is.
        label: Position of its class in the ISIC 2019 taxonomy.
        lesion: The publisher's lesion id; None where none is known.
        source: The collection or hospital it comes from.
    """

    id: str
    path: Path
    label: int
    lesion: str | None
    source: str


@dataclass(frozen=True)
class Reading:
    """What a reader found.

    Attributes:
        records: The usable images.
        missing: Ids that the table names and for which there is no file.
    """

    records: tuple[Record, ...]
    missing: tuple[str, ...]


def rows(path: Path, required: Iterable[str]) -> Iterator[dict[str, str]]:
    """Rows of a CSV file; extra columns and any line ends are fine.

    Raises:
        DataError: The file or a required column is missing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            absent = set(required) - set(reader.fieldnames or ())
            if absent:
                raise DataError(
                    f"{path} has no column {', '.join(sorted(absent))}: is it the publisher's file?"
                )
            yield from reader
    except FileNotFoundError:
        raise DataError(f"{path} is missing: unpack the data set as its publisher lays it out") from None


def image_files(folder: Path) -> dict[str, Path]:
    """Image files of a folder by id (the name without its suffix).

    Raises:
        DataError: The folder is missing.
    """
    if not folder.is_dir():
        raise DataError(
            f"the image folder {folder} is missing: unpack the data set as its publisher lays it out"
        )
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}


def with_larger_files(records: Iterable[Record], files: Mapping[str, Path]) -> list[Record]:
    """The records, with the file replaced where another collection holds the same image id."""
    return [replace(record, path=files.get(record.id, record.path)) for record in records]


def examples(names: Iterable[str]) -> str:
    """A few of many names, for a message."""
    names = list(names)
    return ", ".join(names[:EXAMPLES]) + (", …" if len(names) > EXAMPLES else "")
