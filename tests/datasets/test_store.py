"""The prepared store: right, read again and not made again, and whole whatever interrupts it."""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from transxv2s import workers as pools
from transxv2s.datasets import store
from transxv2s.datasets.records import Record
from transxv2s.errors import DataError
from transxv2s.files import KEY_BYTES
from transxv2s.imaging.colour import GWSD
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import Preprocessing

from .layout import write_picture

IMAGES = 10
PREPROCESSING = Preprocessing(size=64, crop_fraction=0.8, hair_removal=None, field_of_view=False)
SQUARE = 3 * 64 * 64  # bytes


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """Ten noisy images, four at a time."""
    monkeypatch.setattr(store, "AT_ONCE", 4)
    return write_records(tmp_path / "images", IMAGES)


def write_records(folder: Path, count: int) -> list[Record]:
    generator = np.random.default_rng(0)
    paths = [folder / f"{i}.png" for i in range(count)]
    for i, path in enumerate(paths):
        write_picture(path, generator.integers(0, 256, (70 + i % 5, 90, 3), np.uint8))
    return [Record(path.stem, path, 0, None, "MSK") for path in paths]


def existing_records(folder: Path) -> list[Record]:
    paths = sorted(folder.iterdir(), key=lambda path: int(path.stem))
    return [Record(path.stem, path, 0, None, "MSK") for path in paths]


class File(NamedTuple):
    content: bytes
    times: tuple[int, int]


def break_file(path: Path) -> File:
    """Overwrites a file so that its size and times, and with them its key, stay as they are."""
    stat = path.stat()
    before = File(path.read_bytes(), (stat.st_atime_ns, stat.st_mtime_ns))
    mend_file(path, File(bytes(len(before.content)), before.times))
    return before


def mend_file(path: Path, before: File) -> None:
    path.write_bytes(before.content)
    os.utime(path, ns=before.times)


def one_by_one(records: Sequence[Record]) -> NDArray[np.uint8]:
    return np.stack([PREPROCESSING.apply(decode(record.path)) for record in records])


def check(images: store.Images, records: Sequence[Record]) -> None:
    assert len(images) == len(records)
    np.testing.assert_array_equal(np.stack([images[i] for i in range(len(records))]), one_by_one(records))


def keys(folder: Path) -> Path:
    return folder / PREPROCESSING.digest() / store.KEYS


def squares(folder: Path) -> Path:
    return folder / PREPROCESSING.digest() / store.IMAGES


def test_it_holds_what_preprocessing_gives_one_by_one(records: list[Record], tmp_path: Path) -> None:
    check(store.prepare(records, PREPROCESSING, tmp_path / "store"), records)


def test_a_second_call_reads_only(records: list[Record], tmp_path: Path) -> None:
    first = store.fill(records, PREPROCESSING, tmp_path / "store")
    expected = one_by_one(records)
    for record in records:
        break_file(record.path)  # making one again would fail
    before = squares(tmp_path / "store").stat()
    second = store.fill(records, PREPROCESSING, tmp_path / "store")
    assert (first.made, second.made, second.failures) == (IMAGES, 0, ())
    assert (first.digest, first.path) == (second.digest, second.path)
    assert squares(tmp_path / "store").stat() == before
    np.testing.assert_array_equal(
        np.stack(list(store.prepare(records, PREPROCESSING, tmp_path / "store"))), expected
    )


def test_subsets_other_orders_and_larger_sets_make_only_what_is_new(
    records: list[Record], tmp_path: Path
) -> None:
    made = []
    for part in (records[2:7], records[6:1:-2], [*records, records[0]]):
        made.append(store.fill(part, PREPROCESSING, tmp_path / "store").made)
        check(store.prepare(part, PREPROCESSING, tmp_path / "store"), part)
    assert made == [5, 0, 5]
    assert squares(tmp_path / "store").stat().st_size == IMAGES * SQUARE


def test_broken_images_are_named_and_the_others_kept(records: list[Record], tmp_path: Path) -> None:
    broken = [records[3].path, records[8].path]
    before = {path: break_file(path) for path in broken}
    records.append(Record("gone", tmp_path / "gone.png", 0, None, "MSK"))
    filled = store.fill(records, PREPROCESSING, tmp_path / "store")
    assert [error.name for error in filled.failures] == [str(p) for p in (*broken, tmp_path / "gone.png")]
    assert all(error.reason for error in filled.failures)
    assert (filled.images, filled.made) == (11, 8)
    with pytest.raises(DataError, match=r"3 images, for example .*3\.png.*cannot be prepared \("):
        store.prepare(records, PREPROCESSING, tmp_path / "store")
    for path, content in before.items():
        mend_file(path, content)
    mended = store.fill(records[:IMAGES], PREPROCESSING, tmp_path / "store")
    assert (mended.made, mended.failures) == (2, ())
    check(store.prepare(records[:IMAGES], PREPROCESSING, tmp_path / "store"), records[:IMAGES])


