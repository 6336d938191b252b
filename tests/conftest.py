"""Fixtures shared by all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from transxv2s import hardware
from transxv2s.classifier import Classifier, default_checkpoint

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Derived files go where the user's are not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on hardware that computes in bfloat16; elsewhere small networks do, slowly."""
    monkeypatch.setattr(hardware, "computes_in_bfloat16", lambda _: True)


@pytest.fixture
def without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor that does not compute in bfloat16."""
    monkeypatch.setattr(hardware, "computes_in_bfloat16", lambda _: False)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder with real data and ImageNet weights, which a user of the repository does not have."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs the team's folder ../shared (real data and ImageNet weights), which is not here")
    return folder


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """The network that ships."""
    return Classifier.load(default_checkpoint(), "cpu")


@pytest.fixture(scope="session")
def pictures() -> list[Path]:
    """Some of the CC0 samples."""
    return sorted((REPOSITORY / "samples").glob("*.jpg"))[:5]
