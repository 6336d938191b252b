"""The audit trail finds every change that was made behind its back."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Column, literal, null, text

from serve.conftest import tamper
from serve.making import CHEAP, NOW, PASSWORD, finding, make, say
from transxv2s.serve import audit, cases, deletion, integrity
from transxv2s.serve.auth import tokens, users
from transxv2s.serve.cases import Details
from transxv2s.serve.db import states
from transxv2s.serve.db.base import Base
from transxv2s.serve.db.session import Database
from transxv2s.serve.db.states import digest_of
from transxv2s.serve.errors import StorageUnavailableError
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings

AUDITED = ("cases", "case_images", "reviews", "users", "tokens", "audit")
COLUMNS = [column for table in AUDITED for column in Base.metadata.tables[table].columns]
CLOSED = {"state": ("waiting", "answered"), "confidence": ("low", "medium"), "role": ("uploader", "reviewer")}


def fill(database: Database, store: ImageStore, settings: Settings) -> None:
    """Everything that the trail speaks of, twice, and a deleted case."""
    about = Details(age=60, sex="female", site="head/neck")
    for n in range(2):
        case = make(database, store, settings, finding({"MEL": 0.8}), details=about, seed=2 * n)
        say(database, settings, case.id, comment=f"comment {n}")
    gone = make(database, store, settings, finding({"BCC": 0.8}), seed=7)
    say(database, settings, gone.id)
    deletion.erase(database, store, gone.id, actor="ada", now=NOW)
    with database.writing() as session:
        for name in ("ada", "uta"):
            users.create(session, name, PASSWORD, "admin", actor="local", now=NOW, hasher=CHEAP)
            token, _ = tokens.create(session, name, "script", actor=name, now=NOW)
        tokens.revoke(session, "uta", token.id, actor="uta", now=NOW)
        users.set_disabled(session, "uta", True, actor="ada", now=NOW)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, first_file: Path) -> Path:
    """A folder with a database and its images; the triggers of the database are gone."""
    folder = tmp_path_factory.mktemp("filled")
    shutil.copy(first_file, folder / "cases.sqlite")
    database = Database(f"sqlite:///{folder / 'cases.sqlite'}")
    fill(database, ImageStore(folder / "images"), Settings(data_dir=folder))
    with database.reading() as session:
        triggers = session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all()
    tamper(database, *(f"DROP TRIGGER {name}" for name in triggers))
    database.close()
    return folder


@pytest.fixture
def copies(filled: Path, tmp_path: Path) -> Iterator[Database]:
    """One copy of the database after the other."""
    opened = []

    def copy() -> Iterator[Database]:
        for n in count():
            file = shutil.copy(filled / "cases.sqlite", tmp_path / f"{n}.sqlite")
            opened.append(Database(f"sqlite:///{file}"))
            yield opened[-1]

    return copy()


def verdict(database: Database) -> audit.Verdict:
    with database.reading() as session:
        return audit.verify(session)


def rows(database: Database, table: str) -> range:
    with database.reading() as session:
        found = session.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
    assert found
    return range(1, found + 1)  # rowids


def other(column: Column[object], value: object) -> str:
    """Another value that the column takes, in SQL."""
    if column.name in CLOSED:
        return repr(next(word for word in CLOSED[column.name] if word != value))
    if column.name == "agrees":
        return "NOT agrees"
    if isinstance(value, int | float):
        return f"{column.name} + 100"
    return "'something'" if value is None else f"{column.name} || 'x'"


def test_an_untouched_trail_is_valid(filled: Path, copies: Iterator[Database]) -> None:
    copy = next(copies)
    found = integrity.verify(copy, ImageStore(filled / "images"))
    with copy.reading() as session:
        written = audit.entries(session)
    assert found == audit.Verdict(len(written), written[-1].digest)
    assert [entry.sequence for entry in written] == list(rows(next(copies), "audit"))


def test_the_empty_trail_is_valid(database: Database) -> None:
    assert verdict(database) == audit.Verdict(0, audit.GENESIS)


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_a_change_of_a_field_in_any_row_is_found(copies: Iterator[Database], column: Column[object]) -> None:
    table, name = column.table.name, column.name
    for row in rows(next(copies), table):
        copy = next(copies)
        with copy.reading() as session:
            value = session.scalar(text(f"SELECT {name} FROM {table} WHERE rowid = {row}"))  # noqa: S608
        tamper(copy, f"UPDATE {table} SET {name} = {other(column, value)} WHERE rowid = {row}")  # noqa: S608
        assert verdict(copy).fault, f"row {row}, {value}"
        copy.close()


@pytest.mark.parametrize("table", AUDITED)
def test_a_removed_row_is_found(copies: Iterator[Database], table: str) -> None:
    for row in rows(next(copies), table):
        copy = next(copies)
        tamper(copy, f"DELETE FROM {table} WHERE rowid = {row}")  # noqa: S608
        assert verdict(copy).fault, f"row {row}"
        copy.close()


@pytest.mark.parametrize("table", ["cases", "users", "tokens"])
def test_a_row_that_was_slipped_in_is_found(copies: Iterator[Database], table: str) -> None:
    copy = next(copies)
    key = Base.metadata.tables[table].primary_key.columns[0].name
    changed = "token_hash = 'y'," if table == "tokens" else ""
    tamper(
        copy,
        f"CREATE TABLE new AS SELECT * FROM {table} LIMIT 1",  # noqa: S608
        f"UPDATE new SET {changed} {key} = 'new'",  # noqa: S608
        f"INSERT INTO {table} SELECT * FROM new",  # noqa: S608
    )
    assert verdict(copy).fault == f"the trail does not know of {table[:-1]} new"


def test_the_first_fault_is_told_with_its_place(copies: Iterator[Database]) -> None:
    copy = next(copies)
    with copy.reading() as session:
        before = audit.entries(session)
    tamper(copy, "UPDATE audit SET actor = 'x' WHERE sequence IN (3, 5)")
    assert verdict(copy) == audit.Verdict(2, before[1].digest, "the entry was changed", 3)


def test_a_rewritten_entry_with_a_digest_of_its_own_breaks_the_next_link(copies: Iterator[Database]) -> None:
    copy = next(copies)
    with copy.reading() as session:
        entry = audit.entries(session)[3]
    fields = {c.name: getattr(entry, c.name) for c in entry.__table__.columns if c.name != "digest"}
    forged = digest_of(fields | {"actor": "x"})
    tamper(copy, f"UPDATE audit SET actor = 'x', digest = '{forged}' WHERE sequence = 4")  # noqa: S608
    assert verdict(copy).sequence == 5


def test_a_case_that_was_changed_is_told_with_its_last_entry(copies: Iterator[Database]) -> None:
    copy = next(copies)
    with copy.reading() as session:
        case_id = session.scalar(text("SELECT id FROM cases WHERE rowid = 1"))
        last = audit.entries(session, case_id)[-1]
    tamper(copy, "UPDATE reviews SET diagnosis = 'NV' WHERE rowid = 1")
    found = verdict(copy)
    assert (found.sequence, found.fault) == (
        last.sequence,
        f"what the database holds of case {case_id} was changed",
    )


def test_a_deletion_that_nobody_wrote_down_is_found(copies: Iterator[Database]) -> None:
    copy = next(copies)
    tamper(
        copy,
        "UPDATE cases SET state = 'deleted', age = NULL, sex = NULL, site = NULL, salt = NULL, urgency = 0 "
        "WHERE rowid = 1",
        "UPDATE case_images SET finding = NULL, digest = NULL, seen_digest = NULL WHERE rowid = 1",
        "UPDATE reviews SET comment = NULL WHERE rowid = 1",
    )
    assert "was changed" in (verdict(copy).fault or "")


def test_a_cut_off_end_is_seen_by_who_noted_the_head(database: Database) -> None:
    with database.writing() as session:
        for name in "abc":
            head = audit.note(session, "login.failed", name, actor="system", now=NOW).digest
    with database.reading() as session:
        assert audit.verify(session, noted=head).fault is None
        assert audit.verify(session, noted=audit.GENESIS).fault is None
    tamper(
        database, "DELETE FROM audit WHERE sequence = 3" if not database.file else "DROP TRIGGER audit_delete"
    )
    tamper(database, "DELETE FROM audit WHERE sequence = 3")
    with database.reading() as session:
        assert audit.verify(session).fault is None
        assert "cut off" in (audit.verify(session, noted=head).fault or "")


def test_images_are_read_while_others_write(
    sqlite: Database, store: ImageStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose case is deleted between the reading of the rows and of the images."""
    gone, kept = (make(sqlite, store, settings, finding({"MEL": 0.8}), seed=seed) for seed in (0, 5))
    holds = ImageStore.holds
    asked: list[str] = []

    def meanwhile(store: ImageStore, digest: str) -> bool:
        if not asked:
            deletion.erase(sqlite, store, gone.id, actor="ada", now=NOW)
        asked.append(digest)
        return holds(store, digest)

    monkeypatch.setattr(ImageStore, "holds", meanwhile)
    assert integrity.verify(sqlite, store).fault is None
    assert {image.digest for case in (gone, kept) for image in case.images} <= set(asked)