def test_an_image_that_a_fault_of_ours_stops_is_named_and_the_others_kept(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = records[5].path

    def at_fault(path: Path, name: str) -> NDArray[np.uint8]:
        return np.zeros((0, 0, 3), np.uint8) if path == stopped else decode(path, name)

    monkeypatch.setattr(store, "decode", at_fault)
    filled = store.fill(records, PREPROCESSING, tmp_path / "store")
    assert (filled.made, [error.name for error in filled.failures]) == (IMAGES - 1, [str(stopped)])
    assert "cannot be preprocessed" in filled.failures[0].reason


def test_a_file_changed_in_place_is_made_again_even_if_its_size_stays(
    records: list[Record], tmp_path: Path
) -> None:
    path = records[4].path.with_suffix(".bmp")
    write_picture(path, np.full((70, 90, 3), 80, np.uint8))
    changed = [*records[:4], Record("bitmap", path, 0, None, "MSK")]
    before = store.fill(changed, PREPROCESSING, tmp_path / "store").digest
    size = path.stat().st_size
    write_picture(path, np.random.default_rng(1).integers(0, 256, (70, 90, 3), np.uint8))
    assert path.stat().st_size == size
    after = store.fill(changed, PREPROCESSING, tmp_path / "store")
    assert after.made == 1
    assert after.digest != before
    check(store.prepare(changed, PREPROCESSING, tmp_path / "store"), changed)


def test_another_preprocessing_is_another_store(records: list[Record], tmp_path: Path) -> None:
    other = PREPROCESSING.model_copy(update={"colour": GWSD(target_mean=None)})
    one, two = (store.fill(records, p, tmp_path / "store") for p in (PREPROCESSING, other))
    assert two.made == IMAGES
    assert one.path != two.path
    assert one.digest != two.digest
    stated = Preprocessing.model_validate_json((two.path / store.PIPELINE).read_text())
    assert stated == other


@pytest.mark.parametrize(("lost_keys", "lost_squares"), [(5, 0), (16, 100), (0, SQUARE + 1), (37, 0)])
def test_what_a_kill_left_half_written_is_made_again(
    records: list[Record], tmp_path: Path, lost_keys: int, lost_squares: int
) -> None:
    """A kill may come at any byte of a square or key, and a failing disk may lose the end of either file."""
    store.fill(records, PREPROCESSING, tmp_path / "store")
    for path, lost in ((keys(tmp_path / "store"), lost_keys), (squares(tmp_path / "store"), lost_squares)):
        os.truncate(path, path.stat().st_size - lost)
    assert 0 < store.fill(records, PREPROCESSING, tmp_path / "store").made <= 3
    check(store.prepare(records, PREPROCESSING, tmp_path / "store"), records)
    assert keys(tmp_path / "store").stat().st_size == IMAGES * KEY_BYTES


def test_another_process_gets_the_place_and_not_the_squares(records: list[Record], tmp_path: Path) -> None:
    images = store.prepare(records, PREPROCESSING, tmp_path / "store")
    sent = pickle.dumps(images)
    assert len(sent) < SQUARE
    check(pickle.loads(sent), records)  # noqa: S301


def test_a_square_half_written_by_another_process_does_not_disturb(
    records: list[Record], tmp_path: Path
) -> None:
    store.fill(records, PREPROCESSING, tmp_path / "store")
    with squares(tmp_path / "store").open("ab") as stream:
        stream.write(b"half")
    check(store.prepare(records, PREPROCESSING, tmp_path / "store"), records)


FILL = """
import resource, sys; from pathlib import Path; from datasets.test_store import *
if len(sys.argv) > 3: resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try: print(store.fill(existing_records(Path(sys.argv[1])), PREPROCESSING, Path(sys.argv[2])).made)
except DataError as error: print(error)
"""


def filling(images: Path, folder: Path, *limit: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", FILL, str(images), str(folder), *limit],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_at_once_make_each_image_once(tmp_path: Path) -> None:
    records = write_records(tmp_path / "images", 60)
    both = [filling(tmp_path / "images", tmp_path / "store") for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert sum(map(int, said)) == 60
    check(store.prepare(records, PREPROCESSING, tmp_path / "store"), records)


def test_a_killed_process_leaves_what_it_made(tmp_path: Path) -> None:
    records = write_records(tmp_path / "images", 400)
    process = filling(tmp_path / "images", tmp_path / "store")
    while not (keys(tmp_path / "store").exists() and keys(tmp_path / "store").stat().st_size):
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=60)  # returns when its workers, who write to the same pipe, are gone too
    made = keys(tmp_path / "store").stat().st_size // KEY_BYTES
    assert made < 400
    rest = store.fill(records, PREPROCESSING, tmp_path / "store")
    assert 400 - made <= rest.made <= 400 - made + 1
    check(store.prepare(records[::40], PREPROCESSING, tmp_path / "store"), records[::40])


def test_a_file_that_cannot_grow_is_told_in_a_sentence_and_nothing_is_lost(tmp_path: Path) -> None:
    """The system refuses to write beyond four and a half squares, as it does where a disk is full."""
    records = write_records(tmp_path / "images", IMAGES)
    process = filling(tmp_path / "images", tmp_path / "store", str(SQUARE * 9 // 2))
    said = process.communicate(timeout=120)[0]
    assert "cannot be written (File too large); what was prepared is kept" in said
    assert store.fill(records, PREPROCESSING, tmp_path / "store").made == IMAGES - 4
    check(store.prepare(records, PREPROCESSING, tmp_path / "store"), records)


def test_a_disk_without_room_is_told_before_work_begins(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"needs 122\.9 kB more, but only 100\.0 kB are free there"):
        store.fill(records, PREPROCESSING, tmp_path / "store")


def test_a_store_that_is_a_file_is_told(records: list[Record], tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    with pytest.raises(DataError, match=r"the store .* cannot be written"):
        store.fill(records, PREPROCESSING, tmp_path / "store")


def test_a_worker_ended_by_the_system_is_told(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "begin_work", die)
    with pytest.raises(DataError, match="most likely for want of memory"):
        store.fill(records, PREPROCESSING, tmp_path / "store")


def die() -> None:
    os._exit(9)


def test_nothing_to_prepare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no images to prepare"):
        store.prepare([], PREPROCESSING, tmp_path / "store")
