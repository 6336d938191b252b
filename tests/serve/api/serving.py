"""The application on a real port, in a thread, and raw connections to it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from transxv2s.serve.running import made
from transxv2s.serve.settings import Settings

PATIENCE = 60.0


@contextmanager
def serving(app: FastAPI, settings: Settings) -> Iterator[tuple[int, threading.Event]]:
    """Its port, and what to set to have it end as it would after SIGTERM."""
    server = made(app, settings)
    ending = threading.Event()
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)

    def watch() -> None:
        ending.wait()
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield server.servers[0].sockets[0].getsockname()[1], ending
    finally:
        ending.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def talk(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """Sends parts with pauses between, and reads until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except OSError:  # it has hung up
                break
            time.sleep(pause)
        return _all(connection)


def _all(connection: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            return found
        if not part:
            return found
        found += part


def head(path: str, length: int, *more: str, kind: str = "multipart/form-data; boundary=b") -> bytes:
    """The head of a request that announces so many bytes."""
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", f"Content-Length: {length}")
    return "\r\n".join((*lines, *more, "", "")).encode()
