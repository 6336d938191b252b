"""`transxv2s train`: that recipe, folder and resumption reach the training, which has tests of its own."""

from pathlib import Path

import pytest

from transxv2s.training import run as training_run
from transxv2s.training.recipe import Recipe

from .conftest import Run

RECIPE = "data:\n  isic2019: images\n  split: split.csv\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Recipe, Path, bool]]:
    seen: list[tuple[Recipe, Path, bool]] = []

    def train(recipe: Recipe, run_dir: Path, resume: bool = False) -> Path:
        seen.append((recipe, run_dir, resume))
        return run_dir / "checkpoint"

    monkeypatch.setattr(training_run, "train", train)
    return seen


def test_overrides_and_folder_reach_the_training(
    run: Run, config: Path, calls: list[tuple[Recipe, Path, bool]], tmp_path: Path
) -> None:
    overrides = ("--set", "optimizer.learning_rate=1e-4", "--set", "epochs=2")
    result = run("train", "--config", config, *overrides, "--out", tmp_path / "here", "--resume")
    (recipe, run_dir, resume) = calls[0]
    assert (recipe.optimizer.learning_rate, recipe.epochs) == (1e-4, 2)
    assert (run_dir, resume) == (tmp_path / "here", True)
    assert (result.code, result.out.strip()) == (0, str(tmp_path / "here" / "checkpoint"))


def test_without_a_folder_the_run_is_named_after_the_recipe(
    run: Run, config: Path, calls: list[tuple[Recipe, Path, bool]]
) -> None:
    run("train", "--config", config)
    assert calls[0][1:] == (Path("runs/small"), False)


@pytest.mark.parametrize("override", ["epochs=many", "epoch=1", "epochs"])
def test_a_wrong_value_is_bad_usage(run: Run, config: Path, override: str) -> None:
    result = run("train", "--config", config, "--set", override)
    assert (result.code, result.out) == (2, "")
    assert override.split("=", maxsplit=1)[0] in result.err


def test_a_missing_recipe_is_bad_usage(run: Run, tmp_path: Path) -> None:
    result = run("train", "--config", tmp_path / "none.yaml")
    assert result.code == 2
    assert "none.yaml" in result.err
