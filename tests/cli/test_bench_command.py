"""`transxv2s bench` as its user runs it: rows of every contender, measured for real on a small network."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cli.conftest import SIZE, Run
from transxv2s.bench import run as bench_run
from transxv2s.bench.accuracy import Labelled
from transxv2s.bench.rounds import in_turns
from transxv2s.bench.start import Start, start
from transxv2s.checkpoint import read_checkpoint
from transxv2s.cli import main
from transxv2s.cli.bench import _kept
from transxv2s.engines.choice import choose
from transxv2s.engines.engine import EngineError
from transxv2s.hardware import computes_in_bfloat16

QUICK = ("--seconds", "0", "--rounds", "1")


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_latency_measures_start_and_memory(run: Run, checkpoint: Path, study: Path, tmp_path: Path) -> None:
    rows_file = tmp_path / "rows" / "latency.json"
    result = run(
        *("bench", "latency", "--checkpoint", checkpoint, "--images", study / "a.png", *QUICK),
        *("--engines", "onnxruntime,openvino-int8", "--json", rows_file),
    )

    assert result.code == 0, result.err
    rows = json.loads(rows_file.read_text())
    able = computes_in_bfloat16(torch.device("cpu"))
    assert [(row["role"], row["engine"], row["precision"], row["batch"]) for row in rows] == [
        ("reference", "eager", "float32", 1),
        ("engine", "onnxruntime", "float32", 1),
        ("ceiling", "matrix product", "float32", None),
        *[("ceiling", "matrix product", "bfloat16", None)] * able,
    ]
    for row in rows:
        assert 0 < row["p50_ms"] <= row["p95_ms"]
        assert row["images_per_second"] > 0
    assert rows[0]["ratio_to_reference"] == 1
    assert all(row["start_up_seconds"] > 0 and row["peak_mib"] > 100 for row in rows[:2])
    assert "openvino-int8 was left out: openvino-int8 is not calibrated" in result.out


@pytest.mark.usefixtures("without_bfloat16")
def test_what_the_processor_does_not_compute_in_is_left_out(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emulated, a product of large matrices alone takes minutes."""
    monkeypatch.setattr(bench_run, "start", lambda *_: Start(3.0, 500.0))
    rows_file = tmp_path / "rows.json"
    result = run(
        *("bench", "latency", "--checkpoint", checkpoint, "--images", study / "a.png", *QUICK),
        *("--engines", "eager-bfloat16", "--json", rows_file),
    )

    assert result.code == 0, result.err
    rows = json.loads(rows_file.read_text())
    assert {row["precision"] for row in rows} == {"float32"}
    share = rows[0]["images_per_second"] / rows[-1]["images_per_second"]
    assert rows[0]["share_of_ceiling"] == pytest.approx(share)
    assert "eager-bfloat16 was left out: This processor does not compute in bfloat16" in result.out


