"""Pictures of the last minutes, in memory only: for cases whose images are never written."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from transxv2s.serve.cases import Picture


@dataclass(frozen=True)
class _Entry:
    pictures: tuple[Picture, ...]
    added: float

    @property
    def size(self) -> int:
        return sum(len(picture.original) + len(picture.seen) for picture in self.pictures)


class Recent:
    """Pictures by case, for a while; may be used from any thread.

    Args:
        minutes: How long each is kept at most.
        max_bytes: Of all together; the oldest go first, and a case larger than this is not kept.
        clock: Seconds that never go back.
    """

    def __init__(self, minutes: float, max_bytes: int, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = 60 * minutes
        self._max_bytes = max_bytes
        self._clock = clock
        self._cases: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, case_id: str, pictures: Sequence[Picture]) -> None:
        """Keeps the pictures of a case."""
        with self._lock:
            self._cases[case_id] = _Entry(tuple(pictures), self._clock())
            self._tidy()

    def get(self, case_id: str, position: int) -> Picture | None:
        """A picture of a case, if it is still here."""
        with self._lock:
            self._tidy()
            entry = self._cases.get(case_id)
        return entry.pictures[position] if entry and position < len(entry.pictures) else None

    def forget(self, case_id: str) -> None:
        """Drops the pictures of a case that was deleted."""
        with self._lock:
            self._cases.pop(case_id, None)

    def tidy(self) -> None:
        """Drops what is too old, also when nobody asks."""
        with self._lock:
            self._tidy()

    def _tidy(self) -> None:
        oldest = self._clock() - self._seconds
        while self._cases:
            entry = next(iter(self._cases.values()))
            if entry.added > oldest and sum(e.size for e in self._cases.values()) <= self._max_bytes:
                return
            self._cases.popitem(last=False)
