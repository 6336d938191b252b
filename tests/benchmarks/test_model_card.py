"""Model card and README show the figures of the evaluation that is kept, of the network that ships."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from transxv2s.checkpoint import read_config
from transxv2s.classifier import SHIPPED_CHECKPOINT

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("model_card", ROOT / "benchmarks" / "model_card.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "experiments" / "shipped_test.json").read_text())
    return found


@pytest.mark.parametrize(
    ("file", "table"),
    [
        ("README.md", "headline"),
        ("MODEL_CARD.md", "headline"),
        ("MODEL_CARD.md", "by_class"),
        ("MODEL_CARD.md", "by_group"),
    ],
)
def test_tables_are_those_of_the_evaluation(
    file: str, table: str, script: ModuleType, result: dict[str, Any]
) -> None:
    assert getattr(script, table)(result) in (ROOT / file).read_text()


@pytest.mark.parametrize("name", ["shipped_test", "shipped_ham10000", "shipped_uda1", "shipped_calibration"])
def test_what_is_kept_is_of_the_network_that_ships(name: str) -> None:
    told = json.loads((ROOT / "experiments" / f"{name}.json").read_text())["checkpoint"]
    assert (told["digest"] if isinstance(told, dict) else told) == read_config(SHIPPED_CHECKPOINT)[1]
