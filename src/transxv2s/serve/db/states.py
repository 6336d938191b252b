"""What is in the database of a case, user or token, as one digest: every value of every row of it.

A value that is missing (NULL) counts as little as a column that is missing, so that a column that a later
version adds leaves the digests of earlier rows as they are.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, Table, select, type_coerce
from sqlalchemy.orm import Session

from transxv2s.serve.db.base import Base, Moment
from transxv2s.serve.db.models import ApiToken, Case, CaseImage, Review, User

TOGETHER = 500  # subjects of one query
# by kind its tables, each with the column that names the subject; of the first it is the key
PARTS: Mapping[str, tuple[tuple[type[Base], str], ...]] = {
    "case": ((Case, "id"), (CaseImage, "case_id"), (Review, "case_id")),
    "user": ((User, "name"),),
    "token": ((ApiToken, "id"),),
}


def canonical(value: object) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, ASCII. What JSON lacks becomes its repr."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=repr)
    return text.encode("ascii")


def digest_of(value: object) -> str:
    """The sha256 of the canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()


def subjects(session: Session, kind: str) -> list[str]:
    """All there are of a kind, oldest names first."""
    model, key = PARTS[kind][0]
    column = model.__table__.c[key]
    return list(session.scalars(select(column).order_by(column)))


def state_digests(session: Session, kind: str, wanted: Sequence[str]) -> dict[str, str]:
    """For each of these subjects that exists, the digest of all its rows.

    What was not flushed is flushed first. Values are read as the database has them, even where a row was
    changed to something that no program of ours would have written.
    """
    session.flush()
    found: dict[str, str] = {}
    for start in range(0, len(wanted), TOGETHER):
        found |= _digests(session, kind, wanted[start : start + TOGETHER])
    return found


def _digests(session: Session, kind: str, wanted: Sequence[str]) -> dict[str, str]:
    states: dict[str, dict[str, list[Any]]] = defaultdict(dict)
    for model, key in PARTS[kind]:
        table = model.__table__
        columns = _columns(table)  # type: ignore[arg-type]
        for row in session.execute(select(*columns).where(table.c[key].in_(wanted))):
            values = {name: value for name, value in row._mapping.items() if value is not None}
            states[values[key]].setdefault(model.__tablename__, []).append(values)
    first = PARTS[kind][0][0].__tablename__
    return {name: digest_of(_ordered(rows)) for name, rows in states.items() if first in rows}


def _columns(table: Table) -> list[ColumnElement[Any]]:
    """All columns; moments as the text that they are stored as, which may be nonsense."""
    return [
        type_coerce(column, String).label(column.name) if isinstance(column.type, Moment) else column
        for column in table.c
    ]


def _ordered(rows: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Rows in an order that does not depend on the database."""
    return {table: sorted(found, key=canonical) for table, found in rows.items()}
