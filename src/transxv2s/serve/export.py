"""Reviewed cases as a data set `table` that `train` and `evaluate` read: a CSV file beside its images."""

import csv
import hashlib
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from transxv2s.errors import DataError
from transxv2s.files import make_folders, write_whole
from transxv2s.serve import audit
from transxv2s.serve.db.models import Case, CaseImage
from transxv2s.serve.db.session import Database
from transxv2s.serve.images import ImageStore
from transxv2s.serve.review import OTHER

TABLE = "reviewed.csv"
IMAGES = "images"
COLUMNS = ("image", "label", "lesion", "age", "sex", "site", "confidence")
Row = tuple[str | int | None, ...]


@dataclass(frozen=True)
class Exported:
    """What an export holds.

    Attributes:
        cases: Cases with an image in it.
        images: Images.
        without_image: Reviewed cases whose images were not kept.
        other: Reviewed cases that are of none of the classes.
        digest: sha256 of the table, which the audit trail holds too.
    """

    cases: int
    images: int
    without_image: int
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
        DamagedImageError: An image is damaged, or its case was deleted meanwhile.
        StorageUnavailableError: The storage does not answer.
    """
    with database.reading() as session:
        query = select(Case).where(Case.state == "reviewed").order_by(Case.created_at, Case.id)
        cases = list(session.scalars(query))
    meant = [case for case in cases if case.reviews[-1].diagnosis != OTHER]
    used = [case for case in meant if any(image.digest for image in case.images)]
    if not used:
        raise DataError("There is no reviewed case with an image to export: review some first.")
    rows = [_row(case, image) for case in used for image in case.images]
    table = _table(rows)
    result = Exported(
        cases=len(used),
        images=len(rows),
        without_image=len(meant) - len(used),
        other=len(cases) - len(meant),
        digest=hashlib.sha256(table).hexdigest(),
    )
    with _appearing(folder) as beside:
        for case in used:
            for image in case.images:
                write_whole(beside / _place(image), store.read(image.digest or ""))
        write_whole(beside / TABLE, table)
        with database.writing() as session:
            audit.note(
                session,
                "export.written",
                str(result.cases),
                actor=actor,
                now=now,
                payload_digest=result.digest,
            )
    return result


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
