"""`transxv2s ablate` on the tiny data set: what it writes equals what its runs say, and it goes on."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor, nn

from training.tiny import recipe, write_data
from transxv2s.ablation import result, runs, speed
from transxv2s.ablation.result import HOLDS, still_rising
from transxv2s.cli import main
from transxv2s.errors import TrainingStoppedError
from transxv2s.evaluation.scored import ScoredImages
from transxv2s.scoring import Scored, lesion_bootstrap, paired_difference, unpaired_difference
from transxv2s.taxonomy import ISIC2019
from transxv2s.training import curves, devices, start
from transxv2s.training.stopping import GO_ON
from transxv2s.trust.calibration import softmax
from transxv2s.trust.scaling import Vector

from .conftest import Run

VARIANTS = ("transxv2s_net_efficientnetv2_s", "transxv2s_net_effswin")


class Tiny(nn.Module):
    """A linear layer over mean colours; the second variant sees them squared as well."""

    xceptmod = None

    def __init__(self, variant: str) -> None:
        super().__init__()
        self.squared = variant == VARIANTS[1]
        self.linear = nn.Linear(3 * (1 + self.squared), len(ISIC2019))

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        means = x.mean((2, 3))
        return torch.cat([means, means**2], 1) if self.squared else means

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.linear(features)
        return logits


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan of two rows and two seeds, `plan.yaml`, and its finished runs in `runs`."""
    folder = tmp_path_factory.mktemp("ablation")
    write_data(folder)
    base = folder / "recipe.yaml"
    base.write_text(yaml.safe_dump(recipe(folder, epochs=2).model_dump(mode="json")))
    rows: list[dict[str, Any]] = [
        {"name": "plain", "quoted": {"accuracy": 0.9}},
        {"name": "+ squares", "set": {"network.variant": VARIANTS[1]}},
    ]
    plan = folder / "plan.yaml"
    plan.write_text(yaml.safe_dump({"recipe": str(base), "rows": rows, "seeds": [0, 1]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "create", lambda variant, *_, **__: Tiny(variant))
        patch.setattr(curves, "draw", lambda *_: None)
        with pytest.raises(SystemExit) as leaving:
            main(["ablate", "--plan", str(plan), "--out", str(folder / "runs")])
    assert leaving.value.code == 0
    return folder


@pytest.fixture
def plan(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(trained / "plan.yaml", tmp_path))


@pytest.fixture
def out(trained: Path, tmp_path: Path) -> Path:
    """The finished runs."""
    return shutil.copytree(trained / "runs", tmp_path / "runs")


def predictions(out: Path, row: str) -> list[ScoredImages]:
    return [
        ScoredImages.read(out / f"{row}-seed{seed}" / "predictions-test.csv", ISIC2019.codes)
        for seed in (0, 1)
    ]


def test_the_table_is_what_the_runs_say(plan: Path, out: Path, run: Run) -> None:
    said = run("ablate", "--plan", plan, "--out", out, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found == json.loads((out / "results.json").read_text())
    first, second = found["rows"]
    assert [line["seeds"] for line in found["rows"]] == [[0, 1], [0, 1]]
    one, other = predictions(out, "plain"), predictions(out, "squares")
    stacked = [softmax(np.stack([p.logits for p in of])) for of in (one, other)]
    expected = lesion_bootstrap(stacked[0], one[0].labels, one[0].lesions)
    assert first["scores"]["balanced_accuracy"] == pytest.approx(expected["balanced_accuracy"])
    assert first["scores"]["nll"] == pytest.approx(expected["nll"])
    assert (first["versus"], first["difference"], first["paired"]) == (None, None, False)
    assert first["quoted"] == {"accuracy": 0.9}
    change = paired_difference(stacked[1], stacked[0], one[0].labels, one[0].lesions)
    assert (second["versus"], second["paired"], second["leaky"]) == ("plain", True, False)
    assert second["images"] == {"train": 32, "validation": 8, "test": 8}
    assert second["difference"]["macro_auc"] == pytest.approx(change["macro_auc"])
    assert second["parameters"] > first["parameters"] > 20e6
    with Image.open(out / "figure.png") as picture:
        assert picture.width > 600


def test_a_second_call_trains_what_is_missing_and_nothing_else(
    plan: Path, out: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(out / "squares-seed1")
    begun: list[tuple[str, bool]] = []
    monkeypatch.setattr(runs, "train", lambda _, folder, resume: begun.append((folder.name, resume)))
    again = run("ablate", "--plan", plan, "--out", out)
    assert again.code == 0
    assert begun == [("squares-seed1", False)]
    assert "0.900" in again.out, "the quoted figure"


def test_rows_with_images_of_their_own_differ_unpaired(plan: Path, out: Path, run: Run) -> None:
    for place, whole in enumerate(predictions(out, "squares")):
        half = replace(
            whole,
            images=whole.images[:5],
            lesions=whole.lesions[:5],
            labels=whole.labels[:5],
            predicted=whole.predicted[:5],
            probabilities=whole.probabilities[:5],
            logits=whole.logits[:5],
        )
        half.write(out / f"squares-seed{place}" / "predictions-test.csv")
    shown = run("ablate", "--plan", plan, "--out", out, "--only-table")
    second = json.loads((out / "results.json").read_text())["rows"][1]
    one, other = predictions(out, "squares"), predictions(out, "plain")
    mine, theirs = (
        Scored(softmax(np.stack([p.logits for p in of])), of[0].labels, of[0].lesions) for of in (one, other)
    )
    assert (second["versus"], second["paired"]) == ("plain", False)
    assert second["difference"]["accuracy"] == pytest.approx(unpaired_difference(mine, theirs)["accuracy"])
    assert "(other images)" in shown.out


def test_a_declared_leak_stands_beside_the_name(plan: Path, out: Path, run: Run) -> None:
    for seed in (0, 1):
        config = out / f"squares-seed{seed}" / "checkpoint" / "config.json"
        content = json.loads(config.read_text())
        content["training"]["leaky"] = True
        config.write_text(json.dumps(content))
    shown = run("ablate", "--plan", plan, "--out", out, "--only-table")
    assert shown.out.count("(leaky)") == 1


def test_a_finished_run_of_another_recipe_does_not_count(plan: Path, out: Path, run: Run) -> None:
    plan.write_text(plan.read_text() + yaml.safe_dump({"set": {"epochs": 3}}))
    said = run("ablate", "--plan", plan, "--out", out)
    assert said.code == 2
    assert "plain-seed0 is of another recipe than the plan's: move it" in " ".join(said.err.split())


def test_only_table_trains_nothing_and_shows_what_is_open(
    plan: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "train", lambda *_, **__: pytest.fail("trained"))
    shown = run("ablate", "--plan", plan, "--out", tmp_path / "empty", "--only-table")
    assert shown.code == 0
    assert len(re.findall(r"\bopen\b", shown.out)) == 2


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.1, 0.4, 0.5, 0.5, 0.51, 0.5, 0.51, 0.52], False),
        ([0.1, 0.4, 0.5, 0.5, 0.51, 0.5, 0.51, 0.53], True),
        ([0.5], True),
        ([], True),
    ],
)
def test_a_score_still_rises_if_the_last_quarter_brought_more(scores: list[float], expected: bool) -> None:
    assert still_rising(scores) is expected


