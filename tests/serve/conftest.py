"""A database of each kind, and what the tests store in it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from serve.postgresql import start
from transxv2s.serve.db.base import Base
from transxv2s.serve.db.session import Database
from transxv2s.serve.db.upgrade import upgrade
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a database with all tables on a server of our own; making one for each test takes too long."""
    with start() as server:
        url = server.url("postgres")
        database = Database(url)
        upgrade(database)
        database.close()
        yield url


@pytest.fixture(scope="session")
def first_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file that has all tables."""
    file = tmp_path_factory.mktemp("database") / "first.sqlite"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    database.close()
    return file


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database with all tables, once of each kind."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgresql")
        _empty(url)
        return url
    shutil.copy(request.getfixturevalue("first_file"), tmp_path / "cases.sqlite")
    return f"sqlite:///{tmp_path / 'cases.sqlite'}"


def _empty(url: str) -> None:
    database = Database(url)
    tamper(database, f"TRUNCATE {', '.join(Base.metadata.tables)}")
    database.close()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(tmp_path: Path, first_file: Path) -> Iterator[Database]:
    """A fresh SQLite database, for what does not depend on the kind."""
    shutil.copy(first_file, tmp_path / "cases.sqlite")
    opened = Database(f"sqlite:///{tmp_path / 'cases.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def tamper(database: Database, *statements: str) -> None:
    """Changes the database as an attacker with full rights would: triggers do not fire, keys do not hold."""
    off = "PRAGMA foreign_keys = OFF" if database.file else "SET session_replication_role = replica"
    with database.engine.execution_options(begin=None).connect() as connection:
        connection.execute(text(off))
        connection.commit()
        for statement in statements:
            connection.execute(text(statement))
        connection.commit()
        connection.invalidate()
