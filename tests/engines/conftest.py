"""Checkpoint directories whose engines' files are made once for all tests."""

from pathlib import Path

import pytest

from engines.networks import FULL, checkpoint
from transxv2s.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

SMALL = "timm/resnet18"


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A network that is quickly exported."""
    return _written(SMALL, tmp_path_factory.mktemp("engines") / "small")


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """TransXV2S-Net itself."""
    return _written(FULL, tmp_path_factory.mktemp("engines") / "full")


def _written(variant: str, folder: Path) -> Checkpoint:
    made = checkpoint(variant)
    write_checkpoint(folder, made.model, made.config)
    return read_checkpoint(folder)
