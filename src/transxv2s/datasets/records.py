"""One labelled image, and what a reader found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from transxv2s.taxonomy import ISIC2019, Taxonomy

RESIZED = "_downsampled"  # ends the ids of ISIC images that exist in two sizes
EXAMPLES = 3  # how many names a message shows


@dataclass(frozen=True)
class Record:
    """One labelled image.

    Attributes:
        id: The publisher's image id.
        path: Where the image file is.
        label: Position of its class in the taxonomy of the reading.
        lesion: The publisher's lesion id; None where none is known.
        source: The collection or hospital it comes from.
        age: Age of the patient in years.
        sex: "female" or "male".
        site: Where on the body, in the publisher's words.
    """

    id: str
    path: Path
    label: int
    lesion: str | None
    source: str
    age: float | None = None
    sex: str | None = None
    site: str | None = None


@dataclass(frozen=True)
class Reading:
    """What a reader found.

    Attributes:
        records: The usable images.
        missing: Ids that the table names and for which there is no file.
        taxonomy: What the labels mean.
        notes: One sentence for each thing that was coped with, with counts and examples.
        weights: By id, how much an image counts by the official rules, where that is not 1.
        larger_files: By id, a larger file of the same image in another collection. Splits are made and
            audited with the files of the records: which pictures pass for copies depends on their size.
    """

    records: tuple[Record, ...]
    missing: tuple[str, ...] = ()
    taxonomy: Taxonomy = ISIC2019
    notes: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    larger_files: Mapping[str, Path] = field(default_factory=dict)


def with_larger_files(records: Iterable[Record], files: Mapping[str, Path]) -> tuple[Record, ...]:
    """The records, with the file replaced where another collection holds the same image id."""
    return tuple(replace(record, path=files.get(record.id, record.path)) for record in records)


def examples(names: Iterable[str]) -> str:
    """A few of many names, for a message."""
    names = list(names)
    return ", ".join(names[:EXAMPLES]) + (", …" if len(names) > EXAMPLES else "")


def plain(image: str) -> str:
    """The id of an image of the ISIC Archive in whatever size."""
    return image.removesuffix(RESIZED)


def counted(names: Iterable[str], of_one: str, of_many: str) -> str:
    """How many there are, what they have in common, and examples; empty for none.

    >>> counted(["a", "b"], "row has no label", "rows have no label")
    '2 rows have no label, for example a, b'
    """
    names = list(names)
    if not names:
        return ""
    return f"{len(names):,} {of_one if len(names) == 1 else of_many}, for example {examples(names)}"


def notes(*sentences: str) -> tuple[str, ...]:
    """The sentences that say something."""
    return tuple(sentence for sentence in sentences if sentence)
