"""Style sheets, scripts and icons, under an address that changes whenever one of them does."""

import hashlib
from functools import cache
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).with_name("static")
FOR_EVER = "public, max-age=31536000, immutable"


@cache
def address() -> str:
    """Path of the files on the server: a browser never mixes those of two versions."""
    digest = hashlib.sha256()
    for file in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        digest.update(file.relative_to(FOLDER).as_posix().encode() + b"\0" + file.read_bytes())
    return f"/static/{digest.hexdigest()[:12]}"


class _Unchanging(StaticFiles):
    """Files that a browser need not ask for again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, to be kept for ever."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = FOR_EVER
        return response


def mount_static(app: FastAPI) -> None:
    """Serves the files below `address`."""
    app.mount(address(), _Unchanging(directory=FOLDER), name="static")
