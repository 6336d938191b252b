"""`transxv2s export` as its user runs it."""

import json
import sys
from pathlib import Path

import pytest

from cli.conftest import Run, draw_lesion
from transxv2s.engines.portable import OPSET


def test_an_int8_file_is_verified_and_serves_the_engine(
    run: Run, checkpoint: Path, study: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    folder = tmp_path / "training"
    for seed in range(8):
        draw_lesion(folder / f"{seed}.png", seed)
    out = tmp_path / "out" / "model.onnx"
    result = run(
        *("export", "onnx", out, "--precision", "int8", "--images", folder),
        *("--checkpoint", checkpoint, "--json"),
    )

    assert result.code == 0, result.err
    facts = json.loads(result.out)
    assert facts["files"] == {str(out): out.stat().st_size}
    assert facts["opset"] == OPSET
    assert facts["calibrated_on"] + facts["agreement"]["images"] == 8
    assert 0 <= facts["agreement"]["largest_difference"] <= 1
    assert facts["steps_before"] == ["cutting off a dark surround"]

    predicted = run(
        *("predict", study / "a.png", "--checkpoint", checkpoint, "--engine", "onnxruntime-int8", "--json")
    )
    assert predicted.code == 0, predicted.err
    assert json.loads(predicted.out)["findings"][0]["id"] == "a"


def test_int8_without_images_says_so(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    result = run("export", "onnx", tmp_path / "m.onnx", "--precision", "int8", "--checkpoint", checkpoint)

    assert result.code == 2
    assert "name some of them with --images" in result.err


@pytest.mark.parametrize("command", ["predict", "export"])
def test_a_plain_installation_says_what_to_install(
    command: str, run: Run, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    for package in ("onnx", "onnxscript", "onnxruntime", "openvino", "nncf"):
        monkeypatch.setitem(sys.modules, package, None)
    image = draw_lesion(tmp_path / "a.png")
    arguments = {
        "predict": ("predict", image, "--engine", "openvino"),
        "export": ("export", "onnx", tmp_path / "m.onnx", "--images", image),
    }
    result = run(*arguments[command], "--checkpoint", checkpoint)

    assert result.code == 2
    assert "is not installed: pip install 'transxv2s[engines]'" in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_an_unknown_engine_is_bad_usage(run: Run, checkpoint: Path, study: Path) -> None:
    result = run("predict", study / "a.png", "--checkpoint", checkpoint, "--engine", "warp")

    assert result.code == 2
    assert "There is no engine 'warp'; choose auto or one of eager" in result.err
