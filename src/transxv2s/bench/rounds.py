"""Measuring many things in turns, so that a machine that slows down or speeds up treats all of them alike."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

WARM_UP = 2  # runs before the first that counts


@dataclass(frozen=True)
class Timing:
    """The wall-clock times of one thing that was run again and again.

    Attributes:
        seconds: Of every run.
        rates: Runs a second, of each round.
    """

    seconds: list[float]
    rates: list[float]

    def quantile(self, share: float) -> float:
        """Seconds that this share of the runs stayed under."""
        return float(np.quantile(self.seconds, share))

    def rate(self) -> float:
        """Runs a second: the median of the rounds."""
        return statistics.median(self.rates)


def in_turns(
    runs: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    seconds: float,
    watch: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> dict[str, Timing]:
    """Run everything in every round, in the order given and in its reverse by turns.

    Args:
        runs: What is measured, by name.
        rounds: ≥ 1.
        seconds: How long one thing is repeated in one round; it runs once at least.
        watch: Goes over the names of a round, for a progress bar.
    """
    for run in runs.values():
        for _ in range(WARM_UP):
            run()
    names = list(runs)
    taken: dict[str, list[list[float]]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in watch(names if number % 2 == 0 else names[::-1]):
            runs[name]()  # caches are another's, and its threads may still spin
            taken[name].append(_times(runs[name], seconds))
    return {
        name: Timing([t for times in one for t in times], [len(times) / sum(times) for times in one])
        for name, one in taken.items()
    }


def _times(run: Callable[[], object], seconds: float) -> list[float]:
    times: list[float] = []
    while not times or sum(times) < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times
