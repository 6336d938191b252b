"""Worker processes for images: one core each, deaf to Ctrl-C, and gone when their parent is gone."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import cv2


@contextmanager
def workers(tasks: int, at_once: int) -> Iterator[ProcessPoolExecutor]:
    """A pool over all cores; if the caller fails, its processes finish what they hold and no more.

    Args:
        tasks: How many there are, ≥ 1.
        at_once: How many of them a worker gets at a time; no more workers are started than that needs.
    """
    pool = ProcessPoolExecutor(min(os.cpu_count() or 1, -(-tasks // at_once)), initializer=begin_work)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def begin_work() -> None:
    """In a worker: leaves Ctrl-C to the parent, and OpenCV's threads, which do not survive a fork, alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would otherwise wait for work, and hold a lock, for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
