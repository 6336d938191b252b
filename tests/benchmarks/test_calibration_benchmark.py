"""The benchmark of calibration runs as documented on a run's own prediction files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from transxv2s.evaluation.scored import ScoredImages
from transxv2s.trust.calibration import softmax

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "calibration.py"
CODES = ("MEL", "NV", "WART")


def stored(path: Path, images: int, seed: int, temperature: float) -> str:
    """Predictions of a network that is too sure by `temperature`, as a run writes them."""
    random = np.random.default_rng(seed)
    honest = random.normal(0, 2, (images, 3))
    labels = (softmax(honest).cumsum(1) < random.random((images, 1))).sum(1).clip(max=2)
    names = tuple(f"{seed}-{n}" for n in range(images))
    logits, calibrated = honest * temperature, softmax(honest)
    ScoredImages(names, names, labels, calibrated.argmax(1), calibrated, logits, CODES).write(path)
    return str(path)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True)  # noqa: S603, PLW1510


def test_it_prints_and_writes(tmp_path: Path) -> None:
    validation = stored(tmp_path / "predictions-validation.csv", 150, 1, temperature=3)
    test = stored(tmp_path / "predictions-test.csv", 300, 2, temperature=3)
    out, figure = tmp_path / "calibration.json", tmp_path / "calibration.png"
    done = run(
        *("--validation", validation, "--test", test, "--draws", "20"),
        *("--out", str(out), "--figure", str(figure)),
    )
    assert done.returncode == 0, done.stderr
    assert "300 test images of 300 lesions" in done.stdout
    found = json.loads(out.read_text())
    assert found["choice"]["kind"] == "temperature"
    assert found["scalings"]["temperature"]["temperature"] == pytest.approx(3, rel=0.2)
    change = found["intervals"]["temperature"]["change"]["nll"]
    assert change["high"] < 0, "before is the network itself, not the calibrated probabilities of the file"
    assert change["value"] == pytest.approx(
        found["scores"]["temperature"]["nll"] - found["scores"]["before"]["nll"]
    )
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_what_is_fitted_on_is_not_judged_on(tmp_path: Path) -> None:
    same = stored(tmp_path / "predictions.csv", 20, 1, temperature=1)
    done = run("--validation", same, "--test", same)
    assert done.returncode == 2
    assert "share lesions" in done.stderr
