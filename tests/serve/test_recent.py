"""Pictures in memory: for so long, and so many bytes."""

import pytest

from serve.making import finding, picture
from transxv2s.serve.recent import Recent

PICTURE = picture(finding({"MEL": 0.8}))
SIZE = len(PICTURE.original) + len(PICTURE.seen)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_pictures_are_there_by_position_until_their_time_is_up(clock: Clock) -> None:
    recent = Recent(2, 10 * SIZE, clock)
    recent.add("a", [PICTURE, PICTURE])
    clock.now += 119
    assert recent.get("a", 1) is PICTURE
    assert recent.get("a", 2) is None
    assert recent.get("b", 0) is None
    clock.now += 1
    assert recent.get("a", 0) is None


def test_the_oldest_go_first_when_there_are_too_many_bytes(clock: Clock) -> None:
    recent = Recent(2, 2 * SIZE, clock)
    for case_id in "abc":
        recent.add(case_id, [PICTURE])
    assert [recent.get(case_id, 0) is PICTURE for case_id in "abc"] == [False, True, True]
    recent.add("d", [PICTURE] * 3)
    assert recent.get("d", 0) is None


def test_nothing_is_kept_where_that_is_asked_for(clock: Clock) -> None:
    for recent in (Recent(0, 10 * SIZE, clock), Recent(2, 0, clock)):
        recent.add("a", [PICTURE])
        assert recent.get("a", 0) is None


def test_what_is_deleted_is_forgotten_and_old_ones_go_without_being_asked_for(clock: Clock) -> None:
    recent = Recent(2, 10 * SIZE, clock)
    for case_id in "ab":
        recent.add(case_id, [PICTURE])
    recent.forget("a")
    recent.forget("nobody")
    assert recent.get("a", 0) is None
    clock.now += 120
    recent.tidy()
    clock.now -= 120
    assert recent.get("b", 0) is None
