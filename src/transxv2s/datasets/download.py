"""Downloads a data set into the layout its reader reads, checks it, and records what came in `download.json`.

What is there already stays as it is; a second run does nothing.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import requests

from transxv2s.datasets.archive import UntrustedArchiveError, check_space, unpack
from transxv2s.datasets.catalogue import Collection, RemoteFile
from transxv2s.datasets.received import Received, Record, read_record, write_record
from transxv2s.datasets.transfer import Remote, discard, fetch, kept, open_session, probe
from transxv2s.errors import DataError
from transxv2s.files import make_folders


class Teller(Protocol):
    """Who tells the user how far things are."""

    def say(self, sentence: str) -> None:
        """Says one sentence."""

    def follow(self, task: str, total: int | None, unit: str) -> Callable[[int], None]:
        """Begins a task and gives the function that is told how much of it is done.

        Args:
            task: Its name.
            total: How much there is to do, if that is known.
            unit: `bytes` or `files`.
        """


def download(collection: Collection, root: Path, teller: Teller, mirror: str | None = None) -> Record:
    """Downloads what is not there yet.

    Args:
        collection: What to download.
        root: The folder it goes to; made if it is not there.
        teller: Is told how far things are.
        mirror: Address of a folder with the publisher's files by name, in place of the publisher's server.

    Returns:
        What this and earlier runs received.

    Raises:
        DataError: No network, no such file, a wrong checksum, no space: one sentence, and what to do.
    """
    record = read_record(root, collection)
    absent = [file for file in collection.files if not _is_there(root, file, record, teller)]
    if not absent:
        return record
    make_folders(root)
    with open_session() as session:
        remotes = [probe(session, _address(file, mirror)) for file in absent]
        _check_space(root, collection, absent, remotes)
        for file, remote in zip(absent, remotes, strict=True):
            record.received[file.name] = _receive(session, file, remote, root, teller)
            write_record(root, record)
    return record


def _address(file: RemoteFile, mirror: str | None) -> str:
    return f"{mirror.rstrip('/')}/{file.name}" if mirror else file.address


def _part(root: Path, file: RemoteFile) -> Path:
    return root / f"{file.name}.part"


def _is_there(root: Path, file: RemoteFile, record: Record, teller: Teller) -> bool:
    place, received = root / file.placed, record.received.get(file.name)
    if not place.exists():
        return False
    if received is None:
        teller.say(f"{place} is there without a record of its download: left as it is, not checked.")
    elif not _unchanged(place, received):
        raise DataError(
            f"{place} is not as it was downloaded (files were added, removed or cut): remove it and run the "
            "command again for a fresh one"
        )
    return True


def _unchanged(place: Path, received: Received) -> bool:
    if received.files is None:
        return place.is_file() and place.stat().st_size == received.bytes
    return sum(path.is_file() for path in place.rglob("*")) == received.files


def _check_space(
    root: Path, collection: Collection, files: Sequence[RemoteFile], remotes: Sequence[Remote]
) -> None:
    """Archives of JPEG files unpack to about their own size, and go one by one once they are unpacked."""
    sizes = [remote.size or 0 for remote in remotes]
    archives = [size for file, size in zip(files, sizes, strict=True) if file.zipped]
    partial = sum(kept(remote, _part(root, file)) for file, remote in zip(files, remotes, strict=True))
    check_space(
        root, sum(sizes) + max(archives, default=0) - partial, f"{collection.title} with its unpacking"
    )


def _receive(
    session: requests.Session, file: RemoteFile, remote: Remote, root: Path, teller: Teller
) -> Received:
    part, place = _part(root, file), root / file.placed
    fetch(session, remote, part, teller.follow(file.name, remote.size, "bytes"))
    size, sha256 = part.stat().st_size, _checked(file, part, teller)
    count = None
    if file.zipped:
        count = _unpack(part, place, teller)
    else:
        part.rename(place)
    discard(part)
    return Received(
        address=remote.address, bytes=size, sha256=sha256, published_checksum=file.checksum, files=count
    )


def _checked(file: RemoteFile, part: Path, teller: Teller) -> str:
    """The file's SHA-256, once it has passed the publisher's own checksum, if there is one."""
    sha256 = _digest(part, "sha256")
    if file.checksum is None:
        teller.say(
            f"{file.name}: the publisher names no checksum, so none was checked; its sha256 is {sha256}."
        )
        return sha256
    algorithm, _, expected = file.checksum.partition(":")
    found = _digest(part, algorithm)
    if found != expected:
        discard(part)
        raise DataError(
            f"{file.name} has the {algorithm} {found} and the publisher's has {expected}, so it was removed: "
            "run the command again, and do not use this server if that repeats"
        )
    teller.say(f"{file.name}: has the publisher's {algorithm} {expected}.")
    return sha256


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _unpack(part: Path, place: Path, teller: Teller) -> int:
    try:
        return unpack(part, place, lambda total: teller.follow(f"unpacking {place.name}", total, "files"))
    except UntrustedArchiveError:
        discard(part)
        raise
