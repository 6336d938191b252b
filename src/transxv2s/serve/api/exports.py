"""Reviewed cases as a data set."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from transxv2s.serve.api.access import Reviewer
from transxv2s.serve.api.context import TheServer
from transxv2s.serve.db.session import storage_errors
from transxv2s.serve.export import export_zip

LOG = logging.getLogger(__name__)
CHUNK = 1_000_000  # bytes

router = APIRouter(tags=["reviews"])


class Zip(StreamingResponse):
    """An archive."""

    media_type = "application/zip"


@router.get("/v1/export", response_class=Zip)
def get_export(server: TheServer, actor: Reviewer) -> Zip:
    """Reviewed cases as `train` and `evaluate` read them (data set `table`): a CSV file and its images."""
    folder = server.settings.data_dir
    with storage_errors(), ExitStack() as opened:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        archive = opened.enter_context(tempfile.TemporaryFile(dir=folder))  # has no name, vanishes with us
        written = export_zip(server.database, server.store, archive, actor=actor.name, now=server.now())
        size = archive.seek(0, 2)
        archive.seek(0)
        opened.pop_all()
    if written.unreadable:
        LOG.warning("an export lacks %d images: damaged, or deleted meanwhile", written.unreadable)
    headers = {"Content-Disposition": 'attachment; filename="reviewed.zip"', "Content-Length": str(size)}
    return Zip(_chunks(archive), headers=headers)


def _chunks(archive: IO[bytes]) -> Iterator[bytes]:
    with archive:
        while chunk := archive.read(CHUNK):
            yield chunk
