"""Storage under load and faults: many writers, kill -9, a full disk, a database that is gone."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from serve.making import NOW, finding, make, say
from transxv2s.errors import ConfigError
from transxv2s.serve import audit, cases, integrity
from transxv2s.serve.db import session as session_module
from transxv2s.serve.db.models import Case
from transxv2s.serve.db.session import Database
from transxv2s.serve.db.upgrade import upgrade
from transxv2s.serve.errors import StorageUnavailableError
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings

MELANOMA = finding({"MEL": 0.8})
TESTS = Path(__file__).resolve().parents[1]


@contextmanager
def program(url: str, folder: Path, actor: str, number: int) -> Iterator["subprocess.Popen[str]"]:
    """`program.py` up to the point where it waits; it does not outlive the block."""
    command = [sys.executable, "-m", "serve.program", url, str(folder), actor, str(number)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=TESTS, **pipes) as process:  # type: ignore[call-overload]  # noqa: S603
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def test_two_processes_append_to_one_chain(database_url: str, tmp_path: Path) -> None:
    each = 15
    with (
        program(database_url, tmp_path, "anna", each) as first,
        program(database_url, tmp_path, "bert", each) as second,
    ):
        for process in (first, second):
            go(process)
        for process in (first, second):
            assert process.wait() == 0
    database = Database(database_url)
    assert integrity.verify(database, ImageStore(tmp_path / "images")).fault is None
    with database.reading() as session:
        reviews = [entry.actor for entry in audit.entries(session) if entry.action == "case.reviewed"]
    assert sorted(reviews) == ["anna"] * each + ["bert"] * each


def test_threads_append_to_one_chain(database: Database, store: ImageStore, settings: Settings) -> None:
    case = make(database, store, settings, MELANOMA)
    with ThreadPoolExecutor(8) as pool:
        reviews = list(pool.map(lambda n: say(database, settings, case.id, actor=f"r{n}"), range(24)))
    assert sorted(review.number for review in reviews) == list(range(1, 25))
    with database.reading() as session:
        assert audit.verify(session).fault is None
        assert len(audit.entries(session)) == 25


def test_nothing_acknowledged_is_lost_to_a_kill(database_url: str, tmp_path: Path) -> None:
    with program(database_url, tmp_path, "anna", 10_000) as process:
        go(process)
        lines = [process.stdout.readline() for _ in range(15)]  # type: ignore[union-attr]
        process.kill()
        lines += process.stdout.read().splitlines()  # type: ignore[union-attr]
    said = [line.split() for line in lines if len(line.split()) == 2]
    assert len(said) >= 15
    database, store = Database(database_url), ImageStore(tmp_path / "images")
    upgrade(database)
    with database.reading() as session:
        for what, case_id in said:
            case = cases.get(session, case_id)
            assert store.read(case.images[0].digest or "")
            assert len(case.reviews) == 1 or what == "case"
    assert integrity.verify(database, store).fault is None
    make(database, store, Settings(data_dir=tmp_path), MELANOMA)


def test_a_reader_sees_one_state_while_others_write(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    make(database, store, settings, MELANOMA)
    with database.reading() as session:
        count = select(func.count()).select_from(Case)
        assert session.scalar(count) == 1
        make(database, store, settings, MELANOMA)
        assert session.scalar(count) == 1
        assert audit.verify(session) == audit.Verdict(1, audit.entries(session)[0].digest)


def test_a_writer_waits_for_the_other_and_gives_up_one_day(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "WAIT", 1)
    database = Database(database_url)
    with database.writing(), pytest.raises(StorageUnavailableError), database.writing():
        pass
    with database.writing() as session:
        audit.note(session, "login.failed", "unknown", actor="system", now=NOW)
    database.close()


def test_a_full_disk_refuses_whole_changes_and_recovers(
    sqlite: Database, store: ImageStore, settings: Settings
) -> None:
    case = make(sqlite, store, settings, MELANOMA)
    full = threading.Event()

    def limit(connection: object, *_: object) -> None:
        pages = 1 if full.is_set() else 1_000_000  # a limit below the present size forbids all growth
        connection.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]

    event.listen(sqlite.engine, "checkout", limit)
    full.set()
    with pytest.raises(StorageUnavailableError) as caught:
        _talk(sqlite, settings, case.id)
    assert str(settings.data_dir) not in str(caught.value)
    full.clear()
    before = len(_reviews(sqlite, case.id))
    say(sqlite, settings, case.id)
    assert len(_reviews(sqlite, case.id)) == before + 1
    with sqlite.reading() as session:
        assert audit.verify(session).fault is None


def _talk(database: Database, settings: Settings, case_id: str) -> None:
    """More than the free pages of the file can hold."""
    for _ in range(20):
        say(database, settings, case_id, comment="x" * 4000)


def _reviews(database: Database, case_id: str) -> list[object]:
    with database.reading() as session:
        return list(cases.get(session, case_id).reviews)


def test_a_database_file_that_is_gone_is_not_replaced_by_an_empty_one(
    sqlite: Database, store: ImageStore, settings: Settings, tmp_path: Path
) -> None:
    assert sqlite.file
    case = make(sqlite, store, settings, MELANOMA)
    away = tmp_path / "away"
    sqlite.file.rename(away)
    for attempt in (lambda: say(sqlite, settings, case.id), lambda: _reviews(sqlite, case.id)):
        with pytest.raises(StorageUnavailableError) as caught:
            attempt()
        assert str(tmp_path) not in str(caught.value)
    assert not sqlite.file.exists()
    away.rename(sqlite.file)
    say(sqlite, settings, case.id)
    assert len(_reviews(sqlite, case.id)) == 1


def test_a_backup_that_is_put_in_place_is_what_is_used(
    sqlite: Database, store: ImageStore, settings: Settings, tmp_path: Path
) -> None:
    assert sqlite.file
    case = make(sqlite, store, settings, MELANOMA)
    sqlite.scrub()
    backup = tmp_path / "backup"
    backup.write_bytes(sqlite.file.read_bytes())
    say(sqlite, settings, case.id)
    sqlite.scrub()
    backup.replace(sqlite.file)
    assert _reviews(sqlite, case.id) == []
    with sqlite.reading() as session:
        assert audit.verify(session).fault is None


def test_connections_that_postgresql_closed_are_replaced(postgresql: str, database: Database) -> None:
    if database.file:
        pytest.skip("SQLite has no server")
    with database.reading() as session:
        session.execute(text("SELECT 1"))
    other = Database(postgresql)
    with other.reading() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
    other.close()
    with database.reading() as session:
        assert session.scalar(text("SELECT 1")) == 1


def test_who_cannot_wait_long_says_so(database: Database) -> None:
    with database.writing(), pytest.raises(StorageUnavailableError), database.writing(wait=0.1):
        pass
    waits: list[object] = []

    def note(connection: object, _: object, statement: str, *__: object) -> None:
        if "timeout" in statement:
            waits.append(statement.rsplit(maxsplit=1)[-1])

    event.listen(database.engine, "before_cursor_execute", note)
    with database.writing():
        pass
    with database.writing(wait=0.1):
        pass
    assert waits == (["10000", "100"] if database.file else ["100"])  # the next one waits as long as before


def test_a_statement_of_postgresql_ends_one_day(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "STATEMENT_SECONDS", 2.0)
    database = Database(database_url)
    if database.file:
        pytest.skip("SQLite is in this process")
    with pytest.raises(StorageUnavailableError), database.reading() as session:
        session.execute(text("SELECT pg_sleep(60)"))
    vacuumed = text("SELECT last_vacuum FROM pg_stat_user_tables WHERE relname = 'case_images'")
    limits = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: limits.append(_limit(call[1])))
    with database.reading() as session:
        before = session.scalar(vacuumed)
    database.scrub()
    with database.reading() as session:
        assert session.scalar(vacuumed) != before
    assert limits == ["2s", "2s", "0", "2s"]  # the vacuum alone may take its time
    database.close()


def _limit(cursor: Any) -> str:
    with cursor.connection.cursor() as other:
        [found] = other.execute("SHOW statement_timeout").fetchone()
    return str(found)


def test_connections_notice_that_the_machine_of_the_database_has_vanished() -> None:
    """Nothing on this machine can vanish so; what is asked of the system is seen."""
    asked: dict[str, Any] = {}

    def connect(_: object, __: object, ___: object, options: dict[str, Any]) -> None:
        asked.update(options)
        raise OSError

    database = Database("postgresql://rita@192.0.2.1/cases")
    event.listen(database.engine, "do_connect", connect)
    with pytest.raises(StorageUnavailableError), database.reading() as session:
        session.execute(text("SELECT 1"))
    assert asked["tcp_user_timeout"] == 10_000  # milliseconds that what was sent may stay unconfirmed
    assert asked["keepalives_idle"] + asked["keepalives_interval"] * asked["keepalives_count"] <= 20


def test_a_server_that_does_not_answer_is_told_without_its_address() -> None:
    database = Database("postgresql://rita:secret@/cases?host=/nowhere")
    with pytest.raises(StorageUnavailableError) as caught, database.reading() as session:
        session.execute(text("SELECT 1"))
    assert not {"secret", "nowhere", "rita"} & set(str(caught.value).replace("/", " ").split())


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://u:secret@h/n"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^the database .*postgresql://") as caught:
        Database(url)
    assert "secret" not in str(caught.value)
