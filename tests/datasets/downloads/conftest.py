"""A server with the toy, and nobody waits."""

from collections.abc import Iterator

import pytest

from transxv2s.datasets import transfer

from .server import Site, serving
from .toy import FILES, Listener


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "BACKOFF", 0.0)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(dict(FILES)) as site:
        yield site


@pytest.fixture
def listener() -> Listener:
    return Listener()