def test_calibration_does_not_take_back_what_rows_differ_in(plan: Path, out: Path, run: Run) -> None:
    """A scaling whose bias names the most frequent class for every image changes no score of the table."""
    before = json.loads((out / "results.json").read_text())
    scaling = Vector(weights=(1.0,) * 8, bias=(0.0, 99.0, *[0.0] * 6), intercept_penalty=0.0)
    for seed, one in enumerate(predictions(out, "squares")):
        flipped = scaling.probabilities(one.logits)
        assert set(flipped.argmax(1)) == {1} != set(one.logits.argmax(1))
        changed = replace(one, probabilities=flipped, predicted=flipped.argmax(1))
        changed.write(out / f"squares-seed{seed}" / "predictions-test.csv")
    after = run("ablate", "--plan", plan, "--out", out, "--json", "--only-table")
    assert json.loads(after.out)["rows"] == before["rows"]


def test_a_row_that_still_rises_concludes_nothing(
    plan: Path, out: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {"plain": [0.1, 0.5, 0.5, 0.5], "squares": [0.1, 0.2, 0.3, 0.4]}
    monkeypatch.setattr(result, "validation_scores", lambda folder: scores[folder.name.split("-")[0]])
    shown = run("ablate", "--plan", plan, "--out", out)
    found = json.loads((out / "results.json").read_text())
    assert [line["still_rising"] for line in found["rows"]] == [False, True]
    assert [line["conclusive"] for line in found["rows"]] == [False, False]
    assert (found["budget"], found["holds"]) == ("2 epochs, all images, 64 px", HOLDS)
    assert "2 epochs, all images, 64 px" in shown.out
    assert shown.out.count("(unconverged)") == shown.out.count("(inconclusive)") == 1
    scores["squares"] = scores["plain"]
    shown = run("ablate", "--plan", plan, "--out", out, "--only-table")
    found = json.loads((out / "results.json").read_text())
    assert [line["conclusive"] for line in found["rows"]] == [False, True]
    assert "inconclusive" not in shown.out


def test_a_stopped_command_says_how_it_goes_on(
    plan: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise TrainingStoppedError(f"stopped; {GO_ON}")

    monkeypatch.setattr(runs, "train", stopped)
    said = run("ablate", "--plan", plan, "--out", tmp_path / "runs")
    assert (said.code, said.out) == (75, "")
    assert said.err.strip().endswith("the same command (train: with --resume) goes on from what is saved.")


def test_of_several_processes_the_first_alone_writes(
    plan: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Path] = []
    monkeypatch.setattr(runs, "train", lambda _, folder, **__: trained.append(folder))
    monkeypatch.setattr(devices, "is_first", lambda: False)
    said = run("ablate", "--plan", plan, "--out", tmp_path / "runs")
    assert said == (0, "", "")
    assert len(trained) == 4
    assert not (tmp_path / "runs").exists()


def test_accuracy_is_drawn_against_cost_beside_networks_of_others(
    plan: Path, out: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each network is measured once; a second call does not measure again."""
    monkeypatch.setattr(speed, "network", lambda variant, _: Tiny(variant))
    monkeypatch.setattr(speed, "SECONDS", 0.0)
    published = [{"name": "Theirs", "accuracy": 0.93}, {"name": "Small", "accuracy": 0.7, "parameters": 1000}]
    plan.write_text(plan.read_text() + yaml.safe_dump({"published": published}))
    assert run("ablate", "--plan", plan, "--out", out).code == 0
    measured = json.loads((out / "results.json").read_text())["speed"]
    assert measured == json.loads((out / "speed.json").read_text())
    assert set(measured["images_per_second"]) == {"plain", "+ squares"}
    assert min(measured["images_per_second"].values()) > 0
    with Image.open(out / "cost.png") as picture:
        assert picture.width > 600
    monkeypatch.setattr(speed, "in_turns", lambda *_, **__: pytest.fail("measured again"))
    assert run("ablate", "--plan", plan, "--out", out).code == 0
