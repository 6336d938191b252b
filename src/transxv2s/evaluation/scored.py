"""What a network says of each image it was validated and tested on: the table of a run or a calibration."""

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
from transxv2s.trust.fitting import Outputs
from transxv2s.trust.rules import Evidence

PREDICTIONS = "predictions-{}.csv"  # of a subset, in the folder of a run or of a report
PLAIN = ("image", "lesion", "label", "predicted")
PROBABILITY, LOGIT = "p_", "logit_"  # before a class's code, which may be any word


@dataclass(frozen=True)
class ScoredImages:
    """N images and what is said of them.

    Attributes:
        images: Ids.
        lesions: What intervals are taken over.
        labels: (N,), positions in `codes`.
        predicted: (N,), positions of the classes that are named; not always the most probable ones.
        probabilities: (N, K), calibrated; of validation images on other lesions.
        logits: (N, K), as the network gives them.
        codes: Of the K classes.
    """

    images: tuple[str, ...]
    lesions: tuple[str, ...]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    logits: NDArray[np.float64]
    codes: tuple[str, ...]

    @classmethod
    def of(cls, outputs: Outputs, evidence: Evidence, codes: Sequence[str]) -> Self:
        """What was said of images, and what was made of it."""
        return cls(
            images=tuple(outputs.images),
            lesions=tuple(outputs.lesions),
            labels=outputs.labels,
            predicted=evidence.predicted,
            probabilities=evidence.probabilities,
            logits=outputs.logits,
            codes=tuple(codes),
        )

    def write(self, path: Path) -> None:
        """As a CSV file: image, lesion, label, predicted, and two columns a class."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow((*PLAIN, *(kind + code for kind in (PROBABILITY, LOGIT) for code in self.codes)))
        named = ([self.codes[place] for place in places] for places in (self.labels, self.predicted))
        numbers = np.hstack([self.probabilities, self.logits]).tolist()
        rows = zip(self.images, self.lesions, *named, numbers, strict=True)
        writer.writerows((*plain, *map(repr, values)) for *plain, values in rows)
        write_whole(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path, codes: Sequence[str] | None = None) -> Self:
        """From such a file.

        Args:
            path: The file.
            codes: The classes, in the order that is wanted; by default those of the file.

        Raises:
            DataError: It is missing or damaged, of other classes or of an earlier version.
        """
        rows = read_table(path, ())
        there = list(rows[0]) if rows else []
        if codes is None:
            codes = [name.removeprefix(PROBABILITY).upper() for name in there if name.startswith(PROBABILITY)]
        probabilities, logits = ([(kind + code).lower() for code in codes] for kind in (PROBABILITY, LOGIT))
        if absent := [name for name in (*PLAIN, *probabilities, *logits) if name not in there]:
            raise DataError(
                f"{path} has no column {absent[0]}, as it is of an earlier version or of other classes: "
                "resume the run, or calibrate again, which writes it anew"
            )
        try:
            return cls(
                tuple(row["image"] for row in rows),
                tuple(row["lesion"] for row in rows),
                np.array([list(codes).index(row["label"]) for row in rows], np.int64),
                np.array([list(codes).index(row["predicted"]) for row in rows], np.int64),
                np.array([[float(row[column]) for column in probabilities] for row in rows]),
                np.array([[float(row[column]) for column in logits] for row in rows]),
                tuple(codes),
            )
        except ValueError as error:
            raise DataError(f"{path} is damaged ({error}): remove the run and train it again") from None
