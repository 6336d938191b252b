"""The application on a port: connections, their time limits, and an end that loses nothing."""

import asyncio
import logging
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from transxv2s.serve.settings import Settings

HEADER_BYTES = 16_384
HEADER_SECONDS = 15.0  # in which the head of a request must have arrived
GRACE_SECONDS = 10  # beyond the longest work, for answers that are under way when the server is told to end


class Protocol(H11Protocol):
    """uvicorn's, which waits for ever for the head of a request; here it is cut off."""

    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client has come."""
        super().connection_made(transport)
        self._arm()

    def on_response_complete(self) -> None:
        """The next request may come."""
        super().on_response_complete()
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """A client has gone."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._disarm()
        self._watch = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _disarm(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    def _give_up(self) -> None:
        """Unless a request has arrived meanwhile."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def run(app: FastAPI, settings: Settings) -> None:
    """Serves until it is told to end; what has begun by then is finished."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    made(app, settings).run()


def made(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """The server, not yet running. What it says of itself tells no version, and its log no address."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,  # it would hold queries and ids
        server_header=False,
        date_header=True,
        proxy_headers=bool(settings.hosts),
        forwarded_allow_ips=[str(address) for address in settings.proxies],
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=int(settings.work_seconds) + GRACE_SECONDS,
    )
    return uvicorn.Server(config)
