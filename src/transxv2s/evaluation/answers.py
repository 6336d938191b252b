"""Whether the class that was named is right, where network and data set differ in their classes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transxv2s.datasets.tables import read_table
from transxv2s.errors import DataError, InputError
from transxv2s.evaluation.table import DIGEST, PLAIN
from transxv2s.taxonomy import ISIC2019_UNK, OWN, DiagnosticClass, Taxonomy, mapping, relabel


class Answers(NamedTuple):
    """What was said of N labelled images.

    Attributes:
        probabilities: Calibrated, (N, K) in the order of the network's classes.
        named: Position of the class that was named, (N,).
        wrong: Whether it is not the true one, (N,).
        labels: True classes (N,), integers from 0 in any order.
        lesions: Which lesion each image shows.
    """

    probabilities: NDArray[np.float64]
    named: NDArray[np.intp]
    wrong: NDArray[np.bool_]
    labels: NDArray[np.intp]
    lesions: tuple[str, ...]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Probability of the class that was named, (N,)."""
        return np.asarray(self.probabilities[np.arange(len(self.named)), self.named])


def common_taxonomy(model: Taxonomy, data: Taxonomy) -> Taxonomy:
    """In which classes a network and a data set are compared: the data set's, unless they are finer.

    The official test set of ISIC 2019 has UNK, which no network here can name: it is scored apart.

    Raises:
        InputError: Neither can be expressed in the other.
    """
    if data is ISIC2019_UNK and model != ISIC2019_UNK:
        return common_taxonomy(model, Taxonomy(model.name, data.classes[:-1]))
    try:
        mapping(model, data)
    except InputError:
        mapping(data, model)
        return model
    return data


def named_right(
    named: Sequence[int], labels: Sequence[int], model: Taxonomy, data: Taxonomy
) -> NDArray[np.bool_]:
    """Whether each class named (N,), a position in `model`, is the label's, a position in `data`.

    A class that the other side has no room for is never right.

    Raises:
        InputError: Neither taxonomy can be expressed in the other.
    """
    target = common_taxonomy(model, data)
    pairs = zip(relabel(named, model, target), relabel(labels, data, target), strict=True)
    return np.array([answer is not None and answer == truth for answer, truth in pairs], bool)


def read_answers(path: Path) -> Answers:
    """From the predictions.csv of an evaluation.

    Raises:
        DataError: It is missing, damaged, or of another version.
        InputError: The labels cannot be compared with the network's classes.
    """
    try:
        rows = read_table(path, [*PLAIN, DIGEST])
        model = _classes(name.upper() for name in rows[0] if name not in (*PLAIN, DIGEST))
        data = _classes(sorted({row["label"] for row in rows}))
        named = [model.index(row["predicted"]) for row in rows]
        labels = [data.index(row["label"]) for row in rows]
        probabilities = np.array([[float(row[code.lower()]) for code in model.codes] for row in rows])
    except (DataError, IndexError, KeyError, ValueError) as error:
        raise DataError(f"{path} is no whole table of predictions ({error}): evaluate again") from error
    return Answers(
        probabilities,
        np.array(named, np.intp),
        ~named_right(named, labels, model, data),
        np.array(labels, np.intp),
        tuple(row["lesion"] for row in rows),
    )


def _classes(codes: Iterable[str]) -> Taxonomy:
    """For comparing, codes matter alone."""
    return Taxonomy(OWN, tuple(DiagnosticClass(code, code, "unknown") for code in codes))
