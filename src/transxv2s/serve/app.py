"""The application: everything put together, and what goes on beside the requests."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from sqlalchemy import select

from transxv2s.classifier import default_checkpoint
from transxv2s.errors import ConfigError, TransXV2SError
from transxv2s.serve import audit, bounded, deletion, ownership, security, web
from transxv2s.serve.api import (
    about,
    exports,
    findings,
    health,
    hospital,
    pictures,
    session,
    tokens,
    users,
    worklist,
)
from transxv2s.serve.api.context import Model, Server
from transxv2s.serve.api.errors import ERROR_SCHEMA, add_handlers
from transxv2s.serve.api.metrics import Metrics
from transxv2s.serve.db.models import User
from transxv2s.serve.db.session import Database
from transxv2s.serve.db.upgrade import upgrade
from transxv2s.serve.images import ImageStore
from transxv2s.serve.recent import Recent
from transxv2s.serve.settings import FORM_BYTES, Settings
from transxv2s.serve.worker import Pool, Workers
from transxv2s.serve.worker_tasks import loader

LOG = logging.getLogger(__name__)
EXPIRE_SECONDS = 600.0  # between two looks for cases whose time has come
TIDY_SECONDS = 30.0  # between two looks for pictures whose time has come
THREADS = 40  # for requests that wait for nothing but the database
ROUTERS = (about, findings, pictures, worklist, exports, hospital, session, users, tokens, health)
ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong: a kind and a sentence.",
        "content": {"application/json": {"schema": {"$ref": ERROR_SCHEMA}}},
    }
}
NO_USERS = (
    "Others than you can reach this address, and there are no users: "
    "first run transxv2s users add NAME --role admin, with the same settings."
)


def create_app(settings: Settings, workers: Pool | None = None) -> FastAPI:
    """The application, with its database brought up to date; its workers start with it.

    Args:
        settings: How it runs.
        workers: What does the work; by default processes that load the settings' checkpoint.

    Raises:
        CheckpointError: The checkpoint is missing or damaged.
        ConfigError: Others can reach the address, and there are no users.
        ForeignImagesError: The images in the data folder are another database's.
        SchemaError: The database was written by a newer version.
        StorageUnavailableError: The database does not answer.
    """
    checkpoint = settings.checkpoint or default_checkpoint()
    model = Model.of(checkpoint)
    server = Server(
        settings=settings,
        database=_opened(settings),
        store=ImageStore(settings.images),
        recent=Recent(settings.recent_minutes, settings.recent_bytes),
        workers=workers
        or Workers(loader(settings, checkpoint), settings.workers, settings.queue, settings.work_seconds),
        model=model,
        metrics=Metrics(),
    )
    app = FastAPI(
        title="TransXV2S-Net",
        version="1",  # of the interface
        docs_url=None,  # its pages fetch scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.server = server
    for module in ROUTERS:
        app.include_router(module.router, responses=ERRORS)
    app.include_router(web.router)
    web.mount_static(app)
    add_handlers(app)
    _protect(app, server)
    return app


def _opened(settings: Settings) -> Database:
    database = Database(settings.database)
    upgrade(database)
    with database.writing() as session:
        if audit.origin(session) is None:  # by its first entry a folder of images knows its database
            audit.note(session, "database.made", "database", actor=audit.SYSTEM, now=datetime.now(UTC))
        ownership.require(session, ImageStore(settings.images))
    if settings.needs_users:
        with database.reading() as found:
            if found.scalars(select(User.name).limit(1)).first() is None:
                raise ConfigError(NO_USERS)
    return database


def _protect(app: FastAPI, server: Server) -> None:
    """The last one added sees a request first."""
    settings = server.settings
    limits = {"/v1/findings": settings.max_case_bytes, "/v1/dicom": settings.max_upload_bytes}
    app.add_middleware(
        bounded.Bounded,
        limit=lambda path: limits.get(path, FORM_BYTES),
        seconds=settings.upload_seconds,
        budget=bounded.Budget(max(settings.upload_memory, settings.max_case_bytes)),
    )
    app.add_middleware(security.FromHere, hosts=settings.hosts)
    app.add_middleware(security.Observed, metrics=server.metrics)
    app.add_middleware(security.Sealed)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    server: Server = app.state.server
    settings = server.settings
    to_thread.current_default_thread_limiter().total_tokens = THREADS + settings.queue + settings.workers
    server.workers.start()
    chores = [
        asyncio.create_task(_every(EXPIRE_SECONDS, lambda: _expire(server))),
        asyncio.create_task(_every(TIDY_SECONDS, server.recent.tidy)),
    ]
    try:
        yield
    finally:
        for chore in chores:
            chore.cancel()
        await to_thread.run_sync(server.workers.stop)
        server.database.close()


async def _every(seconds: float, work: Callable[[], object]) -> None:
    while True:
        try:
            await to_thread.run_sync(work)
        except TransXV2SError as error:
            LOG.warning("%s", error)  # the next time finishes the work
        except Exception:
            LOG.exception("a chore failed")
        await asyncio.sleep(seconds)


def _expire(server: Server) -> None:
    number = deletion.expire(server.database, server.store, server.now())
    if number:
        LOG.info("%d cases were deleted, as their time had come", number)
