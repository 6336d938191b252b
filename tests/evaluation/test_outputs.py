"""What is kept of labelled images on their way through the network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from transxv2s.classifier import Classifier, Prepared
from transxv2s.datasets.records import Record
from transxv2s.errors import ImageError
from transxv2s.evaluation.outputs import outputs_of


class Watched:
    """A classifier that has decoded images of 3 MB, one of which cannot be read."""

    def __init__(self) -> None:
        self.held: list[int] = []

    def prepare(self, source: Path) -> Prepared:
        if source.stem == "bad":
            raise ImageError(source.stem, "it is empty")
        return Prepared(source.stem, np.zeros((1000, 1000, 3), np.uint8), np.zeros((8, 8, 3), np.uint8), [])

    def outputs(self, images: Sequence[Prepared]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        self.held += [image.original.nbytes for image in images]
        return np.zeros((len(images), 8)), np.ones((len(images), 3))


def test_originals_are_not_kept_and_failures_are_told() -> None:
    records = [Record(name, Path(f"{name}.png"), 1, None, "here", age=72) for name in ("a", "bad", "b")]
    watched = Watched()
    found, failures = outputs_of(cast(Classifier, watched), records, lambda record: record.id)
    assert watched.held == [8 * 8 * 3] * 2
    assert (found.lesions, failures) == (["a", "b"], {"bad": "it is empty"})
    assert (found.logits.shape, found.features.shape, found.labels.tolist()) == ((2, 8), (2, 3), [1, 1])
