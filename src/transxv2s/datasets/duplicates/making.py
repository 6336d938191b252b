"""Makes the fingerprints of image files, in parallel, and keeps them for the next time.

The cache is one file of fixed rows: a hash of path, size and time of last change, and the fingerprint. It
only ever grows, under a lock and by whole batches, so that an interrupted run goes on where it stopped.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from filelock import FileLock
from rich.console import Console
from rich.progress import track

from transxv2s.datasets.duplicates import disc, frame
from transxv2s.datasets.duplicates.fingerprints import DIGEST_BYTES, FULL_BYTES, VERSION, Fingerprints
from transxv2s.datasets.records import counted
from transxv2s.errors import DataError, ImageError
from transxv2s.files import KEY_BYTES, state_key
from transxv2s.imaging.decode import decode

AT_ONCE = 256  # images between two writes to the cache

Rows = dict[bytes, bytes]


def fingerprints(paths: Sequence[Path], cache: Path | None = None) -> Fingerprints:
    """One row an image, in the order of the paths.

    Args:
        paths: Image files.
        cache: Folder where fingerprints are kept, made if need be; a file that changed since is read again.

    Raises:
        ImageError: A file cannot be read; all others are in the cache by then.
        DataError: The cache cannot be written.
    """
    made, failures = fingerprints_of_readable(paths, cache)
    if failures:
        raise _first_of(list(failures.values()))
    return made


def fingerprints_of_readable(
    paths: Sequence[Path], cache: Path | None = None
) -> tuple[Fingerprints, dict[int, ImageError]]:
    """One row for each image that can be read, in the order of the paths; by position, why others cannot.

    Raises:
        DataError: The cache cannot be written.
    """
    keys = [state_key(path) for path in paths]
    rows = _cached(cache) if cache else {}
    missing = {key: path for key, path in zip(keys, paths, strict=True) if key not in rows}
    failures: dict[bytes, ImageError] = {}
    for batch in _batches(_made(missing), AT_ONCE):
        good = {key: row for key, row in batch if isinstance(row, bytes)}
        failures |= {key: row for key, row in batch if isinstance(row, ImageError)}
        rows |= good
        if cache:
            _keep(cache, good)
    made = _split(b"".join(rows[key] for key in keys if key in rows))
    return made, {place: failures[key] for place, key in enumerate(keys) if key in failures}


def _made(missing: dict[bytes, Path]) -> Iterator[tuple[bytes, bytes | ImageError]]:
    """The fingerprint of each file by its key, or why there is none, with a bar on stderr."""
    console = Console(stderr=True)
    with ThreadPoolExecutor(min(os.cpu_count() or 1, len(missing) or 1)) as pool:
        rows = zip(missing, pool.map(_row, missing.values()), strict=True)
        yield from track(
            rows,
            "fingerprints",
            len(missing),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )


def _row(path: Path) -> bytes | ImageError:
    try:
        image = decode(path)
        content = path.read_bytes()
    except ImageError as error:
        return error
    digest = hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
    return digest + frame.describe(image).tobytes() + disc.describe(image).tobytes()


def _first_of(failures: list[ImageError]) -> ImageError:
    first = failures[0]
    names = [failure.name for failure in failures]
    others = f" ({counted(names, 'image', 'images')}, cannot be read)" if len(names) > 1 else ""
    return ImageError(first.name, first.reason + others)


def _split(rows: bytes) -> Fingerprints:
    table = np.frombuffer(rows, np.uint8).reshape(-1, FULL_BYTES)
    digests, frames, discs = np.split(table, [DIGEST_BYTES, DIGEST_BYTES + frame.BYTES], axis=1)
    return Fingerprints(digests, frames, discs)


def _batches(
    rows: Iterable[tuple[bytes, bytes | ImageError]], size: int
) -> Iterator[list[tuple[bytes, bytes | ImageError]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def _file(cache: Path) -> Path:
    return cache / f"fingerprints-{VERSION}"


def _cached(cache: Path) -> Rows:
    """All whole rows of the cache, the latest of each key."""
    width = KEY_BYTES + FULL_BYTES
    content = _file(cache).read_bytes() if _file(cache).exists() else b""
    starts = range(0, len(content) - width + 1, width)
    return {content[s : s + KEY_BYTES]: content[s + KEY_BYTES : s + width] for s in starts}


def _keep(cache: Path, rows: Rows) -> None:
    """Appends rows; half a row that an interrupted run left is cut off first."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{_file(cache)}.lock"), _file(cache).open("ab") as stream:
            stream.truncate(stream.tell() // (KEY_BYTES + FULL_BYTES) * (KEY_BYTES + FULL_BYTES))
            stream.write(b"".join(key + row for key, row in rows.items()))
    except OSError as error:
        raise DataError(
            f"the cache {cache} cannot be written ({error.strerror or error}): make room there or set "
            f"XDG_CACHE_HOME to another folder"
        ) from error
