"""Preprocessed images in one memory-mapped file: written once, in parallel, resumable after a kill."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from transxv2s.datasets.records import Record
from transxv2s.errors import DataError
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import Preprocessing

CHUNK = 64

Images = NDArray[np.uint8]


def digest(records: Sequence[Record], preprocessing: Preprocessing) -> str:
    """Key of a store: image ids, file sizes and the preprocessing."""
    key = hashlib.sha256(preprocessing.digest().encode())
    for record in records:
        key.update(f"{record.id} {record.path.stat().st_size}\n".encode())
    return key.hexdigest()[:12]


def _chunk(preprocessing: Preprocessing, paths: Sequence[Path]) -> Images:
    return np.stack([preprocessing.apply(decode(path)) for path in paths])


def _chunks(
    records: Sequence[Record], preprocessing: Preprocessing, starts: Sequence[int]
) -> Iterator[Images]:
    paths = [[r.path for r in records[start : start + CHUNK]] for start in starts]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(partial(_chunk, preprocessing), paths)


def prepare(records: Sequence[Record], preprocessing: Preprocessing, folder: Path) -> Images:
    """The preprocessed images (N, size, size, 3) of all records, in their order.

    Chunks already in the folder are not made again.

    Raises:
        DataError: There are no records.
        ImageError: A file cannot be read.
    """
    if not records:
        raise DataError("there are no images to prepare: check the data folder and the split")
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / digest(records, preprocessing)
    shape = (len(records), preprocessing.size, preprocessing.size, 3)
    finished, images, done = (
        base.with_suffix(".npy"),
        base.with_suffix(".partial.npy"),
        base.with_suffix(".done"),
    )
    if not finished.exists():
        _fill(records, preprocessing, images, done, shape)
        done.unlink()  # first: left behind, it would vouch for chunks of a file that is no longer there
        images.rename(finished)
    stored: Images = np.load(finished, mmap_mode="r")
    return stored


def _fill(
    records: Sequence[Record], preprocessing: Preprocessing, path: Path, done: Path, shape: tuple[int, ...]
) -> None:
    mode = "r+" if path.exists() else "w+"
    store = np.lib.format.open_memmap(path, mode=mode, dtype=np.uint8, shape=None if mode == "r+" else shape)
    written = {int(line) for line in done.read_text().split()} if done.exists() else set()
    starts = [start for start in range(0, len(records), CHUNK) if start not in written]
    chunks = _chunks(records, preprocessing, starts)
    with done.open("a") as log:
        for start, chunk in track(zip(starts, chunks, strict=True), "preparing images", len(starts)):
            store[start : start + len(chunk)] = chunk
            store.flush()
            log.write(f"{start}\n")
            log.flush()
