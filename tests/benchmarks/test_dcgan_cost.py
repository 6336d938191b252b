"""The benchmark runs as documented and counts memory as it is."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "dcgan_cost.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dcgan_cost", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dcgan_cost"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_it_prints_and_writes(tmp_path: Path) -> None:
    out, figure = tmp_path / "cost.json", tmp_path / "cost.png"
    command = [sys.executable, str(SCRIPT), "--grids", "12", "6", "--channels", "8", "--device", "cpu"]
    done = subprocess.run(  # noqa: S603
        [*command, "--out", str(out), "--figure", str(figure)], capture_output=True, text=True, check=True
    )
    assert "12×12" in done.stdout
    assert "36 of 144" in done.stdout
    rows = json.loads(out.read_text())["rows"]
    assert [(r["side"], r["nodes"], r["kept"]) for r in rows[:2]] == [(6, "sampled", 9), (6, "all", 36)]
    assert len(rows) == 8
    assert all(r["milliseconds"] > 0 and r["mebibytes"] > 0 for r in rows)
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_peak_counts_what_is_alive_at_once(script: ModuleType) -> None:
    """A MiB that is freed before the next one is made counts once, two that live together count twice."""

    def one_after_the_other() -> None:
        for _ in range(3):
            torch.ones(script.MEBIBYTE // 4)

    def together() -> None:
        kept = [torch.ones(script.MEBIBYTE // 4) for _ in range(3)]
        kept.clear()

    cpu = torch.device("cpu")
    assert script.peak_bytes(one_after_the_other, cpu) == script.MEBIBYTE
    assert script.peak_bytes(together, cpu) == 3 * script.MEBIBYTE


def test_exponent_of_known_growth(script: ModuleType) -> None:
    rows = [script.Row(s, "forward", "all", s * s, 3.0 * (s * s) ** 2, float(s * s)) for s in (4, 8, 16, 32)]
    assert script.exponent(rows, "milliseconds") == pytest.approx(2)
    assert script.exponent(rows, "mebibytes") == pytest.approx(1)


def test_sampled_memory_grows_more_slowly_than_that_of_all_nodes(script: ModuleType) -> None:
    rows = [row for side in (16, 32) for row in script.measure(side, 8, 1, torch.device("cpu"))]
    growth = script.exponents(rows)["forward"]["mebibytes"]
    assert growth["sampled"] < 1.2
    assert growth["all"] > 1.8
