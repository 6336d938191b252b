"""The application on a database of its own, with the tiny network in this process."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serve.api.tiny import DARK, Inline, examiner, image, load, write_config
from serve.making import CHEAP, PASSWORD
from transxv2s.serve import audit, integrity
from transxv2s.serve.api.context import Server
from transxv2s.serve.app import create_app
from transxv2s.serve.auth import tokens, users
from transxv2s.serve.db.models import Role
from transxv2s.serve.settings import Settings
from transxv2s.serve.worker import Pool, Workers

HERE = "http://127.0.0.1:8000"
ADDRESS = ("192.0.2.7", 50000)
Json = dict[str, Any]


@dataclass
class Site:
    """A running application and somebody who talks to it."""

    client: TestClient
    server: Server

    @property
    def workers(self) -> Inline:
        assert isinstance(self.server.workers, Inline)
        return self.server.workers

    def send(self, *files: bytes, headers: Mapping[str, str] | None = None, **details: Any) -> Any:
        """The answer to images of one lesion; one dark image unless others are given."""
        parts = [("images", ("Mrs Miller.png", file, "image/png")) for file in files or (image(DARK),)]
        return self.client.post("/v1/findings", files=parts, data=details, headers=headers)

    def case(self, *files: bytes, **details: Any) -> Json:
        """The same, where it must go well."""
        answer = self.send(*files, **details)
        assert answer.status_code == 201, answer.text
        found: Json = answer.json()
        return found

    def verdict(self) -> audit.Verdict:
        """What the audit trail says of all that was done."""
        return integrity.verify(self.server.database, self.server.store)


Open = Callable[..., Site]


def kind(answer: Any) -> tuple[int, str]:
    """Status and kind of an error."""
    return answer.status_code, answer.json()["error"]["kind"]


@pytest.fixture(scope="session")
def config_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def open_site(tmp_path: Path, first_file: Path, config_only: Path) -> Iterator[Open]:
    """Makes an application with these settings; several may share one folder, as after a restart."""
    shutil.copy(first_file, tmp_path / "transxv2s.sqlite")
    with ExitStack() as stack:

        def opened(workers: Pool | None = None, **settings: Any) -> Site:
            given = {"data_dir": tmp_path, "checkpoint": config_only} | settings
            inline = workers or Inline(examiner())
            app = create_app(Settings(**given), inline)
            if isinstance(inline, Inline):
                inline.examiner = examiner(app.state.server.model.digest)
            client = TestClient(app, base_url=HERE, client=ADDRESS, raise_server_exceptions=False)
            return Site(stack.enter_context(client), app.state.server)

        yield opened


@pytest.fixture
def site(open_site: Open) -> Site:
    """In local mode."""
    return open_site()


class Shared(Workers):
    """Worker processes that outlive the applications they work for: they take a while to start."""

    def start(self) -> None:
        """They have been started."""

    def stop(self) -> None:
        """Others need them, too."""


@pytest.fixture(scope="session")
def processes() -> Iterator[Workers]:
    """One real worker process with the tiny network, and four places in its queue."""
    shared = Shared(load, count=1, queue=4, seconds=60)
    Workers.start(shared)
    deadline = time.monotonic() + 300
    while not shared.ready:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield shared
    Workers.stop(shared)


def add_user(server: Server, name: str, role: Role) -> str:
    """Adds a user with `PASSWORD`; gives an API token of theirs."""
    now = datetime.now(UTC)
    with server.database.writing() as session:
        users.create(session, name, PASSWORD, role, actor="local", now=now, hasher=CHEAP)
        return tokens.create(session, name, "test", actor="local", now=now)[1]


@pytest.fixture
def people(site: Site) -> dict[str, dict[str, str]]:
    """By role the headers of somebody who has it; with them the local mode ends."""
    names: dict[str, Role] = {"ada": "admin", "rita": "reviewer", "uta": "uploader", "udo": "uploader"}
    found = {}
    for name, role in names.items():
        found[name] = {"Authorization": f"Bearer {add_user(site.server, name, role)}"}
    return found
