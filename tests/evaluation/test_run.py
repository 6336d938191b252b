"""Which images of a data set are evaluated, and from which files."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from transxv2s.datasets.portion import Portion
from transxv2s.datasets.records import Reading, Record
from transxv2s.datasets.splits import load, write
from transxv2s.errors import LeakageError


@pytest.fixture
def chosen(tmp_path: Path) -> Portion:
    """Two unlike pictures, one to train and one to test, whose larger files are one picture."""
    records = []
    for number, subset in enumerate(("train", "test")):
        noise = np.random.default_rng(number).integers(60, 200, (20, 30, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{subset}.png"), noise.repeat(6, axis=0).repeat(6, axis=1))
        records.append(Record(subset, tmp_path / f"{subset}.png", 0, None, "A"))
    write(
        ({"image": r.id, "lesion": r.id, "fold": "0", "split": r.id} for r in records), tmp_path / "split.csv"
    )
    larger = {r.id: tmp_path / "train.png" for r in records}
    return Portion("table", Reading(tuple(records), larger_files=larger), load(tmp_path / "split.csv"))


def test_a_split_is_audited_with_the_files_that_it_was_made_of(chosen: Portion) -> None:
    """At another size other pictures pass for copies; images are read from the larger files all the same."""
    (tested,) = chosen.records()
    assert (tested.id, tested.path.name) == ("test", "train.png")
    (trained,) = chosen.part("train")
    assert (trained.id, trained.path.name) == ("train", "train.png")
    copied = tuple(replace(r, path=tested.path) for r in chosen.reading.records)
    with pytest.raises(LeakageError):
        replace(chosen, reading=Reading(copied)).records()


def test_without_a_split_all_images_are_taken_from_the_larger_files(chosen: Portion) -> None:
    assert [r.path.name for r in replace(chosen, split=None).records()] == ["train.png", "train.png"]
