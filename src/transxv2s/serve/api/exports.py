"""Reviewed cases as a data set."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from transxv2s.serve.api.access import Reviewer
from transxv2s.serve.api.context import TheServer
from transxv2s.serve.db.session import storage_errors
from transxv2s.serve.export import export
from transxv2s.serve.settings import Settings

PREFIX = "export-"  # of a folder in the data folder, while its files are put together
CHUNK = 1_000_000  # bytes

router = APIRouter(tags=["reviews"])


class Zip(StreamingResponse):
    """An archive."""

    media_type = "application/zip"


@router.get("/v1/export", response_class=Zip)
def get_export(server: TheServer, actor: Reviewer) -> Zip:
    """Reviewed cases as `train` and `evaluate` read them (data set `table`): a CSV file and its images."""
    settings = server.settings
    with storage_errors():
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        archive = tempfile.TemporaryFile(dir=settings.data_dir)  # noqa: SIM115 - has no name, vanishes with us
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=settings.data_dir) as folder:
            target = Path(folder) / "reviewed"
            export(server.database, server.store, target, actor=actor.name, now=server.now())
            _pack(target, archive)
    size = archive.seek(0, 2)
    archive.seek(0)
    headers = {"Content-Disposition": 'attachment; filename="reviewed.zip"', "Content-Length": str(size)}
    return Zip(_chunks(archive), headers=headers)


def clear_leftovers(settings: Settings) -> None:
    """Removes what an export that was killed has left."""
    for folder in settings.data_dir.glob(f"{PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _pack(folder: Path, archive: IO[bytes]) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:  # PNG files do not shrink
        for path in sorted(folder.rglob("*")):
            packed.write(path, path.relative_to(folder))


def _chunks(archive: IO[bytes]) -> Iterator[bytes]:
    with archive:
        while chunk := archive.read(CHUNK):
            yield chunk
