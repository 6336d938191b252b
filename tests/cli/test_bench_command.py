"""`transxv2s bench` as its user runs it: rows of every contender, measured for real on a small network."""

import json
from functools import partial
from pathlib import Path

import pytest

from cli.conftest import Run
from transxv2s.bench.rounds import in_turns
from transxv2s.cli import main

QUICK = ("--seconds", "0", "--rounds", "1")


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_latency_measures_start_and_memory(run: Run, checkpoint: Path, study: Path, tmp_path: Path) -> None:
    rows_file = tmp_path / "rows" / "latency.json"
    result = run(
        *("bench", "latency", "--checkpoint", checkpoint, "--images", study / "a.png", *QUICK),
        *("--engines", "eager-bfloat16,openvino-int8", "--json", rows_file),
    )

    assert result.code == 0, result.err
    rows = json.loads(rows_file.read_text())
    assert [(row["role"], row["engine"], row["precision"], row["batch"]) for row in rows] == [
        ("reference", "eager", "float32", 1),
        ("engine", "eager-bfloat16", "bfloat16", 1),
        ("ceiling", "matrix product", "float32", None),
        ("ceiling", "matrix product", "bfloat16", None),
    ]
    for row in rows:
        assert 0 < row["p50_ms"] <= row["p95_ms"]
        assert row["images_per_second"] > 0
    assert rows[0]["ratio_to_reference"] == 1
    assert all(row["start_up_seconds"] > 0 and row["peak_mib"] > 100 for row in rows[:2])
    assert "openvino-int8 was left out: openvino-int8 is not calibrated" in result.out


def test_throughput_prices_engines_on_labelled_images(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path
) -> None:
    from cli.conftest import draw_lesion
    from transxv2s.classifier import Classifier

    drawn = {tmp_path / "labelled" / code / f"{n}.png": code for n, code in enumerate(("MEL", "MEL", "NV"))}
    for seed, path in enumerate(drawn):
        draw_lesion(path, seed)
    rows_file, figure = tmp_path / "rows.json", tmp_path / "figure.png"
    result = run(
        *("bench", "throughput", "--checkpoint", checkpoint, "--images", study / "a.png", *QUICK),
        *("--engines", "eager-bfloat16", "--no-baselines", "--json", rows_file, "--figure", figure),
        *("--dataset", "folder", "--root", tmp_path / "labelled"),
    )

    assert result.code == 0, result.err
    rows = [row for row in json.loads(rows_file.read_text()) if row["role"] != "ceiling"]
    assert [row["batch"] for row in rows] == [1, 16, 64] * 2
    right = [Classifier.load(checkpoint).classify(path).predicted == code for path, code in drawn.items()]
    for row in (row for row in rows if row["role"] == "reference"):
        assert row["balanced_accuracy_change"] == 0
        assert row["balanced_accuracy"] == (sum(right[:2]) / 2 + right[2]) / 2
    assert all(0 <= row["agreement"] <= 1 for row in rows)
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_profile_takes_the_network_apart(run: Run, checkpoint: Path, study: Path, tmp_path: Path) -> None:
    rows_file = tmp_path / "profile.json"
    result = run(
        *("bench", "profile", "--checkpoint", checkpoint, "--images", study / "a.png", "--rounds", "1"),
        *("--batch-size", "1", "--json", rows_file),
    )

    assert result.code == 0, result.err
    stages = json.loads(rows_file.read_text())
    assert [stage["name"] for stage in stages][-2:] == ["effnet", "pooling, projections, classifier"]
    assert {stage["part"] for stage in stages} == {"branch 1", "fusion"}
    # EfficientNetV2-S takes 5.35 GMAC at 300 px (timm's table of models), and 128 px (128/300)² of that
    assert sum(s["gigaflops"] for s in stages) == pytest.approx(2 * 5.35 * (128 / 300) ** 2, rel=0.2)


def test_a_figure_needs_labels(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "throughput", "--checkpoint", str(checkpoint), "--figure", str(tmp_path / "f.png")])

    assert "needs labelled images" in capsys.readouterr().err


def test_everything_takes_its_turn_in_every_round() -> None:
    calls: list[str] = []
    timings = in_turns({name: partial(calls.append, name) for name in "ab"}, rounds=2, seconds=0)

    assert "".join(calls) == "aabb" + "aabb" + "bbaa"  # warm-up; each round, the second the other way round
    assert {name: len(timing.seconds) for name, timing in timings.items()} == {"a": 2, "b": 2}
