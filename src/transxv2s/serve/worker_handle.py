"""One worker process, as seen from the server: it loads, answers calls one at a time, and can be killed."""

import multiprocessing
from collections.abc import Callable
from typing import Any

from transxv2s.errors import TransXV2SError
from transxv2s.serve.errors import StartingError, WorkerLostError, WorkTooSlowError
from transxv2s.serve.worker_process import Call, Done, Failed, Outcome, work

START_SECONDS = 300.0  # in which the network must be loaded
SPAWN = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold


class LostError(Exception):
    """A process is gone.

    Attributes:
        error: What to tell whose work it was.
    """

    def __init__(self, why: str, error: TransXV2SError) -> None:
        super().__init__(why)
        self.error = error


class Process:
    """A worker process and the pipe to it."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self.loaded = False
        self._here, there = SPAWN.Pipe()
        self._process = SPAWN.Process(target=work, args=(there, load), daemon=True)
        self._process.start()
        there.close()
        self.pid = self._process.pid or 0

    def wait_until_loaded(self) -> None:
        """Raises LostError where the process cannot load, or takes too long."""
        outcome = self._receive(START_SECONDS)
        if not isinstance(outcome, Done):
            why = outcome.trace if isinstance(outcome, Failed) else str(outcome.error)
            raise LostError(f"it cannot start: {why}", StartingError())
        self.loaded = True

    def call(self, call: Call, seconds: float) -> Outcome:
        """What became of a call. Raises LostError where the process dies of it or takes too long."""
        try:
            self._here.send(call)
        except OSError:
            raise self._death() from None
        return self._receive(seconds)

    def check(self) -> None:
        """Raises LostError where the process has died while it had nothing to do."""
        if not self._process.is_alive():
            raise self._death()

    def end(self) -> None:
        """Kills the process."""
        self._process.kill()

    def close(self) -> None:
        """Kills the process and waits until it is gone."""
        self.end()
        self._process.join()
        self._here.close()

    def _receive(self, seconds: float) -> Outcome:
        try:
            outcome: Outcome | None = self._here.recv() if self._here.poll(seconds) else None
        except Exception:  # it is gone, or what it has sent is cut off
            raise self._death() from None
        if outcome is None:
            raise LostError(f"it took more than {seconds:g} seconds", WorkTooSlowError())
        return outcome

    def _death(self) -> LostError:
        self._process.join(1)
        return LostError(f"it died with exit code {self._process.exitcode}", WorkerLostError())
