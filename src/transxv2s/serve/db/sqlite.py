"""SQLite as a server needs it: durable, one writer beside many readers, no file conjured up by mistake."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError

PRAGMAS = (
    "journal_mode = WAL",  # readers do not wait for the writer
    "synchronous = FULL",  # what is committed survives a power cut
    "foreign_keys = ON",
    "secure_delete = ON",  # what is deleted is overwritten
    "recursive_triggers = ON",  # REPLACE deletes too, and must meet the triggers
)


def sqlite_engine(url: URL, file: Path, wait: float, **pool: Any) -> Engine:
    """An engine whose transactions begin with the execution option `begin` ("BEGIN"; None for none at all).

    Args:
        url: Of the file.
        file: The file, which must exist when the first connection is made.
        wait: Seconds to wait for another writer, unless the execution option `wait` says otherwise.
        **pool: Settings of SQLAlchemy's pool.
    """
    engine = create_engine(url, creator=lambda: _connect(file, wait), **pool)
    event.listen(engine, "connect", lambda _, record: record.info.update(inode=_inode(file)))
    event.listen(engine, "checkout", lambda _, record, __: _check_still_there(file, record.info["inode"]))
    event.listen(engine, "begin", lambda connection: _begin(connection, wait))
    return engine


def _connect(file: Path, wait: float) -> sqlite3.Connection:
    """A connection; transactions begin where we say (`isolation_level`), not where the driver guesses."""
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=rw",  # otherwise an empty database takes the place of a lost one
        uri=True,
        timeout=wait,
        isolation_level=None,
        check_same_thread=False,
    )
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _begin(connection: Connection, wait: float) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(1000 * options.get('wait', wait))}")
    if begin := options.get("begin", "BEGIN"):
        connection.exec_driver_sql(begin)


def _inode(file: Path) -> int | None:
    return file.stat().st_ino if file.exists() else None


def _check_still_there(file: Path, inode: int) -> None:
    """Refuses a connection to a file that was moved away: what it commits would be lost.

    Raises:
        DisconnectionError: The pool then opens another connection.
    """
    if _inode(file) != inode:
        raise DisconnectionError
