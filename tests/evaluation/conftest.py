"""The network that ships, and the CC0 samples."""

from pathlib import Path

import pytest

from transxv2s.classifier import Classifier, default_checkpoint

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier.load(default_checkpoint(), "cpu")


@pytest.fixture(scope="session")
def pictures() -> list[Path]:
    return sorted(SAMPLES.glob("*.jpg"))[:5]
