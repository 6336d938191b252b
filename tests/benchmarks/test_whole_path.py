"""What is said of growth is what `predict --lines` does in a process of its own."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "whole_path.py"


def test_growth_has_time_memory_and_size_of_every_run(
    tmp_path: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("whole_path_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for n, picture in enumerate(pictures):
        (tmp_path / f"{n:05}.jpg").write_bytes(picture.read_bytes())
    monkeypatch.setattr(script, "GROWTH", (2,))

    (row,) = script.growth(tmp_path, "eager")
    lines = (tmp_path / "2.jsonl").read_bytes()
    assert row["images"] == 2
    assert row["bytes_a_line"] == len(lines) / 2
    assert row["seconds"] > 0
    assert row["peak_mib"] > 100  # the network alone takes more
