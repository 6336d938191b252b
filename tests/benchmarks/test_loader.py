"""The benchmark runs as documented, on a tiny set and the smallest network."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from datasets.layout import Lesion, write_isic2019

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "loader.py"
RECIPE = """
data: {{dataset: isic2019, root: {0}/isic2019, split: {0}/split.csv, store: {0}/store}}
network: {{variant: transxv2s_net_efficientnetv2_s}}
preprocessing: {{size: 64, hair_removal: null, field_of_view: false, colour: null}}
augmentation: {{dihedral: true, colour_jitter: 0.2}}
batch_size: 2
"""


def test_it_prints_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("loader_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)  # dataclasses look their module up
    spec.loader.exec_module(script)
    write_isic2019(tmp_path / "isic2019", [Lesion(f"ISIC_{i}", "NV", tone=100 + i) for i in range(8)])
    config, out = tmp_path / "recipe.yaml", tmp_path / "loader.json"
    config.write_text(RECIPE.format(tmp_path))
    options = ("--images", "8", "--steps", "1", "--workers", "0", "1", "--out", str(out))
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--config", str(config), *options])
    monkeypatch.setattr(script, "SECONDS", 0.01)
    monkeypatch.setattr(script, "REPEATS", 1)
    script.main()
    assert "training step" in capsys.readouterr().out
    found = json.loads(out.read_text())
    loaders = [(row["augmented"], row["workers"]) for row in found["loaders"]]
    assert loaders == [(False, 0), (True, 0), (True, 1)]
    step = found["step_images_per_second"]
    assert all(row["times_step"] == row["images_per_second"] / step > 0 for row in found["loaders"])
    assert found["slowest_times_step"] == min(row["times_step"] for row in found["loaders"][1:])
    assert set(found["milliseconds_an_image"]) == {
        "reading",
        "RandomHorizontalFlip",
        "QuarterTurn",
        "ColourJitter",
    }
