"""Whether the server runs, whether it can take work, and how much it has done."""

from fastapi import APIRouter, Response, status
from prometheus_client import CONTENT_TYPE_LATEST

from transxv2s.serve import worklist
from transxv2s.serve.api import schemas
from transxv2s.serve.api.access import Admin
from transxv2s.serve.api.context import TheServer

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> schemas.Status:
    """Answers as long as the server runs."""
    return schemas.Status(status="ok")


@router.get("/ready", responses={status.HTTP_503_SERVICE_UNAVAILABLE: {"model": schemas.Status}})
def ready(server: TheServer, response: Response) -> schemas.Status:
    """Whether the database answers and the network is loaded."""
    with server.database.reading() as session:
        worklist.waiting(session)
    if server.workers.ready:
        return schemas.Status(status="ready")
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return schemas.Status(status="starting")


@router.get("/metrics", response_class=Response)
def metrics(server: TheServer, actor: Admin) -> Response:
    """Counts and durations in Prometheus' text format."""
    with server.database.reading() as session:
        waiting = worklist.waiting(session)
    workers = server.workers
    text = server.metrics.text(queue=workers.waiting, restarts=workers.restarts, waiting=waiting)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
