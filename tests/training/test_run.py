"""Whole runs on tiny images: what they write, and what they refuse."""

import warnings
from itertools import count
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from transxv2s.classifier import Classifier
from transxv2s.errors import ConfigError
from transxv2s.taxonomy import ISIC2019
from transxv2s.training import run, validation
from transxv2s.training.recipe import Network, Optimizer

from .runs import train
from .tiny import EPOCHS, STEPS_PER_EPOCH, recipe


def test_every_epoch_sees_its_own_order_and_no_image_twice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(monkeypatch, recipe(data), tmp_path / "run")
    lines = (tmp_path / "run.log").read_text().splitlines()
    epochs = [" ".join(lines[i : i + STEPS_PER_EPOCH]).split() for i in range(0, len(lines), STEPS_PER_EPOCH)]
    assert len(epochs) == EPOCHS
    assert all(len(epoch) == len(set(epoch)) == 30 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == EPOCHS


def test_a_run_does_not_worry_its_user(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(monkeypatch, recipe(data), tmp_path / "run")


def test_a_run_folder_is_not_overwritten(data: Path, tmp_path: Path) -> None:
    (tmp_path / run.RECIPE_FILE).write_text("of another run")
    with pytest.raises(ConfigError, match="holds a run already: pass --resume"):
        run.train(recipe(data), tmp_path)
    assert (tmp_path / run.RECIPE_FILE).read_text() == "of another run"


def test_there_must_be_a_run_to_resume(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run to resume"):
        run.train(recipe(data), tmp_path / "run", resume=True)


def test_a_run_is_resumed_with_its_own_recipe(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(monkeypatch, recipe(data, epochs=1), tmp_path / "run")
    with pytest.raises(ConfigError, match="has another recipe"):
        run.train(recipe(data, epochs=2), tmp_path / "run", resume=True)


@pytest.mark.parametrize("choice", ["best", "last"])
def test_the_weights_asked_for_are_published(
    choice: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of three epochs is said to be the best."""
    whole, epochs = validation.scores, count(1)

    def falling(logits: Tensor, labels: Tensor) -> dict[str, float]:
        return whole(logits, labels) | {"balanced_accuracy": 1 / next(epochs)}

    monkeypatch.setattr(validation, "scores", falling)
    train(monkeypatch, recipe(data, publish=choice), tmp_path / "run")
    weights = {}
    for name in ("best", "last"):
        saved = torch.load(tmp_path / "run" / f"{name}.ckpt", weights_only=True)
        weights[name] = saved["state_dict"]["network.linear.weight"]
    assert not torch.equal(weights["best"], weights["last"])
    published = load_file(tmp_path / "run" / "checkpoint" / "model.safetensors")["linear.weight"]
    assert torch.equal(published, weights[choice].half())


def test_local_xception_weights_need_an_xception(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network(variant="transxv2s_net_efficientnetv2_s", xception_weights=tmp_path / "x.safetensors")
    with pytest.raises(ConfigError, match="has no Xception; remove the key"):
        train(monkeypatch, recipe(data, network=network), tmp_path / "run")


def test_a_real_network_becomes_a_checkpoint_that_classifies(data: Path, tmp_path: Path) -> None:
    wanted = recipe(data, epochs=2, batch_size=16, checkpoint_minutes=5, optimizer=Optimizer())
    directory = run.train(wanted, tmp_path / "run")
    classifier = Classifier.load(directory, device="cpu")
    config = classifier.config
    assert config.variant == wanted.network.variant
    assert config.preprocessing == wanted.preprocessing
    assert config.trust is not None
    assert "8 images" in config.trust.fitted_on
    assert "digest" in config.trust.fitted_on
    assert set(config.metrics) == {"validation", "test"}
    assert config.training["images"] == {"train": 32, "validation": 8, "test": 8}
    assert config.training["epochs"] == 2
    finding = classifier.classify(data / "isic2019" / "ISIC_2019_Training_Input" / "ISIC_7.png")
    assert tuple(finding.probabilities) == ISIC2019.codes
    assert sum(finding.probabilities.values()) == pytest.approx(1)
