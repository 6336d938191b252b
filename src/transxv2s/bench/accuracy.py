"""What an engine costs in accuracy, on labelled images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transxv2s.engines.engine import Engine, Squares
from transxv2s.scoring.confusion import balanced_accuracy

BATCH = 32


@dataclass(frozen=True)
class Labelled:
    """Images with their classes.

    Attributes:
        squares: uint8 (N, S, S, 3).
        labels: (N,), positions in the order of the logits.
    """

    squares: Squares
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Price:
    """An engine against the reference.

    Attributes:
        agreement: Share of the images for which both name the same class.
        balanced_accuracy: Of the engine.
        balanced_accuracy_change: Its difference from the reference's; negative is worse.
    """

    agreement: float
    balanced_accuracy: float
    balanced_accuracy_change: float


def logits_of(engine: Engine, squares: Squares) -> NDArray[np.float32]:
    """What an engine makes of all images, (N, K)."""
    starts = range(0, len(squares), BATCH)
    return np.concatenate([engine.run(squares[start : start + BATCH])[0] for start in starts])


def price(found: NDArray[np.float64], reference: NDArray[np.float64], labels: NDArray[np.int64]) -> Price:
    """What an engine costs against the reference, over the classes that have images.

    Args:
        found: Scores whose greatest is the class that the engine names, (N, K).
        reference: The same of the reference, (N, K).
        labels: (N,).
    """
    mine, other = balanced_accuracy(found, labels), balanced_accuracy(reference, labels)
    return Price(float(np.mean(found.argmax(1) == reference.argmax(1))), mine, mine - other)
