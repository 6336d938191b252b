"""What every request passes first and every answer last: log, protective headers, no other sites."""

import ipaddress
import logging
import re
from collections.abc import Iterable
from time import perf_counter
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transxv2s.errors import TransXV2SError
from transxv2s.serve.api.access import FOREIGN, SAFE
from transxv2s.serve.api.errors import HUNG_UP, answer_to, internal
from transxv2s.serve.api.metrics import Metrics
from transxv2s.serve.errors import ForeignHostError, NotAllowedError

LOG = logging.getLogger(__name__)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}
HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
OURS = ("same-origin", "none")  # Sec-Fetch-Site: a page of ours, or the person at the address bar


class Observed:
    """Logs and counts each request, without its query and ids; what nobody foresaw becomes a plain 500."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except ClientDisconnect:
            status = status or HUNG_UP  # an upload was given up: nobody's fault
        except Exception:
            LOG.exception("%s %s failed", scope["method"], _route(scope))
            if status:
                raise
            await internal()(scope, receive, noting)
        finally:
            seconds = perf_counter() - start
            self._metrics.request(scope["method"], _route(scope), status, seconds)
            LOG.info("%s %s %d %.3f s", scope["method"], _route(scope), status, seconds)


def _route(scope: Scope) -> str:
    """The template of the route: what is in its place may be an id."""
    return getattr(scope.get("route"), "path", None) or "unknown"


class Sealed:
    """Adds the headers that tell browsers what no page of ours needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def sealing(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sealing if scope["type"] == "http" else send)


class FromHere:
    """Refuses requests that another site's page makes, directly or by giving our address its name.

    A page can let its own name stand for our address (DNS rebinding), but not make a browser call us by our
    address or a name of ours then. Other requests of its browser's tell where they come from.

    Args:
        app: What is protected.
        hosts: Names of the server beside "localhost" and all addresses.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._names = {"localhost", *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and (error := self._problem(scope)):
            await answer_to(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _problem(self, scope: Scope) -> TransXV2SError | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("Host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return ForeignHostError()
        guarded = scope["method"] not in SAFE or scope["path"].startswith("/v1/")
        return NotAllowedError(FOREIGN) if guarded and _is_foreign(headers, hosts[0]) else None

    def _is_ours(self, host: str) -> bool:
        found = HOST.fullmatch(host)
        return found is not None and (found["name"].lower() in self._names or _is_address(found["name"]))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether a browser says that a page of another origin asks; programs say nothing of the kind."""
    origin = headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return True
    return headers.get("Sec-Fetch-Site", "none") not in OURS
