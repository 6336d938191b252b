"""Connections: one writer at a time, so that the audit chain never forks; one error when storage fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, func, make_url, select, text
from sqlalchemy import exc as sql
from sqlalchemy.orm import Session

from transxv2s.errors import ConfigError
from transxv2s.serve.db.sqlite import sqlite_engine
from transxv2s.serve.errors import StorageUnavailableError

WAIT = 10  # seconds for another writer, for a free connection, or for a sign of life of PostgreSQL's machine
STATEMENT_SECONDS = 60  # of one statement in PostgreSQL: whoever asked has gone by then
POOL = {"pool_size": 8, "max_overflow": 40, "pool_timeout": WAIT}
WRITER_LOCK = 0x7472616E73  # key of the advisory lock in PostgreSQL: "trans"
VACUUMED = ("cases", "case_images", "reviews")  # those whose rows hold what is deleted
OUR_FAULT = (sql.IntegrityError, sql.DataError, sql.ProgrammingError)


class Database:
    """Where everything but the images is stored.

    Args:
        url: SQLAlchemy's, of an SQLite file or a PostgreSQL database.

    Raises:
        ConfigError: It is neither.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self._snapshot = {"isolation_level": "REPEATABLE READ"} if self.file is None else {"begin": "BEGIN"}
        self.engine = (
            _postgresql(self.url) if self.file is None else sqlite_engine(self.url, self.file, WAIT, **POOL)
        )

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        return Path(self.url.database or "") if self.url.get_backend_name() == "sqlite" else None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database, whatever others write, and changes nothing.

        Raises:
            StorageUnavailableError: The database does not answer.
        """
        reader = self.engine.execution_options(**self._snapshot)
        with storage_errors(), Session(reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self, wait: float | None = None) -> Iterator[Session]:
        """The only session that writes, in this process or any other; commits if the block ends well.

        What it has committed survives a crash. Keep it short: others wait.

        Args:
            wait: Seconds to wait for another writer; None for the usual time.

        Raises:
            StorageUnavailableError: The database does not answer, is full, or another writer holds it.
        """
        waiting = {} if wait is None else {"wait": wait}
        writer = self.engine.execution_options(begin="BEGIN IMMEDIATE", **waiting)
        with storage_errors(), Session(writer, expire_on_commit=False) as session, session.begin():
            session.connection()  # at once, as files are written under this lock too
            if self.file is None:
                if wait is not None:
                    session.execute(text(f"SET LOCAL lock_timeout = {round(1000 * wait)}"))
                session.execute(select(func.pg_advisory_xact_lock(WRITER_LOCK)))
            yield session

    def scrub(self, changed: bool = True) -> None:
        """Removes what deleted rows leave behind: in SQLite's log, in PostgreSQL's tables.

        Backups, and PostgreSQL's own log until it is recycled, are beyond its reach.

        Args:
            changed: Whether rows were deleted; PostgreSQL reads whole tables, which is not done for nothing.

        Raises:
            StorageUnavailableError: The database does not answer.
        """
        if self.file is None:
            if changed:
                self._vacuum()
            return
        engine = self.engine.execution_options(begin=None)
        with storage_errors(), engine.connect() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def _vacuum(self) -> None:
        """PostgreSQL's tables of cases, however long it takes."""
        engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with storage_errors(), engine.connect() as connection:
            connection.detach()  # the next line is for this connection alone, which then is closed
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text(f"VACUUM {', '.join(VACUUMED)}"))

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns what database and disk raise into one error without addresses, paths and statements.

    Raises:
        StorageUnavailableError: They do not answer.
    """
    try:
        yield
    except OUR_FAULT:
        raise
    except (sql.DBAPIError, sql.TimeoutError, OSError) as error:
        raise StorageUnavailableError from error


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except sql.ArgumentError:
        raise ConfigError("the database URL must look like postgresql://user@host/name") from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise ConfigError("the database must be an SQLite file (sqlite:///file) or PostgreSQL (postgresql://…)")


def _postgresql(url: URL) -> Engine:
    """Connections that notice, within a few times `WAIT`, that the other machine has vanished."""
    options = {
        "connect_timeout": WAIT,
        "keepalives_idle": WAIT,
        "keepalives_interval": 2,
        "keepalives_count": 5,
        "tcp_user_timeout": 1000 * WAIT,
        "options": f"-c lock_timeout={1000 * WAIT} -c statement_timeout={1000 * STATEMENT_SECONDS}",
    }
    return create_engine(url, pool_pre_ping=True, connect_args=options, **POOL)
