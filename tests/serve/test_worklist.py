"""The worklist: what is most urgent comes first, on whatever page."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.making import NOW, RARE, finding, make, say
from transxv2s.finding import Finding
from transxv2s.serve import deletion, worklist
from transxv2s.serve.db.models import Case
from transxv2s.serve.db.session import Database
from transxv2s.serve.errors import NotFoundError
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings
from transxv2s.taxonomy import ISIC2019, DiagnosticClass, Taxonomy

NEVUS = finding({})


def urgency(*found: Finding) -> float:
    return worklist.urgency(found, ISIC2019, RARE)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ({}, 0),
        ({"AK": 0.9}, 0),  # precancerous: not malignant
        ({"MEL": 0.049}, 0),
        ({"MEL": 0.05}, 0.05),
        ({"MEL": 0.1, "BCC": 0.1, "SCC": 0.1}, 0.3),  # 0.30000000000000004
        ({"MEL": 1.0}, 1),
        ({"DF": 0.19}, 0),
        ({"DF": 0.2}, 0.025),
        ({"MEL": 0.32, "VASC": 0.6}, 0.325),
    ],
)
def test_the_formula(probabilities: dict[str, float], expected: float) -> None:
    assert urgency(finding(probabilities)) == pytest.approx(expected, abs=1e-12)


def test_a_rare_class_that_is_predicted_counts_below_its_probability() -> None:
    assert worklist.urgency([finding({"DF": 0.6})], ISIC2019, {"DF": 0.9}) == 0.025


def test_a_class_of_which_nothing_is_known_counts_as_malignant() -> None:
    own = Taxonomy("own", (*ISIC2019.classes[:-1], DiagnosticClass("SCC", "ulcer", "unknown")))
    assert worklist.urgency([finding({"SCC": 0.5})], own, {}) == 0.5


@pytest.mark.parametrize("step", range(21))
def test_a_probability_on_the_edge_of_a_step_belongs_to_it(step: int) -> None:
    assert urgency(finding({"MEL": step / 20})) == pytest.approx(step / 20, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), min_size=1, max_size=4))
def test_malignancy_goes_before_rarity(images: list[tuple[int, bool]]) -> None:
    """The order of the floats is that of the pairs (steps of 5 %, rare), in exact arithmetic."""
    found = [finding({"MEL": percent / 100, "DF": (100 - percent) / 100 * rare}) for percent, rare in images]
    oracle = [(percent // 5, rare and percent <= 80) for percent, rare in images]
    places = range(len(images))
    assert sorted(places, key=lambda n: urgency(found[n])) == sorted(places, key=lambda n: oracle[n])
    assert urgency(*found) >= max(map(urgency, found))


def fill(database: Database, store: ImageStore, settings: Settings) -> list[Case]:
    """Waiting cases in the order in which they must be looked at."""
    wanted = [
        ({"MEL": 0.9}, 3),
        ({"MEL": 0.52, "DF": 0.3}, 9),
        ({"BCC": 0.54}, 0),
        ({"MEL": 0.5}, 1),
        ({}, 0),
        ({}, 5),
    ]
    order = [5, 0, 3, 1, 4, 2]
    made = {}
    for n in order:
        probabilities, minutes = wanted[n]
        now = NOW + timedelta(minutes=minutes)
        made[n] = make(database, store, settings, finding(probabilities), now=now)
    make(database, store, settings, finding({"MEL": 0.99}, referred=False))
    return [made[n] for n in range(len(wanted))]


def ids(found: list[Case]) -> list[str]:
    return [case.id for case in found]


@pytest.mark.parametrize("limit", [1, 2, 4, 10])
def test_pages_hold_each_waiting_case_once_most_urgent_first(
    database: Database, store: ImageStore, settings: Settings, limit: int
) -> None:
    expected = ids(fill(database, store, settings))
    seen: list[str] = []
    with database.reading() as session:
        assert worklist.waiting(session) == 6
        while page := worklist.page(session, limit, seen[-1] if seen else None):
            assert len(page) <= limit
            seen += ids(page)
    assert seen == expected


def test_cases_that_entered_together_have_one_order(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    made = sorted(make(database, store, settings, NEVUS).id for _ in range(4))
    with database.reading() as session:
        first = ids(worklist.page(session, 2))
        assert first + ids(worklist.page(session, 2, first[-1])) == made


def test_a_reviewed_case_leaves_and_nothing_is_skipped(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    expected = ids(fill(database, store, settings))
    with database.reading() as session:
        first = ids(worklist.page(session, 2))
    for case_id in first:
        say(database, settings, case_id)
    with database.reading() as session:
        assert first + ids(worklist.page(session, 10, first[-1])) == expected
        assert ids(worklist.page(session, 10)) == expected[2:]
        assert worklist.waiting(session) == 4


def test_a_page_cannot_follow_a_case_that_is_gone(
    database: Database, store: ImageStore, settings: Settings
) -> None:
    made = make(database, store, settings, NEVUS)
    deletion.erase(database, store, made.id, actor="ada", now=NOW)
    with database.reading() as session:
        for gone in (made.id, "0" * 32):
            with pytest.raises(NotFoundError):
                worklist.page(session, 5, after=gone)
