"""Copies of pictures in a data set, with what was computed of each file kept for the next time."""

from collections.abc import Sequence
from dataclasses import replace

from transxv2s.cache import cache_folder
from transxv2s.datasets.duplicates import (
    Fingerprints,
    Pair,
    find_pairs,
    fingerprints,
    fingerprints_of_readable,
)
from transxv2s.datasets.records import Record


def fingerprints_of(records: Sequence[Record]) -> Fingerprints:
    """One row a record.

    Raises:
        ImageError: A file cannot be read.
    """
    return fingerprints([record.path for record in records], cache_folder() / "fingerprints")


def fingerprints_of_readable_files(
    records: Sequence[Record],
) -> tuple[list[int], Fingerprints, dict[str, str]]:
    """Positions of the records whose files can be read, a row for each, and by id why the others cannot."""
    made, failures = fingerprints_of_readable([r.path for r in records], cache_folder() / "fingerprints")
    readable = [place for place in range(len(records)) if place not in failures]
    return readable, made, {records[place].id: error.reason for place, error in failures.items()}


def copies(records: Sequence[Record]) -> tuple[list[Pair], dict[str, str]]:
    """Pairs of positions of records that show the same picture, exact and near.

    Returns:
        The pairs; and by id the reason for each image that cannot be read and so was compared with none.
    """
    readable, made, failures = fingerprints_of_readable_files(records)
    pairs = [replace(p, first=readable[p.first], second=readable[p.second]) for p in find_pairs(made)]
    return pairs, failures
