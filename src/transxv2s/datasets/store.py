"""Preprocessed images on disk, memory-mapped: each is made once, in parallel, and kept whatever comes next.

A store has a folder for each pipeline, named by its digest. In it `images.u8` holds the squares one after the
other, and `keys` 16 bytes for each of them in the same order: a hash of path, size and time of last change of
the file, so that a file that is replaced or edited is made again, and so is a data set that is moved. What is
asked for is looked up there and only the rest is made: a resumed run, a subset, a larger set, a mended file.
Both files only ever grow, and a square is written before its key: what a kill leaves half written is cut off.
A store may be deleted whenever no process uses it.
"""

import hashlib
import logging
import shutil
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from filelock import AcquireReturnProxy, BaseFileLock, FileLock, Timeout
from numpy.typing import NDArray
from rich.console import Console
from rich.filesize import decimal
from rich.progress import track

from transxv2s.datasets.records import Record, counted
from transxv2s.errors import DataError, ImageError
from transxv2s.files import KEY_BYTES, state_key
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import Preprocessing, Rgb
from transxv2s.workers import workers

IMAGES, KEYS, PIPELINE, LOCK = "images.u8", "keys", "preprocessing.json", "lock"
AT_ONCE = 16  # images that a worker gets at a time

log = logging.getLogger(__name__)


class Images(Protocol):
    """Squares uint8 (S, S, 3) by position: an array (N, S, S, 3), or `Prepared`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Rgb: ...


class Prepared:
    """Some squares of a store, read from the disk when they are asked for.

    Args:
        path: The file of all squares.
        rows: Where in it those wanted are, in the order wanted.
        size: Side of a square in pixels.
    """

    def __init__(self, path: Path, rows: NDArray[np.int64], size: int) -> None:
        self.path, self.rows, self.size = path, rows, size
        whole = path.stat().st_size // _square_bytes(size)  # another process may be writing the next one
        self._squares = np.asarray(np.memmap(path, np.uint8, "r", shape=(whole, size, size, 3)))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Rgb]:
        return (self[position] for position in range(len(self)))

    def __getitem__(self, index: int, /) -> Rgb:
        """The square (S, S, 3) of a position."""
        return np.asarray(self._squares[self.rows[index]])

    def __reduce__(self) -> tuple[type["Prepared"], tuple[Path, NDArray[np.int64], int]]:
        """Another process maps the file itself; the squares are not sent to it."""
        return type(self), (self.path, self.rows, self.size)


@dataclass(frozen=True)
class Filled:
    """What filling a store came to.

    Attributes:
        path: Folder of the pipeline.
        digest: First 12 hex digits of the sha256 of the pipeline and of all keys, in their order.
        images: How many were asked for.
        made: How many of them were not there before.
        failures: Of the images that cannot be prepared, with their full path; all others are there.
        keys: Of the images, in their order.
    """

    path: Path
    digest: str
    images: int
    made: int
    failures: tuple[ImageError, ...]
    keys: tuple[bytes, ...] = field(repr=False)


def prepare(records: Sequence[Record], preprocessing: Preprocessing, folder: Path) -> Prepared:
    """The preprocessed images of all records, in their order; those that are not in the store are made.

    Raises:
        DataError: There are no records, images cannot be prepared, or the store cannot be written.
    """
    filled = fill(records, preprocessing, folder)
    if filled.failures:
        names = [failure.name for failure in filled.failures]
        raise DataError(
            f"{counted(names, 'image', 'images')}, cannot be prepared ({filled.failures[0].reason}): mend or "
            f"remove them; `transxv2s data prepare` lists them all"
        )
    row_of = _rows(filled.path, preprocessing.size)
    rows = np.array([row_of[key] for key in filled.keys])
    return Prepared(filled.path / IMAGES, rows, preprocessing.size)


def fill(records: Sequence[Record], preprocessing: Preprocessing, folder: Path) -> Filled:
    """Makes those images that are not in the store yet; images that cannot be made do not stop the others.

    Any number of processes may do so at once: one makes what is missing, the others wait and find it.

    Args:
        records: Whose images are wanted.
        preprocessing: The pipeline.
        folder: Of the store; it is made if need be.

    Raises:
        DataError: There are no records, or the store cannot be written.
    """
    if not records:
        raise DataError("there are no images to prepare: check the data folder and the split")
    path = folder / preprocessing.digest()
    keys = tuple(state_key(record.path) for record in records)
    wanted = dict(zip(keys, (record.path for record in records), strict=True))
    made, failures = 0, list[ImageError]()
    if not wanted.keys() <= _rows(path, preprocessing.size).keys():
        with _written(path, preprocessing):
            there = _rows(path, preprocessing.size)
            missing = {key: file for key, file in wanted.items() if key not in there}
            failures = _append(path, len(there), missing, preprocessing) if missing else []
            made = len(missing) - len(failures)
    digest = hashlib.sha256(preprocessing.digest().encode() + b"".join(keys)).hexdigest()[:12]
    return Filled(path, digest, len(records), made, tuple(failures), keys)


def _square_bytes(size: int) -> int:
    return 3 * size * size


def _rows(path: Path, size: int) -> dict[bytes, int]:
    """Where in the file of squares each is that is there as a whole."""
    try:
        keys, squares = (path / KEYS).read_bytes(), (path / IMAGES).stat().st_size // _square_bytes(size)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    count = min(len(keys) // KEY_BYTES, squares)
    return {keys[KEY_BYTES * row : KEY_BYTES * (row + 1)]: row for row in range(count)}


@contextmanager
def _written(path: Path, preprocessing: Preprocessing) -> Iterator[None]:
    """Holds the store for writing and turns what can go wrong into a sentence.

    The system lets go of the lock when the process dies, however it dies.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with _acquired(FileLock(path / LOCK)):
            (path / PIPELINE).write_text(preprocessing.model_dump_json(indent=2) + "\n")
            yield
    except OSError as error:
        raise DataError(
            f"the store {path} cannot be written ({error.strerror or error}); what was prepared is kept: "
            f"make room there or name another folder, and run again"
        ) from error
    except BrokenProcessPool as error:
        raise DataError(
            "a process that prepares images was ended by the system, most likely for want of memory; what "
            "was prepared is kept: free memory and run again"
        ) from error


