"""Worker processes: real ones, killed in every way that a stranger's image could kill them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from serve.servant import cannot_load, load
from transxv2s.errors import ImageError
from transxv2s.serve.errors import BusyError, StartingError, WorkerLostError, WorkTooSlowError
from transxv2s.serve.worker import Workers
from transxv2s.serve.worker_process import Call

SECONDS = 5.0
PATIENCE = 120.0


def until(condition: Any) -> None:
    """Waits for something that must come; how long depends on the machine."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """One process and two places in the queue."""
    pool = Workers(load, count=1, queue=2, seconds=SECONDS)
    pool.start()
    until(lambda: pool.ready)
    yield pool
    pool.stop()


@pytest.fixture
def ready(workers: Workers) -> Workers:
    until(lambda: workers.ready)
    return workers


def process(workers: Workers) -> int:
    [pid] = workers.run([Call("process")])
    assert isinstance(pid, int)
    return pid


def test_calls_are_answered_in_order(ready: Workers) -> None:
    assert ready.run([Call("sleep", (0.02,)), Call("sleep", (0.0,))]) == [0.02, 0.0]


def test_the_work_is_done_elsewhere(ready: Workers) -> None:
    assert process(ready) != os.getpid()


def test_only_the_server_ends_a_worker_that_is_at_work(ready: Workers) -> None:
    """A service manager and Ctrl-C tell all processes at once; what was begun is finished."""
    pid = process(ready)
    assert ready.run([Call("ignores_the_end")]) == [True]
    assert process(ready) == pid


def test_errors_that_are_meant_for_the_user_come_through(ready: Workers) -> None:
    pid = process(ready)
    with pytest.raises(ImageError, match="The image: it is empty"):
        ready.run([Call("refuse")])
    assert process(ready) == pid


def test_others_are_logged_without_their_message(ready: Workers, caplog: pytest.LogCaptureFixture) -> None:
    pid = process(ready)
    with pytest.raises(WorkerLostError):
        ready.run([Call("blunder", ("Mrs Miller",))])
    assert "RuntimeError" in caplog.text
    assert "Miller" not in caplog.text
    assert process(ready) == pid


def test_memory_is_bounded(ready: Workers) -> None:
    pid = process(ready)
    with pytest.raises(ImageError, match="memory"):
        ready.run([Call("hoard", (1_000_000_000,))])
    assert ready.run([Call("hoard", (50_000_000,))]) == [50_000_000]
    assert process(ready) == pid


def test_the_queue_is_bounded(ready: Workers) -> None:
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ready.run, [Call("sleep", (2.0,))])
        until(lambda: ready.waiting == 0 and first.running())
        time.sleep(0.2)  # until the worker has taken it
        more = pool.submit(ready.run, [Call("sleep", (0.0,)), Call("sleep", (0.0,))])
        until(lambda: ready.waiting == 2)
        with pytest.raises(BusyError):
            ready.run([Call("sleep", (0.0,))])
        assert (first.result(), more.result()) == ([2.0], [0.0, 0.0])


def test_what_nobody_waits_for_any_more_is_not_begun(ready: Workers) -> None:
    pid = process(ready)
    unwanted = Future[None]()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ready.run, [Call("sleep", (4.0,))], unwanted)
        until(lambda: ready.waiting == 0 and first.running())
        time.sleep(0.2)  # until the worker has taken it
        second = pool.submit(ready.run, [Call("die")], unwanted)
        until(lambda: ready.waiting == 1)
        unwanted.set_result(None)
        with pytest.raises(CancelledError):
            second.result()
        assert ready.waiting == 0
        assert first.result() == [4.0]
    assert process(ready) == pid


def test_a_case_larger_than_the_queue_is_taken_when_nothing_waits(ready: Workers) -> None:
    assert ready.run([Call("sleep", (0.0,))] * 9) == [0.0] * 9


def test_what_takes_too_long_is_killed_and_the_rest_of_its_case_dropped(ready: Workers) -> None:
    pid = process(ready)
    with pytest.raises(WorkTooSlowError):
        ready.run([Call("sleep", (60.0,)), Call("sleep", (60.0,))])
    assert ready.waiting == 0
    until(lambda: ready.ready)
    assert process(ready) != pid


@pytest.mark.parametrize("how", ["by itself", "from outside, as the system does when memory runs out"])
def test_a_process_that_dies_is_replaced_and_those_who_wait_are_served(ready: Workers, how: str) -> None:
    pid, before = process(ready), ready.restarts
    with ThreadPoolExecutor() as pool:
        if how == "by itself":
            victim = pool.submit(ready.run, [Call("die")])
        else:
            victim = pool.submit(ready.run, [Call("sleep", (SECONDS / 2,))])
            time.sleep(0.3)
            os.kill(pid, signal.SIGKILL)
        other = pool.submit(ready.run, [Call("process")])
        with pytest.raises(WorkerLostError):
            victim.result()
        try:
            assert other.result() != [pid]
        except StartingError:  # it asked while there was no process
            until(lambda: ready.ready)
    assert ready.restarts == before + 1


def test_a_process_that_dies_idle_is_replaced_before_anybody_asks(ready: Workers) -> None:
    pid, before = process(ready), ready.restarts
    os.kill(pid, signal.SIGKILL)
    until(lambda: ready.restarts == before + 1 and ready.ready)
    assert process(ready) != pid


def _exists(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_cannot_load_is_never_ready_and_can_be_stopped(caplog: pytest.LogCaptureFixture) -> None:
    pool = Workers(cannot_load, count=1, queue=2, seconds=SECONDS)
    pool.start()
    until(lambda: "the checkpoint is damaged" in caplog.text)
    with pytest.raises(StartingError):
        pool.run([Call("process")])
    pool.stop()


def test_stopping_ends_the_processes_and_what_they_are_at() -> None:
    pool = Workers(load, count=1, queue=2, seconds=60)
    pool.start()
    until(lambda: pool.ready)
    pid = process(pool)
    with ThreadPoolExecutor() as threads:
        running = threads.submit(pool.run, [Call("sleep", (60.0,))])
        time.sleep(0.3)
        waiting = threads.submit(pool.run, [Call("sleep", (60.0,))])
        until(lambda: pool.waiting == 1)
        pool.stop()
        with pytest.raises((WorkerLostError, StartingError)):
            running.result()
        with pytest.raises(StartingError):
            waiting.result()
    until(lambda: not _exists(pid))
    until(lambda: not [t for t in threading.enumerate() if t.name == "worker 0" and not t.daemon])


ORPHAN = """
import sys, time
from serve.servant import load
from transxv2s.serve.worker import Workers
from transxv2s.serve.worker_process import Call
if __name__ == "__main__":
    pool = Workers(load, 1, 1, 60)
    pool.start()
    while not pool.ready:
        time.sleep(0.01)
    print(*pool.pids, flush=True)
    pool.run([Call("sleep", (600.0,))])
"""


def test_no_worker_outlives_a_server_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "orphan.py").write_text(ORPHAN)
    tests = str(Path(__file__).parents[1])
    with subprocess.Popen(  # noqa: S603
        [sys.executable, str(tmp_path / "orphan.py")],
        env=os.environ | {"PYTHONPATH": tests},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert _exists(pid)
        parent.kill()
    until(lambda: not _exists(pid))
