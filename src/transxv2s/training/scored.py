"""What a trained network says of each validation and test image: a table beside its checkpoint."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from transxv2s.datasets.tables import read_table
from transxv2s.errors import DataError
from transxv2s.files import write_whole

PREDICTIONS = "predictions-{}.csv"  # of a subset, in the folder of a run
PLAIN = ("image", "lesion", "label")
PROBABILITY = "p_"  # before a class's code, which may be any word


@dataclass(frozen=True)
class ScoredImages:
    """N images with their calibrated probabilities.

    Attributes:
        images: Ids.
        lesions: What intervals are taken over.
        labels: (N,), positions in `codes`.
        probabilities: (N, K).
        codes: Of the K classes.
    """

    images: tuple[str, ...]
    lesions: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    codes: tuple[str, ...]

    def write(self, path: Path) -> None:
        """As a CSV file: image, lesion, label, and a column a class."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow((*PLAIN, *(PROBABILITY + code for code in self.codes)))
        rows = zip(self.images, self.lesions, self.labels, self.probabilities.tolist(), strict=True)
        writer.writerows((image, lesion, self.codes[y], *map(repr, p)) for image, lesion, y, p in rows)
        write_whole(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path, codes: Sequence[str]) -> Self:
        """From such a file.

        Raises:
            DataError: It is missing or damaged, or of other classes.
        """
        columns = [(PROBABILITY + code).lower() for code in codes]
        rows = read_table(path, [*PLAIN, *columns])
        try:
            return cls(
                tuple(row["image"] for row in rows),
                tuple(row["lesion"] for row in rows),
                np.array([list(codes).index(row["label"]) for row in rows], np.int64),
                np.array([[float(row[column]) for column in columns] for row in rows]),
                tuple(codes),
            )
        except ValueError as error:
            raise DataError(f"{path} is damaged ({error}): remove the run and train it again") from None
