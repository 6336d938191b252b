"""Writing files so that no half of one is ever found nor two runs meet, reading YAML, telling files apart."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from filelock import FileLock, Timeout

from transxv2s.errors import ConfigError, DataError

KEY_BYTES = 16
PARTIAL = ".partial"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file beside its place, which moves there, once it is safe on the disk, if the block ends well.

    Raises:
        OSError: It cannot be written; what was there before still is.
    """
    target = path.resolve()
    beside = target.with_name(f".{target.name}.part")
    try:
        with beside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around what writes a file, and nothing else that the system could refuse.

    Raises:
        DataError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); name another place.") from error


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file beside its place and moves it there; text as UTF-8.

    Raises:
        DataError: It cannot be written.
    """
    with writing(path), replacing(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Holds a file for one process at a time; the system lets go when the process dies, however it dies.

    Raises:
        DataError: Another process holds it, or its folder cannot be written.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    with writing(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise DataError(f"another run is writing {path}: wait for it, or name another file") from None
    try:
        yield
    finally:
        lock.release()


def growing(path: Path) -> Path:
    """Where a file stands while it grows; whoever ends the work moves it to its place."""
    return path.with_name(path.name + PARTIAL)


def append(stream: BinaryIO, content: bytes) -> None:
    """Adds to a file that grows; when this returns, it is safe on the disk."""
    stream.write(content)
    stream.flush()
    os.fsync(stream.fileno())


def read_yaml(path: Path, missing: str) -> Any:
    """The content of a YAML file.

    Args:
        path: The file.
        missing: What to say where there is none.

    Raises:
        ConfigError: It is not there, or cannot be read as YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(missing) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not a readable YAML file: {error}") from error


def make_folders(*folders: Path) -> None:
    """Before the work, so that a folder that cannot be made costs nobody an hour.

    Raises:
        DataError: One cannot be made.
    """
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder} cannot be made ({error.strerror}); name another folder.") from error


def state_key(path: Path) -> bytes:
    """KEY_BYTES that tell one state of a file (path, size, last change) from another.

    Of a file that is not there they tell the path alone.
    """
    try:
        stat = path.stat()
        state = f"{stat.st_size} {stat.st_mtime_ns}"
    except OSError:
        state = "absent"
    content = os.fsencode(path.absolute()) + b"\0" + state.encode()
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()


def readable(path: str | Path) -> str:
    """A path as text that every output can hold: bytes that are no UTF-8 become the replacement character."""
    return os.fsencode(path).decode("utf-8", "replace")
