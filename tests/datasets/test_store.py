"""The prepared store: right, read again and not made again, and whole after an interruption."""

from pathlib import Path

import numpy as np
import pytest

from transxv2s.datasets import store
from transxv2s.datasets.records import Record
from transxv2s.errors import DataError, ImageError
from transxv2s.imaging.colour import GWSD
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import Preprocessing

from .layout import write_picture

IMAGES = 10
CHUNK = 4
PREPROCESSING = Preprocessing(size=64, crop_fraction=0.8)


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """Ten noisy images: chunks of 4, 4 and 2."""
    monkeypatch.setattr(store, "CHUNK", CHUNK)
    generator = np.random.default_rng(0)
    records = []
    for i in range(IMAGES):
        path = tmp_path / "images" / f"{i}.png"
        write_picture(path, generator.integers(0, 256, (70 + i, 90, 3), np.uint8))
        records.append(Record(str(i), path, 0, None, "MSK"))
    return records


def break_file(path: Path) -> bytes:
    """Overwrites a file by zeros of the same length, which leaves the store's key as it is."""
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))
    return content


def one_by_one(records: list[Record]) -> store.Images:
    return np.stack([PREPROCESSING.apply(decode(record.path)) for record in records])


def test_it_holds_what_preprocessing_gives_one_by_one(records: list[Record], tmp_path: Path) -> None:
    images = store.prepare(records, PREPROCESSING, tmp_path / "store")
    np.testing.assert_array_equal(images, one_by_one(records))


def test_a_second_call_reads_only(records: list[Record], tmp_path: Path) -> None:
    expected = store.prepare(records, PREPROCESSING, tmp_path / "store").copy()
    for record in records:
        break_file(record.path)
    np.testing.assert_array_equal(store.prepare(records, PREPROCESSING, tmp_path / "store"), expected)


def test_after_an_interruption_only_the_rest_is_made(records: list[Record], tmp_path: Path) -> None:
    expected = one_by_one(records)
    in_last_chunk = records[2 * CHUNK + 1].path
    content = break_file(in_last_chunk)
    with pytest.raises(ImageError, match=f"^{in_last_chunk.name}: "):
        store.prepare(records, PREPROCESSING, tmp_path / "store")
    in_last_chunk.write_bytes(content)
    for record in records[: 2 * CHUNK]:
        break_file(record.path)  # making a finished chunk again would fail
    images = store.prepare(records, PREPROCESSING, tmp_path / "store")
    np.testing.assert_array_equal(images, expected)
    assert [path.suffix for path in (tmp_path / "store").iterdir()] == [".npy"]


def test_chunks_that_are_not_known_to_be_whole_are_made_again(records: list[Record], tmp_path: Path) -> None:
    """A kill may come between writing a chunk and noting it."""
    content = break_file(records[-1].path)
    with pytest.raises(ImageError):
        store.prepare(records, PREPROCESSING, tmp_path / "store")
    records[-1].path.write_bytes(content)
    (done,) = (tmp_path / "store").glob("*.done")
    done.write_text(done.read_text().splitlines()[0] + "\n")
    (partial,) = (tmp_path / "store").glob("*.partial.npy")
    np.load(partial, mmap_mode="r+")[CHUNK : 2 * CHUNK] = 7
    images = store.prepare(records, PREPROCESSING, tmp_path / "store")
    np.testing.assert_array_equal(images, one_by_one(records))


def test_another_preprocessing_file_or_order_is_another_store(records: list[Record]) -> None:
    key = store.digest(records, PREPROCESSING)
    assert store.digest(records, PREPROCESSING) == key
    assert store.digest(records, PREPROCESSING.model_copy(update={"colour": GWSD(target_mean=None)})) != key
    assert store.digest(records[::-1], PREPROCESSING) != key
    with records[0].path.open("ab") as stream:
        stream.write(b"more")
    assert store.digest(records, PREPROCESSING) != key


def test_nothing_to_prepare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no images to prepare"):
        store.prepare([], PREPROCESSING, tmp_path / "store")
