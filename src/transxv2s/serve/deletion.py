"""The end of a case: on request, or when its time has come; first the rows, then the images."""

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from transxv2s.serve import audit
from transxv2s.serve.cases import get
from transxv2s.serve.db.models import Case
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import ForeignImagesError
from transxv2s.serve.images import ImageStore
from transxv2s.serve.ownership import case_with, claim, referred

AT_ONCE = 100  # cases in one transaction: others want to write too


def erase(database: Database, store: ImageStore, case_id: str, *, actor: str, now: datetime) -> None:
    """Deletes images, findings, comments and details of one case, as a patient may ask for.

    What remains tells that there was a case, when, who sent and reviewed it, and the diagnosis.

    Raises:
        NotFoundError: There is no such case, or it has been deleted before.
        ForeignImagesError: The images are another database's: the case is deleted, no image is.
        StorageUnavailableError: The storage does not answer; repeat it, or `expire` finishes the work.
    """
    with database.writing() as session:
        ours = claim(session, store)
        digests = _blank(session, get(session, case_id), "case.erased", actor, now)
    _clean(database, store, ours, digests, changed=True)


def expire(database: Database, store: ImageStore, now: datetime) -> int:
    """Deletes all whose time has come: cases as `erase` does, images of reviewed ones; and lost images.

    Returns:
        How many cases.

    Raises:
        ForeignImagesError: The images are another database's: cases are deleted, no image is.
        StorageUnavailableError: The storage does not answer; the next call finishes the work.
    """
    with database.writing() as session:
        ours = claim(session, store)
    over = select(Case).where(Case.expires_at <= now, Case.state != "deleted")
    count = _in_parts(database, over, lambda s, case: _blank(s, case, "case.expired", audit.SYSTEM, now))
    reviewed = select(Case).where(Case.images_until <= now)
    others = _in_parts(database, reviewed, lambda s, case: _drop_images(s, case, now))
    with database.reading() as session:
        lost = set(store.digests()) - referred(session)
    _clean(database, store, ours, lost, changed=bool(count or others or lost))
    return count


def _in_parts(database: Database, due: Select[Case], end: Callable[[Session, Case], object]) -> int:
    """Ends cases of which none is due afterwards; how many there were."""
    count = 0
    while True:
        with database.writing() as session:
            found = session.scalars(due.limit(AT_ONCE)).all()
            for case in found:
                end(session, case)
        count += len(found)
        if len(found) < AT_ONCE:
            return count


def _blank(session: Session, case: Case, action: str, actor: str, now: datetime) -> list[str]:
    """Empties a case; returns the digests of its images."""
    digests = _forget_images(case)
    case.age = case.sex = case.site = case.salt = None
    case.state, case.urgency = "deleted", 0.0
    for image in case.images:
        image.finding = None
    for review in case.reviews:
        review.comment = None
    audit.record(session, action, case.id, actor=actor, now=now)
    return digests


def _drop_images(session: Session, case: Case, now: datetime) -> None:
    """Of a reviewed case; the rest stays."""
    _forget_images(case)
    audit.record(session, "case.images_expired", case.id, actor=audit.SYSTEM, now=now)


def _forget_images(case: Case) -> list[str]:
    """Their digests, which the case then holds no more."""
    digests = [digest for image in case.images for digest in (image.digest, image.seen_digest) if digest]
    for image in case.images:
        image.digest = image.seen_digest = None
    case.images_until = None
    return digests


def _clean(database: Database, store: ImageStore, ours: bool, digests: Iterable[str], changed: bool) -> None:
    """Removes images that no case refers to, and what deleted rows have left behind.

    After the rows were emptied and committed, so that a crash leaves files to be swept, never rows without
    files.
    """
    if ours:
        _sweep(database, store, digests)
    database.scrub(changed)
    if not ours:
        raise ForeignImagesError


def _sweep(database: Database, store: ImageStore, digests: Iterable[str]) -> None:
    """Under the writer's lock, so that no new case comes to share an image that is being deleted."""
    with database.writing():
        store.clear_parts()
    for digest in digests:
        with database.writing() as session:
            if case_with(session, digest) is None:
                store.delete(digest)
