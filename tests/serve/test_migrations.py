"""The migrations make the tables that the program knows, with triggers that keep what was written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from serve.making import NOW, finding, make, say
from transxv2s.serve import audit
from transxv2s.serve.db.base import Base
from transxv2s.serve.db.session import Database
from transxv2s.serve.db.upgrade import require_current, upgrade
from transxv2s.serve.errors import SchemaError
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings


def test_models_and_migrations_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_have_the_names_that_models_say(database: Database) -> None:
    inspector = inspect(database.engine)
    for table in Base.metadata.sorted_tables:
        checks = {str(check["name"]) for check in inspector.get_check_constraints(table.name)}
        assert checks == {str(c.name) for c in table.constraints if str(c.name).startswith("ck_")}


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(database: Database) -> None:
    with database.writing() as session:
        audit.note(session, "login.failed", "unknown", actor="system", now=NOW)
    upgrade(database)
    with database.reading() as session:
        assert len(audit.entries(session)) == 1


def test_a_new_database_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'cases.sqlite'}")
    upgrade(database)
    assert database.file is not None
    assert database.file.stat().st_mode & 0o077 == 0
    assert database.file.parent.stat().st_mode & 0o077 == 0


def test_tables_of_a_newer_version_are_refused(database: Database) -> None:
    with other_version(database, "9999"):
        with pytest.raises(SchemaError, match="newer version"):
            upgrade(database)
        with pytest.raises(SchemaError, match="another version"):
            require_current(database)
    require_current(database)


@contextmanager
def other_version(database: Database, number: str) -> Iterator[None]:
    with database.writing() as session:
        before = session.scalar(text("SELECT version_num FROM alembic_version"))
        session.execute(text(f"UPDATE alembic_version SET version_num = '{number}'"))  # noqa: S608
    yield
    with database.writing() as session:
        session.execute(text(f"UPDATE alembic_version SET version_num = '{before}'"))  # noqa: S608


def test_a_database_that_is_only_looked_at_is_not_upgraded(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    """The upgrade leaves what the trail vouches for as it was."""
    make(database, store, settings, finding({"MEL": 0.8}))
    with database.writing() as session:
        session.execute(text("DROP INDEX ix_cases_images_until"))
        session.execute(text("ALTER TABLE cases DROP COLUMN images_until"))
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(SchemaError, match="another version"):
        require_current(database)
    with database.reading() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "0001"
    upgrade(database)
    require_current(database)
    with database.reading() as session:
        assert audit.verify(session).fault is None


@pytest.fixture
def reviewed(database: Database, store: ImageStore, settings: Settings) -> Database:
    case = make(database, store, settings, finding({"MEL": 0.8}))
    say(database, settings, case.id, comment="looks like it")
    return database


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'x'",
        "UPDATE audit SET sequence = 7 WHERE sequence = 2",
        "DELETE FROM audit WHERE sequence = 2",
        "UPDATE reviews SET reviewer = 'x'",
        "UPDATE reviews SET diagnosis = 'NV'",
        "UPDATE reviews SET agrees = NOT agrees",
        "UPDATE reviews SET confidence = 'low'",
        "UPDATE reviews SET created_at = '2020'",
        "UPDATE reviews SET number = 2",
        "UPDATE reviews SET comment = 'something else'",
        "UPDATE reviews SET comment = comment",
        "DELETE FROM reviews",
    ],
)
def test_triggers_refuse_to_change_what_was_written(reviewed: Database, statement: str) -> None:
    with pytest.raises(IntegrityError, match=r"never (changed|deleted)"), reviewed.writing() as session:
        session.execute(text(statement))
    with reviewed.reading() as session:
        assert audit.verify(session).fault is None


@pytest.mark.parametrize("sequence", [2, 4, 5])
def test_an_entry_that_does_not_follow_the_last_is_refused(reviewed: Database, sequence: int) -> None:
    columns = "actor, action, subject, payload_digest, previous, digest"
    entry = f"SELECT {sequence}, at, {columns.replace(', digest', '')}, 'x' FROM audit WHERE sequence = 1"  # noqa: S608
    with pytest.raises(IntegrityError, match="follow the last"), reviewed.writing() as session:
        session.execute(text(f"INSERT INTO audit (sequence, at, {columns}) {entry}"))


def test_sqlite_cannot_be_talked_into_replacing_a_review(
    sqlite: Database, store: ImageStore, settings: Settings
) -> None:
    case = make(sqlite, store, settings, finding({"MEL": 0.8}))
    say(sqlite, settings, case.id)
    with pytest.raises(IntegrityError, match="never deleted"), sqlite.writing() as session:
        session.execute(text("REPLACE INTO reviews SELECT * FROM reviews"))


def test_only_a_comment_can_be_removed(reviewed: Database) -> None:
    with reviewed.writing() as session:
        session.execute(text("UPDATE reviews SET comment = NULL"))
    with reviewed.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM reviews WHERE comment IS NULL")) == 1


def test_postgresql_does_not_empty_the_tables(postgresql: object, reviewed: Database) -> None:
    if reviewed.file is not None:
        pytest.skip("SQLite has no TRUNCATE")
    for table in ("audit", "reviews"):
        with pytest.raises(IntegrityError, match="never deleted"), reviewed.writing() as session:
            session.execute(text(f"TRUNCATE {table}"))
