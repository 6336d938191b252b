"""Bounds on requests before anything parses them: bytes as they arrive, whatever was announced, and time."""

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transxv2s.errors import TransXV2SError
from transxv2s.serve.api.errors import answer_to
from transxv2s.serve.errors import BusyError, UploadTooLargeError, UploadTooSlowError

DRAIN_SECONDS = 5.0  # in which the rest of a refused upload may arrive, so that its sender reads the answer


class Budget:
    """Bytes of uploads that may be in memory at once."""

    def __init__(self, total: int) -> None:
        self.free = total

    def take(self, size: int) -> None:
        """Raises BusyError where there is not so much left."""
        if size > self.free:
            raise BusyError
        self.free -= size

    def give(self, size: int) -> None:
        """What is not in memory any more."""
        self.free += size


class Bounded:
    """Counts the bytes of requests and the time they take to arrive, before anything parses them.

    Args:
        app: What is protected.
        limit: By path the most bytes of a request.
        seconds: In which a request must have arrived.
        budget: Of all requests that are being answered.
    """

    def __init__(self, app: ASGIApp, limit: Callable[[str], int], seconds: float, budget: Budget) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, self._limit(scope["path"]), self._seconds, self._budget)
        answering = _Answering(scope, send, body)
        try:
            if body.announced_too_much():
                await answering.refuse()
            else:
                await self._app(scope, body.receive, answering.send)
        finally:
            self._budget.give(body.taken)


class _Body:
    """The body of one request on its way in."""

    def __init__(self, scope: Scope, receive: Receive, limit: int, seconds: float, budget: Budget) -> None:
        self.taken = 0
        self.problem: TransXV2SError | None = None
        self._headers = Headers(scope=scope)
        self._receive = receive
        self._limit = limit
        self._budget = budget
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._complete = False
        self._begun = False

    def announced_too_much(self) -> bool:
        announced = self._headers.get("Content-Length", "0")
        if announced.isdecimal() and int(announced) > self._limit:
            self.problem = self._too_large()
        return self.problem is not None

    async def receive(self) -> Message:
        """The next part. Raises the error that the request is answered with."""
        if self._complete:
            return await self._receive()
        try:
            message = await self._part(self._deadline)
            size = len(message.get("body", b""))
            if self.taken + size > self._limit:
                raise self._too_large()
            self._budget.take(size)
        except TransXV2SError as problem:
            self.problem = problem
            raise
        self.taken += size
        return message

    async def drain(self) -> bool:
        """Lets the rest arrive, within bounds, as most senders read no answer before. False if it did not."""
        if self._headers.get("Expect") and not self._begun:  # waits to be told that it may begin
            return self._complete
        deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
        left = self._limit
        try:
            while not self._complete and left >= 0:
                left -= len((await self._part(deadline)).get("body", b""))
        except UploadTooSlowError:
            pass
        return self._complete

    async def _part(self, deadline: float) -> Message:
        try:
            async with asyncio.timeout_at(deadline):
                message = await self._receive()
        except TimeoutError:
            raise UploadTooSlowError from None
        self._begun = True
        self._complete = not message.get("more_body", False)  # also where the sender has gone
        return message

    def _too_large(self) -> UploadTooLargeError:
        return UploadTooLargeError(
            f"The request is larger than {self._limit / 1e6:.3g} MB; send less at once."
        )


class _Answering:
    """The answer to one request on its way out."""

    def __init__(self, scope: Scope, send: Send, body: _Body) -> None:
        self._scope = scope
        self._send = send
        self._body = body
        self._refused = False
        self._begun = False

    async def send(self, message: Message) -> None:
        """Passes the answer on, unless the request is refused: then that is the answer."""
        if self._refused:
            return
        if self._begun:
            await self._send(message)
        elif self._body.problem is not None:
            await self.refuse()
        else:
            self._begun = True
            await self._send(message if await self._body.drain() else _last(message))

    async def refuse(self) -> None:
        """Answers with the body's problem."""
        self._refused = True
        problem = self._body.problem or UploadTooSlowError()
        whole = not isinstance(problem, UploadTooSlowError) and await self._body.drain()

        async def closing(message: Message) -> None:
            await self._send(message if whole else _last(message))

        await answer_to(problem)(self._scope, self._body.receive, closing)


def _last(message: Message) -> Message:
    """Says that the connection is closed: what is left of the request would be taken for another one."""
    if message["type"] == "http.response.start":
        MutableHeaders(scope=message)["Connection"] = "close"
    return message
