"""What runs in a worker process: it loads, then does one call after the other until its parent is gone."""

import logging
import re
import resource
import signal
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from transxv2s.errors import ImageError, TransXV2SError
from transxv2s.workers import begin_work

STATUS = Path("/proc/self/status")
LACKS_MEMORY = "it takes more memory to examine than there is; send a smaller image"


@dataclass(frozen=True)
class Call:
    """What a worker is asked to do: a method of what it has loaded, with arguments."""

    method: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Done:
    """The work's result."""

    value: Any


@dataclass(frozen=True)
class Refused:
    """The work's error, meant for the user."""

    error: TransXV2SError


@dataclass(frozen=True)
class Failed:
    """An error that nobody foresaw: its type and where it arose. Its message may quote the image's file."""

    trace: str


Outcome = Done | Refused | Failed


def work(connection: Connection, load: Callable[[], Any]) -> None:
    """Loads, says so, and serves calls.

    Args:
        connection: To the parent; when its other end closes, the process ends.
        load: Gives the object whose methods are called.
    """
    begin_work()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the parent ends first, and finishes what it has begun
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold the image and the patient's name
    logging.disable()  # so would what libraries say of a file
    warnings.simplefilter("ignore")
    outcome, servant = _loaded(load)
    connection.send(outcome)
    while servant is not None:
        try:
            call: Call = connection.recv()
        except EOFError:
            return
        connection.send(outcome_of(lambda: getattr(servant, call.method)(*call.arguments)))  # noqa: B023


def _loaded(load: Callable[[], Any]) -> tuple[Outcome, Any]:
    outcome = outcome_of(load)
    if isinstance(outcome, Done):
        return Done(None), outcome.value
    return outcome, None


def outcome_of(job: Callable[[], Any]) -> Outcome:
    """What became of some work, in a form that goes through a pipe."""
    try:
        return Done(job())
    except TransXV2SError as error:
        return Refused(error)
    except Exception as error:
        if (
            isinstance(error, MemoryError) or "memory" in str(error).lower()
        ):  # OpenCV and torch have their own
            return Refused(ImageError("image", LACKS_MEMORY))
        places = "".join(traceback.format_tb(error.__traceback__))
        return Failed(f"{type(error).__name__}\n{places}")


def limit_memory(more: int) -> None:
    """Lets this process take so many bytes more than now, where the platform can tell and limit it.

    The limit is on private memory (RLIMIT_DATA): libraries reserve address space that they never use.
    """
    if not STATUS.exists():
        return
    used = re.search(r"^VmData:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if used and hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_DATA, (int(used[1]) * 1024 + more, hard))