def test_throughput_prices_engines_on_labelled_images(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.conftest import draw_lesion
    from transxv2s.classifier import Classifier

    def starts(_: Path, engine: str, *__: object) -> Start:
        if engine == "eager":
            return Start(3.0, 500.0)
        raise EngineError("there is no memory")

    monkeypatch.setattr(bench_run, "start", starts)
    drawn = {tmp_path / "labelled" / code / f"{n}.png": code for n, code in enumerate(("MEL", "MEL", "NV"))}
    for seed, path in enumerate(drawn):
        draw_lesion(path, seed)
    rows_file, figure = tmp_path / "new" / "rows.json", tmp_path / "other" / "figure.png"
    result = run(
        *("bench", "throughput", "--checkpoint", checkpoint, "--images", study / "a.png", *QUICK),
        *("--engines", "onnxruntime", "--no-baselines", "--json", rows_file, "--figure", figure),
        *("--dataset", "folder", "--root", tmp_path / "labelled"),
    )

    assert result.code == 0, result.err
    rows = [row for row in json.loads(rows_file.read_text()) if row["role"] != "ceiling"]
    assert [row["batch"] for row in rows] == [1, 16, 64] * 2
    right = [Classifier.load(checkpoint).classify(path).predicted == code for path, code in drawn.items()]
    for row in (row for row in rows if row["role"] == "reference"):
        assert row["balanced_accuracy_change"] == 0
        assert row["balanced_accuracy"] == (sum(right[:2]) / 2 + right[2]) / 2
    for row in rows:
        assert 0 <= row["agreement"] <= 1
        low, high = row["balanced_accuracy_change_low"], row["balanced_accuracy_change_high"]
        assert low <= row["balanced_accuracy_change"] <= high
        assert (row["labelled_images"], row["rarest_class_images"]) == (3, 0)
    assert "3 labelled images, 0 of the rarest class: too few to tell half a point" in result.out
    assert "the start of onnxruntime was left out: there is no memory" in result.out
    assert [row["start_up_seconds"] for row in rows] == [3.0] * 3 + [None] * 3
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
    # EfficientNetV2-S takes 5.35 GMAC at 300 px (timm's table of models), and SIZE px (SIZE / 300)² of that
    assert sum(s["gigaflops"] for s in stages) == pytest.approx(2 * 5.35 * (SIZE / 300) ** 2, rel=0.2)


@pytest.mark.usefixtures("without_bfloat16")
def test_nothing_is_profiled_in_what_the_processor_does_not_compute_in(
    run: Run, checkpoint: Path, study: Path
) -> None:
    result = run(
        *("bench", "profile", "--checkpoint", checkpoint, "--images", study / "a.png"),
        *("--precision", "bfloat16"),
    )

    assert result.code == 2
    assert "This processor does not compute in bfloat16: profile in float32." in result.err


def test_a_figure_needs_labels(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "throughput", "--checkpoint", str(checkpoint), "--figure", str(tmp_path / "f.png")])

    assert "needs labelled images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--engines", "eager,auto"), "auto is one of the engines that are measured here"),
        (("--engines", "warp"), "There is no engine 'warp'"),
        (("--figure", "figure.xyz", "--dataset", "folder"), "must end in one of .png, .svg, .pdf"),
        (("--json", "file/rows.json"), "file cannot be made"),
        (("--figure", "file/figure.png", "--dataset", "folder"), "file cannot be made"),
    ],
)
def test_what_cannot_be_answered_is_told_before_anything_is_measured(
    options: tuple[str, ...], complaint: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    monkeypatch.setattr("transxv2s.checkpoint.read_checkpoint", lambda _: pytest.fail("work has begun"))
    result = run("bench", "throughput", *options)

    assert result.code == 2
    assert complaint in result.err


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="nowhere"):
        start(tmp_path / "nowhere", "eager", "cpu", tmp_path / "a.png")


@pytest.mark.usefixtures("with_bfloat16")
def test_only_what_the_processor_did_on_enough_images_is_kept_for_auto(checkpoint: Path) -> None:
    read, cpu = read_checkpoint(checkpoint), torch.device("cpu")
    row: dict[str, Any] = {"role": "engine", "batch": 16, "balanced_accuracy_change": 0.0}
    slow = [row | {"engine": "eager-bfloat16", "ratio_to_reference": 1}]
    fast = [row | {"engine": "eager", "ratio_to_reference": 9}]

    assert "auto goes by this" in _kept(read, slow, cpu, labelled(25))
    assert choose(read, cpu) == "eager-bfloat16"
    assert "Not kept" in _kept(read, fast, torch.device("cuda"), labelled(25))
    assert "192 labelled images, 24 of the rarest class: too few" in _kept(read, fast, cpu, labelled(24))
    assert choose(read, cpu) == "eager-bfloat16"
    assert "200 labelled images, 25 of the rarest class" in _kept(read, fast, cpu, labelled(25))
    assert choose(read, cpu) == "eager"


def labelled(of_each: int) -> Labelled:
    labels = np.repeat(np.arange(8), of_each)
    return Labelled(np.zeros((len(labels), 8, 8, 3), np.uint8), labels, [str(i) for i in range(len(labels))])


def test_everything_takes_its_turn_in_every_round() -> None:
    calls: list[str] = []
    timings = in_turns({name: partial(calls.append, name) for name in "ab"}, rounds=2, seconds=0)

    assert "".join(calls) == "aabb" + "aabb" + "bbaa"  # warm-up; each round, the second the other way round
    assert {name: len(timing.seconds) for name, timing in timings.items()} == {"a": 2, "b": 2}
