"""`transxv2s ablate` on the tiny data set: what it writes equals what its runs say, and it goes on."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor, nn

from training.tiny import recipe, write_data
from transxv2s.ablation import runs
from transxv2s.ablation.result import settled
from transxv2s.scoring import lesion_bootstrap, paired_difference
from transxv2s.taxonomy import ISIC2019
from transxv2s.training import curves, start
from transxv2s.training.scored import ScoredImages

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


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(start, "create", lambda variant, *_, **__: Tiny(variant))
    monkeypatch.setattr(curves, "draw", lambda *_: None)
    write_data(tmp_path)
    base = tmp_path / "recipe.yaml"
    base.write_text(yaml.safe_dump(recipe(tmp_path, epochs=2).model_dump(mode="json")))
    rows: list[dict[str, Any]] = [
        {"name": "plain", "quoted": {"accuracy": 0.9}},
        {"name": "+ squares", "set": {"network.variant": VARIANTS[1]}},
    ]
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump({"recipe": str(base), "rows": rows, "seeds": [0, 1]}))
    return path


def predictions(out: Path, row: str) -> list[ScoredImages]:
    return [
        ScoredImages.read(out / f"{row}-seed{seed}" / "predictions-test.csv", ISIC2019.codes)
        for seed in (0, 1)
    ]


def test_the_table_is_what_the_runs_say(plan: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "runs"
    result = run("ablate", "--plan", str(plan), "--out", str(out), "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert found == json.loads((out / "results.json").read_text())
    first, second = found["rows"]
    assert [line["seeds"] for line in found["rows"]] == [[0, 1], [0, 1]]
    one, other = predictions(out, "plain"), predictions(out, "squares")
    stacked = [np.stack([p.probabilities for p in of]) for of in (one, other)]
    expected = lesion_bootstrap(stacked[0], one[0].labels, one[0].lesions)
    assert first["scores"]["balanced_accuracy"] == pytest.approx(expected["balanced_accuracy"])
    assert first["scores"]["nll"] == pytest.approx(expected["nll"])
    assert (first["versus"], first["difference"]) == (None, None)
    assert first["quoted"] == {"accuracy": 0.9}
    change = paired_difference(stacked[1], stacked[0], one[0].labels, one[0].lesions)
    assert second["versus"] == "plain"
    assert second["difference"]["macro_auc"] == pytest.approx(change["macro_auc"])
    assert second["parameters"] > first["parameters"] > 20e6
    with Image.open(out / "figure.png") as picture:
        assert picture.width > 600


def test_a_second_call_trains_nothing_and_only_table_shows_what_is_open(
    plan: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "runs"
    shown = run("ablate", "--plan", str(plan), "--out", str(out), "--only-table")
    assert shown.code == 0
    assert len(re.findall(r"\bopen\b", shown.out)) == 2
    assert run("ablate", "--plan", str(plan), "--out", str(out)).code == 0
    monkeypatch.setattr(runs, "train", lambda *_, **__: pytest.fail("trained again"))
    again = run("ablate", "--plan", str(plan), "--out", str(out))
    assert again.code == 0
    assert "0.900" in again.out, "the quoted figure"


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.1, 0.4, 0.5, 0.5, 0.51, 0.5, 0.51, 0.52], True),
        ([0.1, 0.4, 0.5, 0.5, 0.51, 0.5, 0.51, 0.53], False),
        ([0.5], False),
        ([], False),
    ],
)
def test_a_run_whose_score_still_rises_has_not_settled(scores: list[float], expected: bool) -> None:
    assert settled(scores) is expected
