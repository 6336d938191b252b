"""Pictures of a case: as sent, as the network saw them, and where it looked."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError, Future
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from transxv2s.errors import InputError
from transxv2s.explain import SIX
from transxv2s.serve import cases
from transxv2s.serve.api import schemas
from transxv2s.serve.api.access import Actor, Uploader
from transxv2s.serve.api.cases import original, readable, seen
from transxv2s.serve.api.context import Server, TheServer
from transxv2s.serve.api.errors import HUNG_UP
from transxv2s.serve.errors import ConflictError, NotFoundError
from transxv2s.serve.worker_process import Call

PNG = "image/png"
ANOTHER_NETWORK = "The image was examined by another network, which is not loaded; send it again."
NO_MAPS = "The loaded network cannot be explained; there are no heat maps."

router = APIRouter(tags=["pictures"], prefix="/v1/findings/{case_id}/images/{n}")
Number = Annotated[int, Path(description="Position of the image in the case, from 0.")]
Method = Annotated[str, Path(description=f"One of {', '.join(SIX)}.", json_schema_extra={"enum": list(SIX)})]
Code = Annotated[
    str | None, Query(alias="class", description="The class that is asked for; by default the predicted one.")
]


class Png(Response):
    """A picture."""

    media_type = PNG


async def hanging_up(request: Request) -> AsyncIterator[Future[None]]:
    """Is done as soon as the client has gone."""
    await request.body()  # behind it nothing comes but the end
    watch = asyncio.run_coroutine_threadsafe(_end(request), asyncio.get_running_loop())
    try:
        yield watch
    finally:
        watch.cancel()


async def _end(request: Request) -> None:
    await request.receive()


@router.get("/original.png", response_class=Png)
def get_original(server: TheServer, actor: Uploader, case_id: str, n: Number) -> Png:
    """The image as it was sent, upright and without anything but its pixels."""
    with server.database.reading() as session:
        case = readable(session, case_id, actor)
    return Png(original(server, case, n))


@router.get("/seen.png", response_class=Png)
def get_seen(server: TheServer, actor: Uploader, case_id: str, n: Number) -> Png:
    """The square that the network saw."""
    with server.database.reading() as session:
        case = readable(session, case_id, actor)
    return Png(seen(server, case, n))


@router.get("/heat-maps/{method}.png", response_class=Png)
def get_heat_map(
    *,
    server: TheServer,
    actor: Uploader,
    unwanted: Annotated[Future[None], Depends(hanging_up)],
    case_id: str,
    n: Number,
    method: Method,
    code: Code = None,
) -> Png:
    """Where the network looked, in colours, as large as what it saw. Takes seconds with some methods.

    Whoever does not want to wait any more hangs up: what has not begun by then is not done.
    """
    if method not in SIX:
        raise NotFoundError(f"There is no such method; take one of {', '.join(SIX)}.")
    if not server.model.explainable:
        raise NotFoundError(NO_MAPS)
    square, predicted = _explained(server, actor, case_id, n)
    asked = predicted if code is None else code
    if asked not in server.model.taxonomy.codes:
        raise InputError(f"The class must be one of {', '.join(server.model.taxonomy.codes)}.")
    try:
        [picture] = server.workers.run([Call("heat_map", (square, asked, method))], unwanted)
    except CancelledError:
        return Png(status_code=HUNG_UP)
    return Png(picture)


@router.get("/attention")
def get_attention(server: TheServer, actor: Uploader, case_id: str, n: Number) -> schemas.Attention:
    """What the graph modules attend to; no modules where the network has none."""
    square, _ = _explained(server, actor, case_id, n)
    found: list[list[dict[str, Any]]] = server.workers.run([Call("attention", (square,))])
    return schemas.Attention.model_validate({"modules": found[0]})


def _explained(server: Server, actor: Actor, case_id: str, n: int) -> tuple[bytes, str]:
    """What the network saw, and the class it predicted.

    Raises:
        ConflictError: It was another network.
    """
    with server.database.reading() as session:
        case = readable(session, case_id, actor)
    square = seen(server, case, n)
    finding = cases.findings(case)[n]
    if finding.checkpoint != server.model.digest:
        raise ConflictError(ANOTHER_NETWORK)
    return square, finding.predicted
