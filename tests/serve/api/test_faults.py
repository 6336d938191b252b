"""Storage that fails and comes back: a clear 503 meanwhile, and no restart afterwards."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from serve.api.conftest import Open, Site, kind
from serve.api.tiny import DARK, image
from serve.postgresql import start
from transxv2s.serve.db import session as sessions
from transxv2s.serve.errors import ForeignImagesError

OPINION = {"diagnosis": "MEL", "confidence": "high"}


def check_unavailable(answer: Any) -> None:
    assert kind(answer) == (503, "StorageUnavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert "transxv2s.sqlite" not in answer.text


@contextmanager
def moved_away(site: Site) -> Iterator[None]:
    file = site.server.database.file
    assert file is not None
    elsewhere = file.with_suffix(".away")
    file.rename(elsewhere)
    yield
    elsewhere.rename(file)


@contextmanager
def held_by_another_writer(site: Site) -> Iterator[None]:
    other = sqlite3.connect(str(site.server.database.file), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@contextmanager
def full(site: Site) -> Iterator[None]:
    """As SQLite says it when the disk is full."""

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # it becomes what there is already

    engine = site.server.database.engine
    engine.dispose()
    event.listen(engine, "connect", limit)
    yield
    event.remove(engine, "connect", limit)
    engine.dispose()


@contextmanager
def no_room_for_images(site: Site) -> Iterator[None]:
    """The folder's place is taken by a file."""
    folder = site.server.store.folder
    folder.rename(folder.with_suffix(".away"))
    folder.write_text("")
    yield
    folder.unlink()
    folder.with_suffix(".away").rename(folder)


@pytest.mark.parametrize("fault", [moved_away, held_by_another_writer, full, no_room_for_images])
def test_nothing_is_stored_while_storage_fails_and_all_goes_on_afterwards(
    open_site: Open, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Site], Any]
) -> None:
    monkeypatch.setattr(sessions, "WAIT", 0.3)
    site = open_site()
    case = site.case()
    with fault(site):
        for _ in range(8):  # a database that is full has some room left in its last page
            answer = site.send(image(DARK, side=100))
            if answer.status_code != 201:
                break
        check_unavailable(answer)
        assert site.client.get("/health").status_code == 200
    assert site.client.get("/ready").status_code == 200
    assert site.send(image(DARK, side=110)).status_code == 201
    place = f"/v1/findings/{case['id']}"
    assert site.client.post(f"{place}/reviews", json=OPINION).status_code == 201
    assert site.client.get(place).json()["state"] == "reviewed"
    assert site.verdict().fault is None


def test_without_a_database_the_server_is_not_ready(site: Site) -> None:
    with moved_away(site):
        for answer in (site.client.get("/ready"), site.client.get("/v1/worklist")):
            check_unavailable(answer)


def test_not_ready_while_the_network_is_loaded(site: Site) -> None:
    site.workers.ready = False
    answer = site.client.get("/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "starting"})


def test_postgresql_that_stops_and_starts_again(open_site: Open) -> None:
    with start() as postgresql:
        site = open_site(database_url=postgresql.url("postgres"))
        case = site.case()
        postgresql.control("-m", "fast", "stop")
        check_unavailable(site.send())
        check_unavailable(site.client.get("/ready"))
        postgresql.control("start")
        assert site.client.get(f"/v1/findings/{case['id']}").json() == case
        assert site.send().status_code == 201
        assert site.verdict().fault is None


def test_a_server_does_not_start_on_the_images_of_another_database(open_site: Open, tmp_path: Path) -> None:
    case = open_site().case()
    with pytest.raises(ForeignImagesError, match="another data_dir") as caught:
        open_site(database_url=f"sqlite:///{tmp_path / 'another.sqlite'}")
    assert str(tmp_path) not in str(caught.value)
    again = open_site()
    assert again.client.get(case["images"][0]["original"]).status_code == 200


def test_cases_whose_time_has_come_are_deleted_without_anybody_asking(
    open_site: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from datetime import UTC, datetime, timedelta

    from serve.test_worker import until
    from transxv2s.serve import app

    monkeypatch.setattr(app, "EXPIRE_SECONDS", 0.05)
    site = open_site()
    case = site.case()
    later = datetime.now(UTC) + timedelta(days=31)
    object.__setattr__(site.server, "now", lambda: later)
    until(lambda: site.client.get(f"/v1/findings/{case['id']}").status_code == 404)
    until(lambda: not list((tmp_path / "images").glob("*.png")))
