"""Whether all is as it was left: trail and rows in one state, then every image, while others write."""

from dataclasses import replace

from transxv2s.serve import audit
from transxv2s.serve.audit import Verdict
from transxv2s.serve.db.models import AuditEntry
from transxv2s.serve.db.session import Database
from transxv2s.serve.images import ImageStore
from transxv2s.serve.ownership import case_with, referred


def verify(database: Database, store: ImageStore, noted: str | None = None) -> Verdict:
    """Checks the audit trail, the rows that it vouches for, and the images that these refer to.

    Reading all images takes a while; the writer's lock is taken only where one seems damaged, to look again
    whether it is: its case may have been deleted meanwhile.

    Args:
        database: With the trail.
        store: With the images.
        noted: A head that was noted earlier, which must still be in the chain.

    Returns:
        The first fault: of the trail, of the rows, of the images.

    Raises:
        StorageUnavailableError: The storage does not answer.
    """
    with database.reading() as session:
        verdict = audit.verify(session, noted)
        digests = referred(session)
    if verdict.fault is None:
        for digest in sorted(digests):
            if not store.holds(digest) and (entry := _last_word(database, store, digest)):
                why = f"an image of case {entry.subject} is missing or was changed"
                return replace(verdict, fault=why, sequence=entry.sequence)
    return verdict


def _last_word(database: Database, store: ImageStore, digest: str) -> AuditEntry | None:
    """The last entry on a case that refers to a damaged image; None if the image is whole or unused now."""
    with database.writing() as session:
        case_id = case_with(session, digest)
        if case_id is None or store.holds(digest):
            return None
        return audit.entries(session, case_id)[-1]
