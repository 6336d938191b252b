"""The append-only audit trail: a hash chain that also vouches for the rows it speaks of.

Each entry holds the digest of the one before, so that none can be changed, removed or slipped in unnoticed.
An entry on a case, user or token also holds a digest of all its rows as the action left them; what stands in
the database must have the digest of its last entry. A deletion is such an action: it leaves rows without
their contents. The chain holds digests alone, so that deletion leaves it valid.

A cut-off end, together with the rows of the time before it, cannot be seen from within; whoever has noted a
head of the chain elsewhere can see it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from transxv2s.serve.db.base import iso
from transxv2s.serve.db.models import AuditEntry
from transxv2s.serve.db.states import PARTS, digest_of, state_digests, subjects

GENESIS = "0" * 64
SYSTEM = "system"  # the actor where nobody asked
LOCAL = "local"  # the actor where there are no users
COLUMNS = tuple(AuditEntry.__table__.c)


@dataclass(frozen=True)
class Verdict:
    """What a verification found.

    Attributes:
        entries: Entries up to the first fault.
        head: Digest of the last of them: worth noting elsewhere.
        fault: What is wrong; None where nothing is.
        sequence: The first entry that is wrong, or that says otherwise than the database; None where a row
            has no entry at all.
    """

    entries: int
    head: str
    fault: str | None = None
    sequence: int | None = None


def record(session: Session, action: str, subject: str, *, actor: str, now: datetime) -> AuditEntry:
    """Appends an entry that vouches for all rows of a case, user or token as they are now.

    Call it last in the transaction of the change, inside `Database.writing`.

    Args:
        session: Of the change.
        action: Its part before the dot is the kind of the subject, as in "case.created".
        subject: Id of the case or token, or name of the user.
        actor: Who did it.
        now: When.
    """
    state = state_digests(session, action.partition(".")[0], [subject])[subject]
    return note(session, action, subject, actor=actor, now=now, payload_digest=state)


def note(
    session: Session, action: str, subject: str, *, actor: str, now: datetime, payload_digest: str = GENESIS
) -> AuditEntry:
    """Appends an entry on something that leaves no rows; its action must not begin with a kind that does.

    Args:
        session: Inside `Database.writing`.
        action: Such as "login.failed".
        subject: Whom or what it is about.
        actor: Who did it.
        now: When.
        payload_digest: sha256 of what it left behind, a file for example; zeros for nothing.
    """
    last = session.scalars(select(AuditEntry).order_by(AuditEntry.sequence.desc()).limit(1)).first()
    fields = {
        "sequence": last.sequence + 1 if last else 1,
        "at": iso(now),
        "actor": actor,
        "action": action,
        "subject": subject,
        "payload_digest": payload_digest,
        "previous": last.digest if last else GENESIS,
    }
    entry = AuditEntry(**fields, digest=digest_of(fields))
    session.add(entry)
    session.flush()
    return entry


def entries(session: Session, subject: str | None = None) -> list[AuditEntry]:
    """The trail, or what it says of one subject, in order."""
    query = select(AuditEntry).order_by(AuditEntry.sequence)
    return list(session.scalars(query if subject is None else query.where(AuditEntry.subject == subject)))


def origin(session: Session) -> str | None:
    """Digest of the first entry, which tells one database from another; None where there is none."""
    return session.scalars(select(AuditEntry.digest).where(AuditEntry.sequence == 1)).first()


def verify(session: Session, noted: str | None = None) -> Verdict:
    """Walks the chain, and compares the database with it; the images are `integrity`'s.

    Args:
        session: One that sees a single state (`Database.reading`).
        noted: A head that was noted earlier, which must still be in the chain.

    Returns:
        The first fault in the order of the entries.

    Raises:
        StorageUnavailableError: The database does not answer.
    """
    walk = _Walk(noted or GENESIS)
    try:
        for row in session.execute(select(*COLUMNS).order_by(AuditEntry.sequence)).yield_per(1000):
            walk.step(row)
        walk.end()
        _compare(session, walk)
    except _FaultError as fault:
        return Verdict(walk.count, walk.head, str(fault), fault.sequence)
    return Verdict(walk.count, walk.head)


class _FaultError(Exception):
    def __init__(self, why: str, sequence: int | None = None) -> None:
        super().__init__(why)
        self.sequence = sequence


class _Last(NamedTuple):
    """The last entry of a subject."""

    sequence: int
    payload_digest: str


class _Walk:
    """What has been seen of the chain."""

    def __init__(self, noted: str) -> None:
        self.count = 0
        self.head = GENESIS
        self.noted = noted
        self.noted_found = noted == GENESIS
        self.last: dict[tuple[str, str], _Last] = {}

    def step(self, row: Row[Any]) -> None:
        sequence = self.count + 1
        if row.sequence != sequence:
            raise _FaultError("an entry is missing", sequence)
        if row.previous != self.head:
            raise _FaultError("the entry does not follow the one before", sequence)
        if row.digest != _digest(row._mapping):
            raise _FaultError("the entry was changed", sequence)
        self.count, self.head = sequence, row.digest
        self.noted_found |= row.digest == self.noted
        kind = row.action.partition(".")[0]
        if kind in PARTS:
            self.last.pop((kind, row.subject), None)  # so that the order is that of the last entries
            self.last[kind, row.subject] = _Last(sequence, row.payload_digest)

    def end(self) -> None:
        if not self.noted_found:
            raise _FaultError("the chain does not hold the digest that was noted: its end was cut off")


def _compare(session: Session, walk: _Walk) -> None:
    """Refuses rows that are not as their last entry left them, and those without an entry."""
    states: dict[tuple[str, str], str] = {}
    for kind in PARTS:
        states |= {
            (kind, name): d for name, d in state_digests(session, kind, subjects(session, kind)).items()
        }
    for (kind, subject), last in walk.last.items():
        if (found := states.pop((kind, subject), None)) != last.payload_digest:
            why = "was changed" if found else "is missing"
            raise _FaultError(f"what the database holds of {kind} {subject} {why}", last.sequence)
    if states:
        raise _FaultError("the trail does not know of {} {}".format(*next(iter(states))))


def _digest(fields: Any) -> str:
    """The digest that an entry with these fields must have."""
    return digest_of({key: value for key, value in fields.items() if key != "digest"})
