"""The server on loopback with an untrained network, and Chromium to look at its pages."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Page, sync_playwright

from serve.making import CHEAP, NOW, PASSWORD
from serve.web.browsing import ARGUMENTS, WIDTHS, watched
from serve.web.serving import OwnProcess, Running, serving
from transxv2s.checkpoint import CheckpointConfig, write_checkpoint
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.nets import create
from transxv2s.serve.auth import users
from transxv2s.serve.settings import Settings
from trusting import plain_trust

SIDE = 64  # pixels of what the network sees: the least, as tests wait for it
OpenPage = Callable[..., Page]
Start = Callable[..., Running]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The full network, as it has graph attention, with random weights: it answers unless an image is bad."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoint")
    trust = plain_trust(min_confidence=0, max_suspicion=1, mixed_sets=False)
    config = CheckpointConfig(variant="transxv2s_net", preprocessing=Preprocessing(size=SIDE), trust=trust)
    write_checkpoint(folder, create("transxv2s_net"), config, half=True)
    return folder


@pytest.fixture(scope="session")
def workers(checkpoint: Path) -> OwnProcess:
    return OwnProcess(checkpoint)


@pytest.fixture
def start(tmp_path: Path, first_file: Path, checkpoint: Path, workers: OwnProcess) -> Iterator[Start]:
    """Starts a server with settings of one's choice, and an empty database."""
    shutil.copy(first_file, tmp_path / "transxv2s.sqlite")
    with ExitStack() as stack:

        def run(**settings: int) -> Running:
            chosen = Settings.load(None, data_dir=tmp_path, checkpoint=checkpoint, **settings)
            return stack.enter_context(serving(chosen, workers))

        yield run


@pytest.fixture
def server(start: Start) -> Running:
    return start()


@pytest.fixture
def people(server: Running) -> Running:
    """A user of each role, called like the role."""
    with server.state.database.writing() as session:
        for role in ("admin", "reviewer", "uploader"):
            users.create(session, role, PASSWORD, role, actor="system", now=NOW, hasher=CHEAP)
    return server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs the browser Chromium: install it with apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest) -> str:
    """Of a desktop and of a phone."""
    name: str = request.param
    return name


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens pages of a width; errors on the console, also for what the policy forbids, fail the test."""
    with ExitStack() as stack:

        def open_it(width: str = "desktop", *expected: int, dark: bool = False) -> Page:
            return stack.enter_context(watched(browser, width, expected, dark))

        yield open_it
