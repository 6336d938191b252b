"""What a checkpoint carries of its training images, and what an evaluation finds in it."""

from pathlib import Path

import numpy as np
import pytest

from transxv2s.datasets.duplicates import fingerprints
from transxv2s.datasets.provenance import SeenImages, overlap
from transxv2s.datasets.records import Record
from transxv2s.errors import CheckpointError

from .layout import write_picture


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six pictures of different texture; the last is the first, flipped and smaller."""
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    paths = [folder / f"p{i}.png" for i in range(6)]
    coarse = random.integers(0, 256, (5, 24, 24, 3), dtype=np.uint8)
    for path, picture in zip(paths, coarse.repeat(6, 1).repeat(6, 2), strict=False):
        write_picture(path, picture)
    write_picture(paths[5], coarse[0, :, ::-1].repeat(5, 0).repeat(5, 1))
    return paths


def record(image: str, path: Path, lesion: str | None = None) -> Record:
    return Record(image, path, 0, lesion, "MSK")


@pytest.fixture(scope="module")
def seen(pictures: list[Path]) -> SeenImages:
    return SeenImages(("ISIC_1_downsampled", "ISIC_2"), ("lesion", ""), fingerprints(pictures[:2]).compact())


def test_each_kind_of_overlap_is_found(seen: SeenImages, pictures: list[Path]) -> None:
    records = [
        record("ISIC_1", pictures[2]),
        record("a", pictures[3], "lesion"),
        record("b", pictures[5]),
        record("c", pictures[4], "another"),
    ]
    found, images = overlap(seen, records, fingerprints([r.path for r in records]))
    assert (found["by_id"], found["by_lesion"], found["by_copy"], found["any"]) == (1, 1, 1, 3)
    assert images == {"ISIC_1", "a", "b"}
    assert found["words"].startswith(
        "3 of 4 images were seen in training, validation or calibration (1 by id, 1 by lesion"
    )


def test_images_that_were_not_seen_do_not_overlap(seen: SeenImages, pictures: list[Path]) -> None:
    records = [record("c", pictures[4]), record("d", pictures[3])]
    found, images = overlap(seen, records, fingerprints([r.path for r in records]))
    assert (found["any"], images) == (0, frozenset())
    assert found["words"].startswith("none of the 2 images")


def test_images_of_calibration_are_seen_but_not_by_training(seen: SeenImages, pictures: list[Path]) -> None:
    records = [record("c", pictures[4]), record("d", pictures[3], "mole")]
    prints = fingerprints([r.path for r in records])
    both = SeenImages.from_bytes(seen.with_calibration(records, prints).to_bytes())
    found, images = overlap(both, records, prints)
    assert (found["by_id"], found["by_lesion"], found["by_copy"]) == (2, 1, 2)
    assert images == {"c", "d"}
    trained = both.by_training()
    assert (trained.ids, trained.lesions, trained.calibrated) == (seen.ids, seen.lesions, 0)
    assert overlap(trained, records, prints)[1] == frozenset()
    again = both.with_calibration(records[:1], prints.take([0]))
    assert (again.ids, again.calibrated) == ((*seen.ids, "c"), 1), "the images of before are seen no longer"


def test_unknown_is_not_none(pictures: list[Path]) -> None:
    found, images = overlap(None, [record("a", pictures[0])], fingerprints(pictures[:1]))
    assert (found["any"], images) == (None, frozenset())
    assert "unknown" in found["words"]


def test_the_list_survives_its_file(seen: SeenImages) -> None:
    again = SeenImages.from_bytes(seen.to_bytes())
    assert (again.ids, again.lesions, again.calibrated) == (seen.ids, seen.lesions, 0)
    for name, array in seen.fingerprints.to_arrays().items():
        assert np.array_equal(again.fingerprints.to_arrays()[name], array)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 half"])
def test_a_damaged_list_is_refused(content: bytes) -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        SeenImages.from_bytes(content)