def test_a_column_that_is_added_leaves_the_digests_as_they_are(
    copies: Iterator[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, copy = states._columns, next(copies)
    for value, is_valid in ((null(), True), (literal("x"), False)):
        added = value.label("of_a_later_version")
        monkeypatch.setattr(states, "_columns", lambda table, added=added: [*columns(table), added])
        assert (verdict(copy).fault is None) is is_valid


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_image_is_found(
    filled: Path, tmp_path: Path, copies: Iterator[Database], damage: str
) -> None:
    images = Path(shutil.copytree(filled / "images", tmp_path / "images"))
    file = min(images.iterdir())
    file.write_bytes(b"something else") if damage == "changed" else file.unlink()
    found = integrity.verify(next(copies), ImageStore(images))
    assert "an image of case" in (found.fault or "")
    assert found.sequence


def test_a_change_and_its_entry_come_together_or_not_at_all(
    database: Database, store: ImageStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make(database, store, settings, finding({"MEL": 0.8}))
    monkeypatch.setattr(audit, "digest_of", lambda _: (_ for _ in ()).throw(OSError("disk gone")))
    with pytest.raises(StorageUnavailableError):
        say(database, settings, case.id)
    monkeypatch.undo()
    with database.reading() as session:
        assert cases.get(session, case.id).reviews == []
        assert audit.verify(session).fault is None


def test_the_chain_of_postgresql_finds_changes_too(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    fill(database, store, settings)
    assert verdict(database).fault is None
    if database.file is None:
        tamper(database, "UPDATE reviews SET agrees = NOT agrees WHERE comment = 'comment 1'")
        assert "was changed" in (verdict(database).fault or "")
        tamper(database, "UPDATE reviews SET agrees = NOT agrees WHERE comment = 'comment 1'")
        tamper(database, "UPDATE audit SET at = 'x' WHERE sequence = 2")
        assert verdict(database).sequence == 2
