"""Reviewed cases as a data set `table` that `train` and `evaluate` read: a CSV file beside its images."""

import csv
import hashlib
import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from sqlalchemy import select

from transxv2s.errors import DataError
from transxv2s.files import make_folders, write_whole
from transxv2s.serve import audit
from transxv2s.serve.db.models import Case, CaseImage
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import DamagedImageError
from transxv2s.serve.images import DAMAGED, ImageStore
from transxv2s.serve.review import OTHER

TABLE = "reviewed.csv"
IMAGES = "images"
COLUMNS = ("image", "label", "lesion", "age", "sex", "site", "confidence")
NOTHING = "There is no reviewed case with an image to export: review some first."
Row = tuple[str | int | None, ...]
Put = Callable[[str, bytes], None]  # writes a file of this name


@dataclass(frozen=True)
class Exported:
    """What an export holds.

    Attributes:
        cases: Cases with an image in it.
        images: Images.
        without_image: Reviewed cases whose images were not kept, or not so long.
        unreadable: Images that were left out: damaged, or their case was deleted meanwhile.
        other: Reviewed cases that are of none of the classes.
        digest: sha256 of the table, which the audit trail holds too.
    """

    cases: int
    images: int
    without_image: int
    unreadable: int
    other: int
    digest: str


def export(database: Database, store: ImageStore, folder: Path, *, actor: str, now: datetime) -> Exported:
    """Writes all reviewed cases whose images are kept, whole or not at all.

    The label is the diagnosis of the last review, the lesion is the case: a split never tears it.

    Args:
        database: With the cases.
        store: With their images.
        folder: A new one, or an empty one.
        actor: Who asked.
        now: When.

    Raises:
        DataError: The folder is not empty or cannot be written, or there is nothing to export.
        DamagedImageError: No image could be read.
        StorageUnavailableError: The storage does not answer.
    """
    with _appearing(folder) as beside:
        return _write(database, store, lambda name, file: write_whole(beside / name, file), actor, now)


def export_zip(
    database: Database, store: ImageStore, archive: IO[bytes], *, actor: str, now: datetime
) -> Exported:
    """The same as an archive.

    Raises:
        DataError: There is nothing to export.
        DamagedImageError: No image could be read.
        OSError: The archive cannot be written.
        StorageUnavailableError: The storage does not answer.
    """
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:  # PNG files do not shrink
        return _write(database, store, packed.writestr, actor, now)


def _write(database: Database, store: ImageStore, put: Put, actor: str, now: datetime) -> Exported:
    cases = _reviewed(database)
    meant = [case for case in cases if case.reviews[-1].diagnosis != OTHER]
    pictured = [case for case in meant if any(image.digest for image in case.images)]
    images = [(case, image) for case in pictured for image in case.images]
    written = [(case, image) for case, image in images if _put_image(store, put, image)]
    if not written:
        raise DamagedImageError(DAMAGED) if images else DataError(NOTHING)
    table = _table([_row(case, image) for case, image in written])
    put(TABLE, table)
    result = Exported(
        cases=len({case.id for case, _ in written}),
        images=len(written),
        without_image=len(meant) - len(pictured),
        unreadable=len(images) - len(written),
        other=len(cases) - len(meant),
        digest=hashlib.sha256(table).hexdigest(),
    )
    with database.writing() as session:
        what, digest = str(result.cases), result.digest
        audit.note(session, "export.written", what, actor=actor, now=now, payload_digest=digest)
    return result


def _reviewed(database: Database) -> list[Case]:
    with database.reading() as session:
        query = select(Case).where(Case.state == "reviewed").order_by(Case.created_at, Case.id)
        return list(session.scalars(query))


def _put_image(store: ImageStore, put: Put, image: CaseImage) -> bool:
    """Writes an image, unless it is damaged, or its case was deleted meanwhile."""
    try:
        content = store.read(image.digest or "")
    except DamagedImageError:
        return False
    put(_place(image), content)
    return True


def _row(case: Case, image: CaseImage) -> Row:
    last = case.reviews[-1]
    return (_place(image), last.diagnosis, case.id, case.age, case.sex, case.site, last.confidence)


def _place(image: CaseImage) -> str:
    return f"{IMAGES}/{image.id}.png"


def _table(rows: list[Row]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return stream.getvalue().encode()


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A folder beside its place, which moves there if the block ends well.

    Raises:
        DataError: There is something already, or it cannot be made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is not empty: name a new folder.")
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    make_folders(beside / IMAGES)
    try:
        yield beside
        beside.replace(folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror}): name another folder.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
