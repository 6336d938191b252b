"""Making the next items in threads while the caller works on these, a bounded way ahead."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Source = TypeVar("Source")
Made = TypeVar("Made")

AHEAD = 2  # batches that are made or waiting while the caller has one


def batches_ahead(
    make: Callable[[Source], Made], sources: Iterable[Source], size: int
) -> Iterator[list[tuple[Source, Made]]]:
    """What threads make of the sources, in order and in batches, the next ones while the caller has one.

    Images are decoded by libraries that let other threads run, so that on several cores reading goes on
    beside the network. At most `AHEAD + 1` batches are in memory, however many sources there are.

    Args:
        make: Called in one thread a core; what it raises is raised here, in its turn.
        sources: Taken only as far as needed.
        size: Of a batch, ≥ 1; the last one may be smaller.
    """
    left = iter(sources)
    waiting: deque[tuple[Source, Future[Made]]] = deque()
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        while True:
            fill = islice(left, size * (AHEAD + 1) - len(waiting))
            waiting.extend((source, pool.submit(make, source)) for source in fill)
            if not waiting:
                return
            batch = [waiting.popleft() for _ in range(min(size, len(waiting)))]
            yield [(source, future.result()) for source, future in batch]
    finally:
        pool.shutdown(cancel_futures=True)
