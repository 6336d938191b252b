"""Cases: what is stored, what is not, and what is left after a deletion."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from serve.making import NOW, finding, make, picture, say
from transxv2s.errors import InputError
from transxv2s.serve import audit, cases
from transxv2s.serve.cases import Details
from transxv2s.serve.db.models import Case
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import NotFoundError
from transxv2s.serve.formats import sites
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Keep, Settings

MELANOMA = finding({"MEL": 0.8})
NEVUS = finding({}, referred=False)
EVENTS = ["case.created", "case.reviewed", "case.erased"]


def stored(store: ImageStore) -> set[str]:
    return set(store.digests())


def test_a_referred_case_comes_back_as_it_was_sent(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    details = Details(age=0, sex="male", site="palms/soles")
    made = make(database, store, settings, NEVUS, MELANOMA, details=details)
    with database.reading() as session:
        case = cases.get(session, made.id)
    assert (case.state, case.age, case.sex, case.site) == ("waiting", 0, "male", "palms/soles")
    assert (case.created_by, case.created_at, case.expires_at) == ("uta", NOW, NOW + timedelta(days=30))
    found = cases.findings(case)
    assert [one.probabilities for one in found] == [NEVUS.probabilities, MELANOMA.probabilities]
    assert (
        [one.id for one in found] == [image.id for image in case.images] == [f"{case.id}-0", f"{case.id}-1"]
    )
    for n, image in enumerate(case.images):
        assert (image.width, image.height) == (30, 20)
        assert store.read(image.digest or "") == picture(NEVUS, n).original
        assert store.read(image.seen_digest or "") == picture(NEVUS, n).seen


def test_the_name_of_a_file_is_not_stored(sqlite: Database, store: ImageStore, settings: Settings) -> None:
    assert MELANOMA.id == "Mrs Miller"
    make(sqlite, store, settings, MELANOMA)
    sqlite.scrub()
    for file in (path for path in settings.data_dir.rglob("*") if path.is_file()):
        assert b"Mrs Miller" not in file.read_bytes(), file


@pytest.mark.parametrize("referred", [True, False])
@pytest.mark.parametrize("keep", ["referred", "all", "nothing"])
def test_only_images_that_the_settings_name_are_kept(
    sqlite: Database, store: ImageStore, settings: Settings, keep: Keep, referred: bool
) -> None:
    is_kept = keep == "all" or (keep == "referred" and referred)
    chosen = settings.model_copy(update={"keep": keep})
    made = make(sqlite, store, chosen, MELANOMA if referred else NEVUS)
    assert made.state == ("waiting" if referred else "answered")
    assert len(stored(store)) == 2 * is_kept
    assert bool(made.images[0].digest) is bool(made.images[0].seen_digest) is is_kept
    with sqlite.reading() as session:
        assert audit.verify(session, store).fault is None


@pytest.mark.parametrize("number", [0, 9])
def test_too_many_images_and_none_are_refused(
    sqlite: Database, store: ImageStore, settings: Settings, number: int
) -> None:
    with pytest.raises(InputError, match=f"1 to 8 images, not {number}"):
        make(sqlite, store, settings, *[MELANOMA] * number) if number else _make_empty(
            sqlite, store, settings
        )
    assert stored(store) == set()


def _make_empty(database: Database, store: ImageStore, settings: Settings) -> None:
    with database.writing() as session:
        cases.create(session, store, settings, [], Details(), urgency=0.0, actor="uta", now=NOW)


def test_sites_are_those_that_dicom_files_are_read_as() -> None:
    assert set(cases.SITES) == set(sites.SITES)


def test_great_ages_are_not_told_apart() -> None:
    assert [Details(age=age).age for age in (89, 90, 91, 120)] == [89, 90, 90, 90]


@pytest.mark.parametrize(
    "wrong", [{"age": 121}, {"age": -1}, {"sex": "m"}, {"site": "Mrs Miller"}, {"name": "x"}]
)
def test_details_that_could_name_somebody_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Details.model_validate(wrong)


@pytest.mark.parametrize("case_id", ["", "0" * 32, "\x00", "\ud800", "x" * 10_000, "0" * 31 + "'"])
def test_there_is_no_case_of_another_id(database: Database, case_id: str) -> None:
    with pytest.raises(NotFoundError, match="no such case"), database.reading() as session:
        cases.get(session, case_id)


def test_the_class_of_a_lesion_is_what_most_of_its_images_are_taken_for_in_doubt_the_more_probable() -> None:
    sure, unsure = finding({"BCC": 0.9}), finding({"MEL": 0.45, "BCC": 0.1})
    assert cases.predicted([sure]) == cases.predicted([unsure, sure]) == "BCC"
    assert cases.predicted([unsure, sure, unsure]) == "MEL" == unsure.predicted


def test_an_erased_case_leaves_no_trace_of_what_it_held(
    sqlite: Database, store: ImageStore, settings: Settings
) -> None:
    details = Details(age=87, sex="female", site="oral/genital")
    made = make(sqlite, store, settings, finding({"SCC": 0.7182818}), details=details)
    say(sqlite, settings, made.id, comment="daughter of the mayor")
    traces = [b"daughter of the mayor", b"oral/genital", b"0.7182818", *(d.encode() for d in stored(store))]
    assert all(_occurs(settings.data_dir, trace) for trace in traces)
    cases.erase(sqlite, store, made.id, actor="ada", now=NOW)
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
    cases.erase(database, store, made.id, actor="ada", now=NOW)
    with pytest.raises(NotFoundError, match="been deleted"), database.reading() as session:
        cases.get(session, made.id)
    with pytest.raises(NotFoundError, match="been deleted"):
        cases.erase(database, store, made.id, actor="ada", now=NOW)
    with database.writing() as session:
        left = session.scalars(select(Case).where(Case.id == made.id)).one()
        kept = cases.get(session, other.id)
        assert audit.verify(session, store).fault is None
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
    cases.erase(sqlite, store, first.id, actor="ada", now=NOW)
    assert len(stored(store)) == 2
    cases.erase(sqlite, store, second.id, actor="ada", now=NOW)
    assert stored(store) == set()


def test_cases_are_deleted_when_their_time_has_come_not_before(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    old = make(database, store, settings, MELANOMA, seed=1)
    new = make(database, store, settings, MELANOMA, seed=11, now=NOW + timedelta(seconds=1))
    end = NOW + timedelta(days=settings.retention_days)
    assert cases.expire(database, store, end - timedelta(microseconds=1)) == 0
    assert cases.expire(database, store, end) == 1
    assert cases.expire(database, store, end) == 0
    with database.writing() as session:
        assert {c.id: c.state for c in session.scalars(select(Case))} == {
            old.id: "deleted",
            new.id: "waiting",
        }
        assert stored(store) == {new.images[0].digest, new.images[0].seen_digest}
        assert audit.entries(session, old.id)[-1].action == "case.expired"
        assert audit.verify(session, store).fault is None


def test_many_cases_are_deleted_in_small_parts(
    sqlite: Database, store: ImageStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "AT_ONCE", 2)
    for _ in range(5):
        make(sqlite, store, settings, NEVUS)
    assert cases.expire(sqlite, store, NOW + timedelta(days=31)) == 5


def test_what_a_crash_left_in_the_store_is_deleted_with_the_next_expiry(
    sqlite: Database, store: ImageStore, settings: Settings
) -> None:
    case = make(sqlite, store, settings, MELANOMA)
    with sqlite.writing():
        store.write(b"of a case that was never committed")
    (store.folder / ".x.png.part").write_bytes(b"half an image")
    cases.expire(sqlite, store, NOW)
    assert {path.stem for path in store.folder.iterdir()} == {
        case.images[0].digest,
        case.images[0].seen_digest,
    }


def test_each_case_has_a_salt_of_its_own(sqlite: Database, store: ImageStore, settings: Settings) -> None:
    salts = {make(sqlite, store, settings, NEVUS).salt for _ in range(2)}
    assert len(salts) == 2
    assert all(salt and len(salt) == 32 for salt in salts)
