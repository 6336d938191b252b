"""Worker processes that can be killed: what is sent by strangers is decoded and examined there alone.

Each process has a thread here that hands it one call at a time. A call that takes too long, or kills the
process, is answered with an error, and another process takes the place of the lost one.
"""

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from transxv2s.errors import TransXV2SError
from transxv2s.serve.errors import BusyError, StartingError, WorkerLostError
from transxv2s.serve.worker_handle import LostError, Process
from transxv2s.serve.worker_process import Call, Done, Failed

LOG = logging.getLogger(__name__)
LONGEST_PAUSE = 30.0  # seconds between attempts to start a process that cannot be started


class Pool(Protocol):
    """What does the work of the server."""

    @property
    def ready(self) -> bool:
        """Whether work is taken."""

    @property
    def waiting(self) -> int:
        """Calls that no process has begun with."""

    @property
    def restarts(self) -> int:
        """Processes that were lost and replaced."""

    def start(self) -> None:
        """Begins to load; returns at once."""

    def stop(self) -> None:
        """Ends all processes at once."""

    def run(self, calls: Sequence[Call], unwanted: Future[None] | None = None) -> list[Any]:
        """Results of calls, in order; what has not begun when `unwanted` is done is cancelled."""


class Workers:
    """A pool of processes with a bounded queue; all methods may be called from any thread.

    Args:
        load: Runs in each process and gives the object whose methods are called; must pickle.
        count: Processes.
        queue: Calls that may wait.
        seconds: In which one call must be done.
    """

    def __init__(self, load: Callable[[], Any], count: int, queue: int, seconds: float) -> None:
        self._load = load
        self._count = count
        self._places = queue
        self._seconds = seconds
        self._queue: deque[tuple[Call, Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._processes: set[Process] = set()
        self._idle = 0
        self.restarts = 0

    @property
    def ready(self) -> bool:
        """Whether a process has loaded and lives."""
        return any(process.loaded for process in list(self._processes))

    @property
    def waiting(self) -> int:
        """Calls that no process has begun with."""
        return len(self._queue)

    @property
    def pids(self) -> list[int]:
        """Of the processes that live."""
        return [process.pid for process in list(self._processes)]

    def start(self) -> None:
        """Starts the processes in the background."""
        atexit.register(self.stop)
        for number in range(self._count):
            threading.Thread(target=self._attend, name=f"worker {number}", daemon=True).start()

    def stop(self) -> None:
        """Kills the processes; what they were at, and what waits, fails."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
            self._fail_waiting(StartingError())
        for process in list(self._processes):
            process.end()
        atexit.unregister(self.stop)

    def run(self, calls: Sequence[Call], unwanted: Future[None] | None = None) -> list[Any]:
        """Does calls that belong together, as soon as there are processes free.

        Args:
            calls: What to do.
            unwanted: When it is done nobody waits for them any more, and none is begun.

        Returns:
            Their results, in order.

        Raises:
            CancelledError: They became unwanted, and not all had begun.
            BusyError: Too many calls wait; none of these was begun.
            StartingError: No process has loaded yet.
            WorkTooSlowError: One took too long.
            WorkerLostError: One killed its process, or failed in an unforeseen way.
            TransXV2SError: What the work itself raises.
        """
        futures = self._admit(calls)
        if unwanted is not None:
            unwanted.add_done_callback(lambda _: self._withdraw(futures))
        try:
            return [future.result() for future in futures]
        finally:
            self._withdraw(futures)

    def _withdraw(self, futures: Sequence[Future[Any]]) -> None:
        """Takes what has not begun out of the queue, so that others have its place."""
        cancelled = {future for future in futures if future.cancel()}
        with self._changed:
            self._queue = deque(job for job in self._queue if job[1] not in cancelled)

    def _admit(self, calls: Sequence[Call]) -> list[Future[Any]]:
        """All or none; more calls than can ever wait are taken when nothing else waits."""
        if not self.ready:
            raise StartingError
        with self._changed:
            free = self._places + self._idle - len(self._queue)
            if len(calls) > free and (self._queue or free <= 0):
                raise BusyError
            jobs = [(call, Future[Any]()) for call in calls]
            self._queue.extend(jobs)
            self._changed.notify_all()
        return [future for _, future in jobs]

    def _attend(self) -> None:
        """Of one process: starts it, hands it calls, and starts another when it is lost."""
        pause = 1.0
        while not self._stopping.is_set():
            if self._had_loaded():
                pause = 1.0
            else:
                self._after_bad_start(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            self.restarts += not self._stopping.is_set()

    def _had_loaded(self) -> bool:
        """The life of one process; whether it ever took work."""
        try:
            process = Process(self._load)
        except OSError as error:  # no memory, or too many processes
            LOG.warning("a worker process cannot be started: %s", error.strerror)
            return False
        self._processes.add(process)
        if self._stopping.is_set():  # meanwhile
            process.end()
        try:
            process.wait_until_loaded()
            while not self._stopping.is_set():
                self._next(process)
        except LostError as lost:
            LOG.warning("a worker process was lost: %s", lost)
        finally:
            self._processes.discard(process)
            process.close()
        return process.loaded

    def _after_bad_start(self, pause: float) -> None:
        with self._changed:
            if not self.ready:
                self._fail_waiting(StartingError())
        self._stopping.wait(pause)

    def _next(self, process: Process) -> None:
        """Waits for a call and answers it.

        Raises:
            LostError: The process is gone or had to be killed.
        """
        with self._changed:
            self._idle += 1
            try:
                while not self._queue:
                    if self._stopping.is_set():
                        return
                    self._changed.wait(1.0)
                    process.check()
                process.check()  # before the call is taken: another process can still do it
                call, future = self._queue.popleft()
            finally:
                self._idle -= 1
        if future.set_running_or_notify_cancel():
            self._answer(process, call, future)

    def _answer(self, process: Process, call: Call, future: Future[Any]) -> None:
        try:
            outcome = process.call(call, self._seconds)
        except LostError as lost:
            future.set_exception(lost.error)
            raise
        if isinstance(outcome, Done):
            future.set_result(outcome.value)
        elif isinstance(outcome, Failed):
            LOG.error("a worker failed at %s: %s", call.method, outcome.trace)
            future.set_exception(WorkerLostError())
        else:
            future.set_exception(outcome.error)

    def _fail_waiting(self, error: TransXV2SError) -> None:
        while self._queue:
            _, future = self._queue.popleft()
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
