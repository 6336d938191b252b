"""`transxv2s train`: that recipe, folder and resumption reach the training, which has tests of its own.

Fine-tuning goes all the way, with the commands that then meet the new classes.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from datasets.layout import write_picture
from transxv2s.checkpoint import read_checkpoint
from transxv2s.training import run as training_run
from transxv2s.training.recipe import Recipe

from .conftest import SIZE, VARIANT, Run

RECIPE = "data:\n  dataset: isic2019\n  root: images\n  split: split.csv\n"


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


def test_a_checkpoint_to_start_from_takes_the_place_of_imagenet_weights(
    run: Run, config: Path, calls: list[tuple[Recipe, Path, bool]]
) -> None:
    overrides = ("--set", "network.pretrained=true")
    run("train", "--config", config, *overrides, "--from", 'runs/my: "first" one')
    network = calls[0][0].network
    assert network.checkpoint == Path('runs/my: "first" one')
    assert (network.pretrained, network.xception_weights) == (False, None)


LABELS = ("melanoma", "naevus", "wart")
SUBSETS = ("train",) * 6 + ("validation", "test")


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    """A recipe for a table with three classes, of which no taxonomy of ours knows two."""
    names = [(f"p{place}", label, SUBSETS[place // 3]) for place, label in enumerate(LABELS * 8)]
    generator = np.random.default_rng(0)
    for name, _, _ in names:  # of noise, no two alike
        noise = generator.integers(0, 256, (8, 8, 3), np.uint8)
        write_picture(tmp_path / "clinic" / f"{name}.png", noise.repeat(16, 0).repeat(16, 1))
    table = ["image,label,patient", *(f"{name},{label},{name}" for name, label, _ in names)]
    (tmp_path / "clinic" / "labels.csv").write_text("\n".join(table))
    split = ["image,lesion,fold,split", *(f"{name},{name},0,{subset}" for name, _, subset in names)]
    (tmp_path / "split.csv").write_text("\n".join(split))
    content = {
        "data": {
            "dataset": "table",
            "root": str(tmp_path / "clinic"),
            "table": {"taxonomy": "own", "behaviours": {"naevus": "benign"}},
            "split": str(tmp_path / "split.csv"),
            "store": str(tmp_path / "store"),
        },
        "preprocessing": {"size": SIZE},
        "network": {"variant": VARIANT},
        "optimizer": {"learning_rate": 1e-4},
        "epochs": 1,
        "batch_size": 6,
        "workers": 0,
        "precision": "32-true",
    }
    path = tmp_path / "clinic.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_checkpoint_is_fine_tuned_on_own_classes_and_knows_them(
    run: Run, clinic: Path, checkpoint: Path, tmp_path: Path
) -> None:
    trained = run("train", "--config", clinic, "--from", checkpoint, "--out", tmp_path / "run")
    assert trained.code == 0, trained.err
    tuned = Path(trained.out.strip())

    facts = json.loads(run("info", "--checkpoint", tuned, "--json").out)
    assert [(c["code"], c["behaviour"]) for c in facts["classes"]] == [
        ("MEL", "malignant"),
        ("NAEVUS", "benign"),
        ("WART", "unknown"),
    ]
    origin = facts["checkpoint"]["training"]["from"]
    assert origin["checkpoint"] == read_checkpoint(checkpoint).digest
    assert (origin["classes_kept"], origin["classes_new"]) == (["MEL"], ["NAEVUS", "WART"])
    assert origin["training"] == {"epochs": 3}
    assert facts["checkpoint"]["training"]["class_sizes"] == {"MEL": 6, "NAEVUS": 6, "WART": 6}
    assert "3 images" in facts["checkpoint"]["trust"]["fitted_on"]

    images = tmp_path / "clinic"
    predicted = run("predict", images / "p0.png", "--checkpoint", tuned, "--json", "--out", tmp_path / "told")
    (finding,) = json.loads(predicted.out)["findings"]
    assert list(finding["probabilities"]) == ["MEL", "NAEVUS", "WART"]
    assert "wart" in (tmp_path / "told" / "report.html").read_text()

    where = ("--dataset", "table", "--root", images, "--split", tmp_path / "split.csv")
    evaluated = run("evaluate", *where, "--checkpoint", tuned, "--out", tmp_path / "scores", "--json")
    results = json.loads(evaluated.out)
    assert evaluated.code == 0
    assert results["classes"] == ["MEL", "NAEVUS", "WART"]
    assert results["scores"]["images"] == 3
    assert results["overlap"]["any"] is None  # the first network does not tell what it has seen
    assert "wart" in (tmp_path / "scores" / "report.html").read_text()


def test_a_checkpoint_for_another_network_is_refused(
    run: Run, clinic: Path, checkpoint: Path, tmp_path: Path
) -> None:
    other = ("--set", "network.variant=transxv2s_net")
    result = run("train", "--config", clinic, "--from", checkpoint, "--out", tmp_path / "run", *other)
    assert (result.code, result.out) == (2, "")
    assert f"set it to {VARIANT}" in result.err
