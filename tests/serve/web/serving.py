"""The real application on a free port of loopback; its network works in this process, to save its start."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from transxv2s.classifier import Classifier
from transxv2s.imaging.decode import Limits
from transxv2s.serve.api.context import Server
from transxv2s.serve.app import create_app
from transxv2s.serve.settings import Settings
from transxv2s.serve.worker_process import Call
from transxv2s.serve.worker_tasks import Examiner


class OwnProcess:
    """Does what the workers do, one call at a time."""

    ready, waiting, restarts = True, 0, 0

    def __init__(self, checkpoint: Path) -> None:
        self._examiner = Examiner(Classifier.load(checkpoint, "cpu"), Limits())
        self._turn = threading.Lock()

    def start(self) -> None:
        """Nothing has to be loaded any more."""

    def stop(self) -> None:
        """The next server uses the same network."""

    def run(self, calls: Sequence[Call], unwanted: Future[None] | None = None) -> list[Any]:
        with self._turn:
            return [getattr(self._examiner, call.method)(*call.arguments) for call in calls]


@dataclass(frozen=True)
class Running:
    """A server that runs.

    Attributes:
        url: Where.
        state: What its routes work with.
    """

    url: str
    state: Server


@contextmanager
def serving(settings: Settings, workers: OwnProcess) -> Iterator[Running]:
    app: FastAPI = create_app(settings, workers)
    config = uvicorn.Config(app, port=0, log_config=None, ws="none", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server does not start")
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Running(f"http://127.0.0.1:{port}", app.state.server)
    finally:
        server.should_exit = True
        thread.join()
