"""Whole runs on tiny images: what they write, what they refuse, and that a kill changes nothing."""

import csv
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from transxv2s.classifier import Classifier
from transxv2s.errors import ConfigError
from transxv2s.taxonomy import ISIC2019
from transxv2s.training import run
from transxv2s.training.recipe import Network, Optimizer, Recipe, Schedule

from .tiny import EPOCHS, STEPS_PER_EPOCH, TinyNetwork, recipe, write_data

TESTS = Path(__file__).resolve().parents[1]


class KilledError(Exception):
    """Stands for a kill: nothing of ours may catch it."""


def train(
    monkeypatch: pytest.MonkeyPatch,
    wanted: Recipe,
    run_dir: Path,
    resume: bool = False,
    stop: Callable[[str, int], None] | None = None,
) -> Path:
    log = run_dir.with_suffix(".log")
    monkeypatch.setattr(run, "create", lambda *_, **__: TinyNetwork(log, stop))
    return run.train(wanted, run_dir, resume)


def outcome(run_dir: Path) -> dict[str, Any]:
    """All that the end of a run knows, and the images of every step."""
    last = torch.load(run_dir / run.LAST, weights_only=True)
    return {
        "images": run_dir.with_suffix(".log").read_text().splitlines(),
        "steps": last["global_step"],
        "weights": {k: v.tolist() for k, v in last["state_dict"].items() if k.startswith("network")},
        "schedule": last["lr_schedulers"],
        "optimizer": [g["lr"] for g in last["optimizer_states"][0]["param_groups"]],
        "data": last["LesionData"],
    }


def stop_before(kind: str, count: int) -> Callable[[str, int], None]:
    def stop(current: str, number: int) -> None:
        if (current, number) == (kind, count):
            raise KilledError

    return stop


def test_every_epoch_sees_its_own_order_and_no_image_twice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(monkeypatch, recipe(data), tmp_path / "run")
    lines = (tmp_path / "run.log").read_text().splitlines()
    epochs = [" ".join(lines[i : i + STEPS_PER_EPOCH]).split() for i in range(0, len(lines), STEPS_PER_EPOCH)]
    assert len(epochs) == EPOCHS
    assert all(len(epoch) == len(set(epoch)) == 30 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == EPOCHS


PLACES = {
    "in the first epoch": ("train", 3),
    "in the second epoch": ("train", STEPS_PER_EPOCH + 2),
    "before the last batch of an epoch": ("train", STEPS_PER_EPOCH - 1),
    "in validation": ("evaluate", 1),
    "after an epoch": ("train", STEPS_PER_EPOCH),
    "in the final predictions": ("evaluate", EPOCHS),
}


@pytest.mark.parametrize("schedule", ["plateau", "one_cycle"])
@pytest.mark.parametrize("place", PLACES)
def test_a_killed_and_resumed_run_ends_as_if_nothing_had_happened(
    place: str, schedule: Any, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = recipe(data, schedule=Schedule(name=schedule, patience=0))
    train(monkeypatch, wanted, tmp_path / "whole")
    with pytest.raises(KilledError):
        train(monkeypatch, wanted, tmp_path / "killed", stop=stop_before(*PLACES[place]))
    forget_unsaved_steps(tmp_path / "killed")
    train(monkeypatch, wanted, tmp_path / "killed", resume=True)
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def forget_unsaved_steps(run_dir: Path) -> None:
    """Steps after the last save are done again, so their lines must go from the log."""
    saved: int = torch.load(run_dir / run.LAST, weights_only=True)["global_step"]
    log = run_dir.with_suffix(".log")
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:saved]))


def test_workers_go_on_in_the_order_of_the_resumed_epoch(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They fetch ahead, before Lightning tells the sampler the epoch."""
    wanted = recipe(data, workers=2)
    train(monkeypatch, wanted, tmp_path / "whole")
    with pytest.raises(KilledError):
        train(monkeypatch, wanted, tmp_path / "killed", stop=stop_before("train", STEPS_PER_EPOCH + 2))
    train(monkeypatch, wanted, tmp_path / "killed", resume=True)
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def test_sigkill_in_the_second_epoch_changes_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_data(tmp_path)
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    command = (sys.executable, "-m", "training.tiny", str(tmp_path), str(STEPS_PER_EPOCH + 3))
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    (tmp_path / "log.txt").rename(tmp_path / "run.log")
    train(monkeypatch, recipe(tmp_path), tmp_path / "run", resume=True)
    train(monkeypatch, recipe(data), tmp_path / "whole")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_a_run_killed_before_its_first_save_starts_anew(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KilledError):
        train(monkeypatch, recipe(data), tmp_path / "run", stop=stop_before("train", 0))
    train(monkeypatch, recipe(data), tmp_path / "run", resume=True)
    assert outcome(tmp_path / "run")["steps"] == EPOCHS * STEPS_PER_EPOCH


@pytest.mark.parametrize("changes", [{"early_stopping": 1, "epochs": 50}, {"minutes": 0.01}])
def test_a_stopped_run_trains_no_more_when_it_is_resumed(
    changes: dict[str, Any], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(monkeypatch, recipe(data, **changes), tmp_path / "run")
    before = outcome(tmp_path / "run")
    assert 0 < before["steps"] < 50 * STEPS_PER_EPOCH
    assert before["data"]["seen"] == 0
    train(monkeypatch, recipe(data, **changes), tmp_path / "run", resume=True)
    assert outcome(tmp_path / "run") == before


def test_the_metrics_of_a_killed_run_are_kept(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KilledError):
        train(monkeypatch, recipe(data), tmp_path / "run", stop=stop_before("evaluate", 2))
    train(monkeypatch, recipe(data), tmp_path / "run", resume=True)
    tables = sorted((tmp_path / "run" / "metrics").glob("version_*/metrics.csv"))
    rows = [row for table in tables for row in csv.DictReader(table.open())]
    assert sum(bool(row[run.SCORE]) for row in rows) == EPOCHS


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
    assert config.calibration is not None
    assert "8 images" in config.calibration.fitted_on
    assert "digest" in config.calibration.fitted_on
    assert set(config.metrics) == {"validation", "test"}
    assert config.training["images"] == {"train": 32, "validation": 8, "test": 8}
    assert config.training["epochs"] == 2
    finding = classifier.classify(data / "isic2019" / "ISIC_2019_Training_Input" / "ISIC_7.png")
    assert tuple(finding.probabilities) == ISIC2019.codes
    assert sum(finding.probabilities.values()) == pytest.approx(1)