def _acquired(lock: BaseFileLock) -> AcquireReturnProxy[BaseFileLock]:
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        log.warning("another process is filling %s: waiting for it", Path(lock.lock_file).parent)
        return lock.acquire()


def _append(
    path: Path, there: int, missing: dict[bytes, Path], preprocessing: Preprocessing
) -> list[ImageError]:
    """Makes the missing squares and appends them, each before its key; returns what failed."""
    _check_space(path, len(missing) * _square_bytes(preprocessing.size))
    failures = []
    with (
        (path / IMAGES).open("ab") as images,
        (path / KEYS).open("ab") as keys,
        closing(_made(missing, preprocessing)) as squares,
    ):
        images.truncate(there * _square_bytes(preprocessing.size))
        keys.truncate(there * KEY_BYTES)
        for key, square in squares:
            if isinstance(square, ImageError):
                failures.append(square)
                continue
            for stream, content in ((images, square.tobytes()), (keys, key)):
                stream.write(content)
                stream.flush()
    return failures


def _check_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path).free
    if free < needed:
        raise DataError(
            f"the store {path} needs {decimal(needed)} more, but only {decimal(free)} are free there: "
            f"make room or name another folder"
        )


def _made(
    missing: dict[bytes, Path], preprocessing: Preprocessing
) -> Generator[tuple[bytes, Rgb | ImageError]]:
    """Each missing square by its key, or why it cannot be made, with a bar on stderr."""
    console = Console(stderr=True)
    with workers(len(missing), AT_ONCE) as pool:
        squares = pool.map(partial(_square, preprocessing), missing.values(), chunksize=AT_ONCE)
        pairs: Iterable[tuple[bytes, Rgb | ImageError]] = zip(missing, squares, strict=True)
        yield from track(
            pairs, "preparing images", len(missing), console=console, disable=not console.is_terminal
        )


def _square(preprocessing: Preprocessing, path: Path) -> Rgb | ImageError:
    try:
        return preprocessing.apply(decode(path, str(path)))
    except ImageError as error:
        return error
    except Exception as error:
        # A fault of ours that one odd image brings out: the others are made all the same.
        return ImageError(str(path), f"it cannot be preprocessed ({error}); leave it out and report this")
