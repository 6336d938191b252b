"""The squares that are run: of files, or of a labelled data set."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from transxv2s.bench.accuracy import Labelled
from transxv2s.checkpoint import Checkpoint
from transxv2s.datasets.records import Record
from transxv2s.engines.engine import Squares
from transxv2s.errors import DataError
from transxv2s.imaging.decode import decode
from transxv2s.progress import progress
from transxv2s.taxonomy import Taxonomy


def squares_of(files: Sequence[Path], checkpoint: Checkpoint) -> Squares:
    """Squares uint8 (N, S, S, 3) of image files, as the network of a checkpoint sees them.

    Raises:
        ImageError: A file is no image that can be used.
    """

    def square(path: Path) -> Squares:
        return checkpoint.config.preprocessing.apply(decode(path))

    squares = []
    with progress("Reading", len(files)) as advance, ThreadPoolExecutor() as pool:
        for made in pool.map(square, files):
            squares.append(made)
            advance(1)
    return np.stack(squares)


def some(files: Sequence[Path], count: int) -> list[Path]:
    """At most so many, by a fixed seed."""
    return random.Random(0).sample(list(files), min(count, len(files)))  # noqa: S311 - no secret


def labelled(
    records: Sequence[Record], taxonomy: Taxonomy, checkpoint: Checkpoint, count: int | None = None
) -> Labelled:
    """The images of a data set, or at most so many by a fixed seed.

    Raises:
        DataError: Their classes are not those of the network.
    """
    own = checkpoint.config.to_taxonomy()
    if taxonomy != own:
        raise DataError(
            f"The images have the classes of {taxonomy.name}, the network those of {own.name}: take images "
            "labelled in the network's own classes."
        )
    by_path = {record.path: record for record in records}
    chosen = list(by_path) if count is None else some(list(by_path), count)
    taken = [by_path[path] for path in chosen]
    labels = np.array([record.label for record in taken], np.int64)
    lesions = [record.lesion or record.id for record in taken]
    return Labelled(squares_of(chosen, checkpoint), labels, lesions)
