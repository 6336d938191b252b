"""A run that was struck down and resumed ends, bit for bit, as one that was not."""

import csv
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from transxv2s.training import run, start, validation
from transxv2s.training.curves import SCORE
from transxv2s.training.recipe import Recipe, Schedule, load_recipe
from transxv2s.training.trainer import BEST, LAST

from .program import launch, small, write_recipe, write_tiles
from .runs import KilledError, outcome, stop_before, train
from .tiny import EPOCHS, STEPS_PER_EPOCH, recipe

PLACES = {
    "in the first epoch": ("train", 3),
    "in the second epoch": ("train", STEPS_PER_EPOCH + 2),
    "before the last batch of an epoch": ("train", STEPS_PER_EPOCH - 1),
    "in validation": ("evaluate", 1),
    "after an epoch": ("train", STEPS_PER_EPOCH),
    "in the final predictions": ("evaluate", EPOCHS),
}
SCHEDULES = {"plateau": tuple(PLACES), "one_cycle": ("in the second epoch", "in validation")}
EVERYTHING_RANDOM: dict[str, Any] = {
    "network": {"variant": "transxv2s_net_efficientnetv2_s", "dropout": 0.5},
    "augmentation": {
        "dihedral": True,
        "rotation": 45,
        "min_area": 0.5,
        "colour_jitter": 0.5,
        "rand_augment": 5,
        "resolution_jitter": 0.5,
        "jpeg_quality": 50,
        "mixup": 0.4,
        "cutmix": 1.0,
        "mix_probability": 0.7,
    },
    "averaging": {"decay": 0.9},
    "sampling": "square_root",
    "workers": 2,
}


def with_schedule(data: Path, schedule: Any) -> Recipe:
    return recipe(data, schedule=Schedule(name=schedule, patience=0))


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """How uninterrupted runs end, by schedule."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        for schedule in SCHEDULES:
            train(patch, with_schedule(data, schedule), folder / schedule)
    return {schedule: outcome(folder / schedule) for schedule in SCHEDULES}


@pytest.mark.parametrize(
    "case", [(s, place) for s, some in SCHEDULES.items() for place in some], ids=" ".join
)
def test_a_killed_and_resumed_run_ends_as_if_nothing_had_happened(
    case: tuple[str, str],
    data: Path,
    whole: dict[str, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedule, place = case
    wanted = with_schedule(data, schedule)
    with pytest.raises(KilledError):
        train(monkeypatch, wanted, tmp_path / "killed", stop=stop_before(*PLACES[place]))
    forget_unsaved_steps(tmp_path / "killed")
    train(monkeypatch, wanted, tmp_path / "killed", resume=True)
    assert outcome(tmp_path / "killed") == whole[schedule]


def forget_unsaved_steps(run_dir: Path) -> None:
    """Steps after the last save are done again, so their lines must go from the log."""
    saved: int = torch.load(run_dir / LAST, weights_only=True)["global_step"]
    log = run_dir.with_suffix(".log")
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:saved]))


def test_the_best_epoch_stays_in_a_run_whose_folder_has_moved(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Balanced accuracy falls from the first epoch on; the last is done elsewhere."""
    falling, scores = iter((0.9, 0.8, 0.7)), validation.scores
    monkeypatch.setattr(validation, "scores", lambda *a: scores(*a) | {"balanced_accuracy": next(falling)})
    stop = stop_before("train", 2 * STEPS_PER_EPOCH + 1)
    with pytest.raises(KilledError):
        train(monkeypatch, recipe(data), tmp_path / "here", stop=stop)
    (tmp_path / "here").rename(tmp_path / "there")
    train(monkeypatch, recipe(data), tmp_path / "there", resume=True)
    assert next(falling, None) is None
    best = torch.load(tmp_path / "there" / BEST, weights_only=True)
    assert best["global_step"] == STEPS_PER_EPOCH
    assert not (tmp_path / "here").exists()


def test_workers_go_on_in_the_order_of_the_resumed_epoch(
    data: Path, whole: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They fetch ahead, before Lightning tells the sampler the epoch."""
    wanted = recipe(data, workers=2)
    with pytest.raises(KilledError):
        train(monkeypatch, wanted, tmp_path / "killed", stop=stop_before("train", STEPS_PER_EPOCH + 2))
    train(monkeypatch, wanted, tmp_path / "killed", resume=True)
    assert outcome(tmp_path / "killed") == whole["plateau"]


def test_kill_9_amid_photographs_and_chance_changes_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of its own, killed in its second epoch, with everything random that a recipe can ask for."""
    write_tiles(tmp_path)
    path = write_recipe(tmp_path, **EVERYTHING_RANDOM)
    killed = launch(path, tmp_path / "killed", BLOW="SIGKILL:11")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    monkeypatch.setattr(start, "create", small)
    run.train(load_recipe(path), tmp_path / "killed", resume=True)
    run.train(load_recipe(path), tmp_path / "whole")
    for file in (LAST, BEST):
        resumed, uninterrupted = (weights(tmp_path / folder / file) for folder in ("killed", "whole"))
        assert resumed.keys() == uninterrupted.keys()
        assert [k for k, v in resumed.items() if not torch.equal(v, uninterrupted[k])] == []
    published = [
        (tmp_path / f / "checkpoint" / "model.safetensors").read_bytes() for f in ("killed", "whole")
    ]
    assert published[0] == published[1]


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Of the network and its running average, with the optimiser's averages."""
    content = torch.load(checkpoint, weights_only=True)
    moments = content["optimizer_states"][0]["state"]
    named = {f"{number}.{name}": value for number, of in moments.items() for name, value in of.items()}
    return {**content["state_dict"], **named}


def test_gradients_that_are_summed_up_are_not_lost(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = recipe(data, batch_size=4, hardware={"accumulate": 2})
    train(monkeypatch, wanted, tmp_path / "whole")
    with pytest.raises(KilledError):
        train(monkeypatch, wanted, tmp_path / "killed", stop=stop_before("train", 3))
    (tmp_path / "killed.log").write_text("".join((tmp_path / "whole.log").open().readlines()[:2]))
    train(monkeypatch, wanted, tmp_path / "killed", resume=True)
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


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
    assert sum(bool(row[SCORE]) for row in rows) == EPOCHS
