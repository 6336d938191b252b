"""A web server on the loopback that serves files from memory, and misbehaves where a test asks for it."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Request(NamedTuple):
    name: str
    range: str | None
    status: int


@dataclass
class Site:
    """What the server has, how it behaves, and what it was asked.

    `breaks` maps a file to the number of answers (a probe is one) that still stop after `bytes_before_break`.
    """

    files: dict[str, bytes]
    url: str = ""
    ranges: bool = True
    tags: bool = True
    sizes: bool = True
    content_type: str = "application/octet-stream"
    breaks: dict[str, int] = field(default_factory=dict)
    bytes_before_break: int = 1 << 17
    status: dict[str, int] = field(default_factory=dict)
    log: list[Request] = field(default_factory=list)

    def asked(self, name: str) -> list[Request]:
        return [request for request in self.log if request.name == name]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        asked = self.headers.get("Range")
        body = self.site.files.get(name)
        status = self.site.status.get(name, 200 if body is not None else 404)
        if body is None or status != 200:
            self._answer(Request(name, asked, status), b"", {})
            return
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"ETag": tag} if self.site.tags else {}
        start = 0
        if asked and self.site.ranges and self.headers.get("If-Range") in (None, tag):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            status = 206 if start < len(body) else 416
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self._answer(Request(name, asked, status), body[start:], headers)

    def _answer(self, request: Request, body: bytes, headers: dict[str, str]) -> None:
        self.site.log.append(request)
        self.send_response(request.status)
        self.send_header("Content-Type", self.site.content_type)
        if self.site.sizes:
            self.send_header("Content-Length", str(len(body)))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.site.breaks.get(request.name, 0) and len(body) > self.site.bytes_before_break:
            self.site.breaks[request.name] -= 1
            body = body[: self.site.bytes_before_break]
        with suppress(OSError):  # a probe closes the connection without reading
            self.wfile.write(body)
        self.close_connection = True


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Site]:
    """Serves until the block ends; `site.url` is a mirror of the files."""
    site = Site(files)
    handler = type("SiteHandler", (Handler,), {"site": site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
