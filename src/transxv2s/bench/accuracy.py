"""What an engine costs in accuracy, on labelled images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transxv2s.engines.engine import Engine, Squares
from transxv2s.scoring.bootstrap import DRAWS, LEVEL, Interval, bootstrap, lesion_numbers
from transxv2s.scoring.confusion import balanced_accuracy, confusions, rates

BATCH = 32


@dataclass(frozen=True)
class Labelled:
    """Images with their classes.

    Attributes:
        squares: uint8 (N, S, S, 3).
        labels: (N,), positions in the order of the logits.
        lesions: (N,), which lesion each image shows; any names.
    """

    squares: Squares
    labels: NDArray[np.int64]
    lesions: Sequence[str]

    def images_of_rarest_class(self, classes: int) -> int:
        """Of so many classes; 0 where one has none."""
        return int(np.bincount(self.labels, minlength=classes).min())


@dataclass(frozen=True)
class Price:
    """An engine against the reference; fields are named as in rows of the benchmark.

    Attributes:
        agreement: Share of the images for which both name the same class.
        balanced_accuracy: Of the engine.
        balanced_accuracy_change: Its difference from the reference's; negative is worse.
        balanced_accuracy_change_low: Lower end of its 95 % interval over lesions.
        balanced_accuracy_change_high: Upper end of it.
        labelled_images: How many there were.
        rarest_class_images: Of the class that has the fewest; 0 where one has none.
    """

    agreement: float
    balanced_accuracy: float
    balanced_accuracy_change: float | None
    balanced_accuracy_change_low: float | None
    balanced_accuracy_change_high: float | None
    labelled_images: int
    rarest_class_images: int


def logits_of(engine: Engine, squares: Squares) -> NDArray[np.float32]:
    """What an engine makes of all images, (N, K)."""
    starts = range(0, len(squares), BATCH)
    return np.concatenate([engine.run(squares[start : start + BATCH])[0] for start in starts])


def price(found: NDArray[np.float64], reference: NDArray[np.float64], labelled: Labelled) -> Price:
    """What an engine costs against the reference, over the classes that have images.

    Args:
        found: Scores whose greatest is the class that the engine names, (N, K).
        reference: The same of the reference, (N, K).
        labelled: The images.
    """
    change = _change(found, reference, labelled)
    return Price(
        float(np.mean(found.argmax(1) == reference.argmax(1))),
        balanced_accuracy(found, labelled.labels),
        change["value"],
        change["low"],
        change["high"],
        len(labelled.labels),
        labelled.images_of_rarest_class(found.shape[1]),
    )


def _change(found: NDArray[np.float64], reference: NDArray[np.float64], labelled: Labelled) -> Interval:
    """Of balanced accuracy; as `scoring.paired_difference`, without the other scores, which take minutes."""
    lesion = lesion_numbers(labelled.lesions, len(labelled.labels))
    mine, other = (confusions(scores, labelled.labels, lesion) for scores in (found, reference))
    classes = found.shape[1]

    def score(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(rates(counts.reshape(-1, classes, classes + 1)).balanced_accuracy)

    def difference(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return (score(weights @ mine) - score(weights @ other))[:, None]

    [interval] = bootstrap(difference, len(mine), draws=DRAWS, seed=0, level=LEVEL)
    return interval
