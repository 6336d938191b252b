"""Batches made ahead: in order, bounded, while the caller works, and nothing is left behind."""

import threading
from collections.abc import Iterator
from itertools import islice

import pytest

from transxv2s.ahead import AHEAD, batches_ahead


@pytest.mark.parametrize(("count", "size"), [(0, 3), (1, 3), (3, 3), (10, 3), (50, 7), (5, 100)])
def test_all_sources_in_order_and_in_batches(count: int, size: int) -> None:
    batches = list(batches_ahead(lambda n: n * n, range(count), size))
    assert [pair for batch in batches for pair in batch] == [(n, n * n) for n in range(count)]
    assert all(len(batch) == size for batch in batches[:-1])


def test_endless_sources_are_taken_a_bounded_way_ahead() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    for number, batch in enumerate(batches_ahead(str, endless(), 4), start=1):
        assert [made for _, made in batch] == [str(n) for n in range(4 * number - 4, 4 * number)]
        assert len(taken) <= 4 * (number + AHEAD)
        if number == 20:
            break


def test_the_next_batch_is_made_while_the_caller_has_this_one() -> None:
    made = [threading.Event() for _ in range(6)]
    for batch in batches_ahead(lambda n: made[n].set(), range(6), 2):
        following = batch[-1][0] + 2
        assert following >= 6 or made[following].wait(timeout=30)


def test_what_making_raises_is_raised_in_its_turn_and_ends_all_threads() -> None:
    before = threading.active_count()
    batches = batches_ahead(lambda n: 1 / (4 - n), range(100), 2)
    seen = [source for batch in islice(batches, 2) for source, _ in batch]
    assert seen == [0, 1, 2, 3]
    with pytest.raises(ZeroDivisionError):
        next(batches)
    assert threading.active_count() == before


def test_a_caller_that_stops_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    batches = batches_ahead(str, iter(int, 1), 2)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
