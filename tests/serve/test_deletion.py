"""What is left of a case after its end, which it meets on request or when its time has come."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from serve.making import NOW, finding, make, say
from transxv2s.serve import audit, cases, deletion, integrity
from transxv2s.serve.cases import Details
from transxv2s.serve.db.models import Case
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import NotFoundError
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings

MELANOMA = finding({"MEL": 0.8})
NEVUS = finding({}, referred=False)
EVENTS = ["case.created", "case.reviewed", "case.erased"]


def stored(store: ImageStore) -> set[str]:
    return set(store.digests())


def test_an_erased_case_leaves_no_trace_of_what_it_held(
    sqlite: Database, store: ImageStore, settings: Settings
) -> None:
    details = Details(age=87, sex="female", site="oral/genital")
    made = make(sqlite, store, settings, finding({"SCC": 0.7182818}), details=details)
    say(sqlite, settings, made.id, comment="daughter of the mayor")
    traces = [b"daughter of the mayor", b"oral/genital", b"0.7182818", *(d.encode() for d in stored(store))]
    assert all(_occurs(settings.data_dir, trace) for trace in traces)
    deletion.erase(sqlite, store, made.id, actor="ada", now=NOW)
    assert stored(store) == set()
    for trace in traces:
        assert not _occurs(settings.data_dir, trace), trace


def _occurs(folder: Path, trace: bytes) -> bool:
    """Whether the bytes are anywhere in the folder, in the database's free pages and its log as well."""
    return any(trace in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_an_erased_case_is_gone_and_the_trail_is_valid(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    made = make(database, store, settings, MELANOMA, details=Details(age=40, sex="male", site="head/neck"))
    other = make(database, store, settings, MELANOMA, seed=5)
    say(database, settings, made.id, comment="rather sure")
    deletion.erase(database, store, made.id, actor="ada", now=NOW)
    with pytest.raises(NotFoundError, match="been deleted"), database.reading() as session:
        cases.get(session, made.id)
    with pytest.raises(NotFoundError, match="been deleted"):
        deletion.erase(database, store, made.id, actor="ada", now=NOW)
    assert integrity.verify(database, store).fault is None
    with database.reading() as session:
        left = session.scalars(select(Case).where(Case.id == made.id)).one()
        kept = cases.get(session, other.id)
        assert [e.action for e in audit.entries(session, made.id)] == EVENTS
    assert (left.age, left.sex, left.site, left.salt, left.urgency, left.state) == (*[None] * 4, 0, "deleted")
    assert [(i.digest, i.seen_digest, i.finding) for i in left.images] == [(None, None, None)]
    assert [(r.comment, r.diagnosis, r.reviewer) for r in left.reviews] == [(None, "MEL", "rita")]
    assert stored(store) == {kept.images[0].digest, kept.images[0].seen_digest}


def test_an_image_goes_with_the_last_case_that_shares_it(
    sqlite: Database, store: ImageStore, settings: Settings
) -> None:
    first, second = (make(sqlite, store, settings, MELANOMA, seed=3) for _ in range(2))
    assert len(stored(store)) == 2
    deletion.erase(sqlite, store, first.id, actor="ada", now=NOW)
    assert len(stored(store)) == 2
    deletion.erase(sqlite, store, second.id, actor="ada", now=NOW)
    assert stored(store) == set()


def test_cases_are_deleted_when_their_time_has_come_not_before(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    old = make(database, store, settings, MELANOMA, seed=1)
    new = make(database, store, settings, MELANOMA, seed=11, now=NOW + timedelta(seconds=1))
    end = NOW + timedelta(days=settings.retention_days)
    assert deletion.expire(database, store, end - timedelta(microseconds=1)) == 0
    assert deletion.expire(database, store, end) == 1
    assert deletion.expire(database, store, end) == 0
    assert integrity.verify(database, store).fault is None
    with database.reading() as session:
        assert {c.id: c.state for c in session.scalars(select(Case))} == {
            old.id: "deleted",
            new.id: "waiting",
        }
        assert stored(store) == {new.images[0].digest, new.images[0].seen_digest}
        assert audit.entries(session, old.id)[-1].action == "case.expired"


def test_many_cases_are_deleted_in_small_parts(
    sqlite: Database, store: ImageStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "AT_ONCE", 2)
    for _ in range(5):
        make(sqlite, store, settings, NEVUS)
    assert deletion.expire(sqlite, store, NOW + timedelta(days=31)) == 5


def test_what_a_crash_left_in_the_store_is_deleted_with_the_next_expiry(
    sqlite: Database, store: ImageStore, settings: Settings
) -> None:
    case = make(sqlite, store, settings, MELANOMA)
    with sqlite.writing():
        store.write(b"of a case that was never committed")
    (store.folder / ".x.png.part").write_bytes(b"half an image")
    deletion.expire(sqlite, store, NOW)
    assert stored(store) == {case.images[0].digest, case.images[0].seen_digest}
    assert not list(store.folder.glob("*.part"))


def test_only_the_images_of_a_reviewed_case_go_before_its_time(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    made = make(database, store, settings, MELANOMA, details=Details(age=40))
    waiting = make(database, store, settings, MELANOMA, seed=5)
    say(database, settings, made.id, comment="rather sure")
    end = NOW + timedelta(days=settings.export_days)
    assert deletion.expire(database, store, end - timedelta(microseconds=1)) == 0
    assert len(stored(store)) == 4
    assert deletion.expire(database, store, end) == 0
    assert deletion.expire(database, store, end) == 0  # once is enough
    assert stored(store) == {waiting.images[0].digest, waiting.images[0].seen_digest}
    assert integrity.verify(database, store).fault is None
    with database.reading() as session:
        case = cases.get(session, made.id)
        assert [e.action for e in audit.entries(session, made.id)] == [*EVENTS[:2], "case.images_expired"]
    assert (case.state, case.age, case.reviews[0].comment) == ("reviewed", 40, "rather sure")
    assert cases.findings(case)[0].probabilities == MELANOMA.probabilities
    say(database, settings, made.id, diagnosis="NV", now=end)  # nothing of it needs its images
    assert deletion.expire(database, store, NOW + settings.retention) == 2
    assert stored(store) == set()


def test_postgresql_is_not_vacuumed_for_nothing(
    database: Database, store: ImageStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.file:
        pytest.skip("SQLite overwrites what is deleted")
    done: list[str] = []
    monkeypatch.setattr(database, "_vacuum", lambda: done.append("vacuum"))
    made = make(database, store, settings, MELANOMA)
    deletion.expire(database, store, NOW)
    assert done == []
    deletion.erase(database, store, made.id, actor="ada", now=NOW)
    deletion.expire(database, store, NOW)
    assert done == ["vacuum"]
