"""How many images and lesions a data set has, by class, source and subset."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TypedDict

from transxv2s.datasets.records import Reading, Record
from transxv2s.datasets.splits import Split

ALL = "all"


class Size(TypedDict):
    """How much of something there is."""

    images: int
    lesions: int


BySubset = dict[str, Size]
Sizes = dict[str, dict[str, BySubset]]


def census(reading: Reading, split: Split) -> Sizes:
    """Sizes by "class" and "source", then by name ("all" is everything), then by subset ("all" as well).

    An image of an unknown lesion counts as a lesion of its own, or as one with its group in the split file.
    """
    codes = reading.taxonomy.codes
    return {
        "class": _by(reading.records, [codes[r.label] for r in reading.records], split),
        "source": _by(reading.records, [r.source for r in reading.records], split),
    }


def _by(records: Sequence[Record], names: Sequence[str], split: Split) -> dict[str, BySubset]:
    lesions: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record, name in zip(records, names, strict=True):
        lesion = record.lesion or split.lesion[record.id]
        for row in (ALL, name):
            for column in (ALL, split.subset[record.id]):
                lesions[row][column].append(lesion)
    return {
        row: {column: {"images": len(held), "lesions": len(set(held))} for column, held in columns.items()}
        for row, columns in lesions.items()
    }
