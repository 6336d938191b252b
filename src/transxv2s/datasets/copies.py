"""Copies of pictures in a data set, with what was computed of each file kept for the next time."""

from collections.abc import Sequence

from transxv2s.cache import cache_folder
from transxv2s.datasets.duplicates import Fingerprints, Pair, find_pairs, fingerprints
from transxv2s.datasets.records import Record


def fingerprints_of(records: Sequence[Record]) -> Fingerprints:
    """One row a record.

    Raises:
        ImageError: A file cannot be read.
    """
    return fingerprints([record.path for record in records], cache_folder() / "fingerprints")


def copies(records: Sequence[Record]) -> list[Pair]:
    """Pairs of positions of records that show the same picture, exact and near.

    Raises:
        ImageError: A file cannot be read.
    """
    return find_pairs(fingerprints_of(records))
