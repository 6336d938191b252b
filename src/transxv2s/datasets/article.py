"""The article's protocol, for comparison only: the set doubled by preprocessing, then split by image."""

from collections.abc import Sequence
from dataclasses import replace

from transxv2s.datasets.duplicates import Pair
from transxv2s.datasets.records import Record

COPY = "+preprocessed"  # ends the id of an image's second, preprocessed copy


def doubled(records: Sequence[Record]) -> list[Record]:
    """Each image twice: first all as they are, then all to be preprocessed, with an id of their own."""
    return [*records, *(replace(record, id=record.id + COPY) for record in records)]


def doubled_pairs(pairs: Sequence[Pair], images: int) -> list[Pair]:
    """Copies among doubled records: those among the originals, and each image beside its own copy."""
    return [*pairs, *(Pair(i, i + images, "near", 1.0) for i in range(images))]


def is_copy(image: str) -> bool:
    """Whether an id stands for the preprocessed copy."""
    return image.endswith(COPY)


def original(image: str) -> str:
    """The id of the image that an id, of whichever of the two, stands for."""
    return image.removesuffix(COPY)
