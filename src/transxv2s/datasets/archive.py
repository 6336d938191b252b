"""Unpacks a publisher's ZIP file, trusting nothing in it, into a folder that is there whole or not at all."""

import errno
import shutil
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from transxv2s.errors import DataError

CHUNK = 1 << 20  # bytes
FOREIGN = "it is not the publisher's file, do not use that server"


class UntrustedArchiveError(DataError):
    """An archive is damaged or not what its publisher made, and must not be unpacked again."""


def unpack(archive: Path, folder: Path, follow: Callable[[int], Callable[[int], None]]) -> int:
    """Unpacks the files of an archive; those in a top folder of the same name move up into `folder`.

    Some publishers zip the folder and some its files; both end as FOLDER/FILE. The litter of macOS
    (`__MACOSX`, `._NAME`), which a reader would take for images, is left out.

    Args:
        archive: The ZIP file.
        folder: What it becomes; must not be there yet.
        follow: Is told how many files there are, and gives the function that is told how many are done.

    Returns:
        How many files are in the folder.

    Raises:
        UntrustedArchiveError: The archive is damaged, or would write elsewhere.
        DataError: The disk is full or cannot be written. Whatever is raised, nothing is left behind.
    """
    staging = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
    try:
        with ZipFile(archive) as bundle:
            members = _members(bundle, folder.name)
            check_space(
                folder.parent, sum(info.file_size for info in members.values()), f"unpacking {archive.stem}"
            )
            at = follow(len(members))
            for done, (place, info) in enumerate(members.items(), start=1):
                _extract(bundle, info, staging / place)
                at(done)
        staging.rename(folder)
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise UntrustedArchiveError(
            f"{archive.stem} is not a whole ZIP file ({error}), so it was removed: run the command again"
        ) from error
    except OSError as error:
        cause = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise DataError(
            f"{folder} cannot be unpacked ({cause}): mend that and run the command again"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return len(members)


def check_space(folder: Path, needed: int, purpose: str) -> None:
    """Makes sure that bytes fit beside a folder.

    Raises:
        DataError: They do not.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{purpose} needs {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free: "
            "free space there or choose another --root"
        )


def _members(bundle: ZipFile, top: str) -> dict[PurePosixPath, ZipInfo]:
    members: dict[PurePosixPath, ZipInfo] = {}
    for info in bundle.infolist():
        place = _safe(info, top)
        if info.is_dir() or "__MACOSX" in place.parts or place.name.startswith("._"):
            continue
        place = PurePosixPath(*place.parts[1:]) if place.parts[0] == top and len(place.parts) > 1 else place
        if place in members:
            raise UntrustedArchiveError(f"{top}.zip holds {place} twice, so it was removed: {FOREIGN}")
        members[place] = info
    return members


def _safe(info: ZipInfo, top: str) -> PurePosixPath:
    place = PurePosixPath(info.filename)
    outside = place.is_absolute() or ".." in place.parts or not place.parts
    elsewhere = "\\" in info.filename or ":" in info.filename or stat.S_ISLNK(info.external_attr >> 16)
    if outside or elsewhere:
        raise UntrustedArchiveError(
            f"{top}.zip would write outside its folder ({info.filename!r}), so it was removed: {FOREIGN}"
        )
    return place


def _extract(bundle: ZipFile, info: ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with bundle.open(info) as source, target.open("xb") as stream:
        shutil.copyfileobj(source, stream, CHUNK)
