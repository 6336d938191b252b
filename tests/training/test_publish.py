"""The end of a run: calibration on validation only, scores by the outside judge, and the protocol."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn

from transxv2s.checkpoint import CheckpointConfig
from transxv2s.training import publish as publishing
from transxv2s.training.data import LesionData
from transxv2s.training.publish import Protocol, calibrate, publish
from transxv2s.trust import conformal_threshold, fit_temperature
from transxv2s.trust.calibration import softmax

from .tiny import recipe


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[CheckpointConfig]:
    """Configs that reach the checkpoint writer, which has tests of its own."""
    configs: list[CheckpointConfig] = []

    def write(directory: Path, model: nn.Module, config: CheckpointConfig, half: bool) -> None:
        assert half
        configs.append(config)

    monkeypatch.setattr(publishing, "write_checkpoint", write)
    return configs


def test_the_threshold_is_that_of_calibrated_probabilities() -> None:
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(0, 3, (200, 8)), generator.integers(0, 8, 200)
    found = calibrate(logits, labels, "some split")
    temperature = fit_temperature(logits, labels)
    assert found.temperature == temperature
    assert found.set_threshold == conformal_threshold(softmax(logits, temperature), labels, 0.9)
    assert (found.coverage, found.fitted_on) == (0.9, "some split")


def test_what_is_published(data: Path, tmp_path: Path, written: list[CheckpointConfig]) -> None:
    module = LesionData(recipe(data))
    generator = torch.Generator().manual_seed(0)
    logits = {subset: torch.randn(8, 8, generator=generator) * 4 for subset in ("validation", "test")}
    protocol = Protocol(
        recipe={}, split_digest="abc", images={"train": 32}, epochs=3, training_minutes=1.5, machine="x"
    )
    assert publish(nn.Linear(1, 1), module, logits, protocol, tmp_path / "c") == tmp_path / "c"
    (config,) = written
    assert config.calibration is not None
    expected = fit_temperature(logits["validation"].double().numpy(), module.labels("validation"))
    assert config.calibration.temperature == expected
    assert config.training == protocol.model_dump(mode="json")
    for subset in ("validation", "test"):
        scores: Any = config.metrics[subset]
        truth = balanced_accuracy_score(module.labels(subset), logits[subset].argmax(1))
        assert scores["balanced_accuracy"]["value"] == pytest.approx(truth)
        assert (scores["images"], scores["lesions"]) == (8, 8)
        assert scores["split"] == f"{subset} part of split (digest {module.split.digest})"
