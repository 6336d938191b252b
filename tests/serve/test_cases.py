"""Cases: what is stored, and what is not."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from serve.making import NOW, finding, make, picture
from transxv2s.errors import InputError
from transxv2s.serve import cases, integrity
from transxv2s.serve.cases import Details
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import NotFoundError
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Keep, Settings

MELANOMA = finding({"MEL": 0.8})
NEVUS = finding({}, referred=False)


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
    assert integrity.verify(sqlite, store).fault is None


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


def test_each_case_has_a_salt_of_its_own(sqlite: Database, store: ImageStore, settings: Settings) -> None:
    salts = {make(sqlite, store, settings, NEVUS).salt for _ in range(2)}
    assert len(salts) == 2
    assert all(salt and len(salt) == 32 for salt in salts)
