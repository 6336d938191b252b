"""Which case a stored image belongs to, and which database a folder of them.

What no case refers to is deleted. A database that met the folder of another one would so empty it; therefore
a folder names its owner: the first entry of the audit trail, which a backup of the database has as well.
"""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from transxv2s.serve import audit
from transxv2s.serve.db.models import CaseImage
from transxv2s.serve.errors import ForeignImagesError
from transxv2s.serve.images import ImageStore


def referred(session: Session) -> set[str]:
    """Digests of all images that cases refer to."""
    found = {*session.scalars(select(CaseImage.digest)), *session.scalars(select(CaseImage.seen_digest))}
    return {digest for digest in found if digest}


def case_with(session: Session, digest: str) -> str | None:
    """Id of the first case that refers to an image."""
    refers = or_(CaseImage.digest == digest, CaseImage.seen_digest == digest)
    query = select(CaseImage.case_id).where(refers).order_by(CaseImage.id).limit(1)
    return session.scalars(query).first()


def claim(session: Session, store: ImageStore) -> bool:
    """Whether the images in the folder are those of this database.

    A folder that names nobody becomes that of the database that refers to an image in it; one without images
    is anybody's, and that of who asks. Ask before images are written, or what refers to them is removed.

    Args:
        session: Inside `Database.writing`.
        store: The folder.

    Raises:
        StorageUnavailableError: The folder cannot be read or written.
    """
    origin, owner = audit.origin(session), store.owner()
    if owner is not None and owner == origin:
        return True
    there = set(store.digests())
    if there and (owner is not None or there.isdisjoint(referred(session))):
        return False
    store.name_owner(origin)
    return True


def require(session: Session, store: ImageStore) -> None:
    """As `claim`.

    Raises:
        ForeignImagesError: The images are another database's.
        StorageUnavailableError: The folder cannot be read or written.
    """
    if not claim(session, store):
        raise ForeignImagesError
