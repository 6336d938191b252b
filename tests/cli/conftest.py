"""A real checkpoint with random weights, images like lesions, and the command line as a function."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from pydantic import JsonValue

from transxv2s.checkpoint import CheckpointConfig, write_checkpoint
from transxv2s.cli import main
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.nets import create
from trusting import plain_trust

VARIANT = "transxv2s_net_efficientnetv2_s"  # the smallest
SIZE = 64  # pixels; the smallest, too


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line as its script does and gives its exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "250")

    def run_main(*arguments: str | Path) -> Result:
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        code = leaving.value.code
        assert isinstance(code, int)
        return Result(code, *capsys.readouterr())

    return run_main


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights, calibrated by decree, with metrics as training writes them."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoint")
    score: JsonValue = {"value": 0.61234, "low": 0.58, "high": 0.64}
    config = CheckpointConfig(
        variant=VARIANT,
        preprocessing=Preprocessing(size=SIZE),
        trust=plain_trust(min_confidence=0.5),
        training={"epochs": 3},
        metrics={"test": {"balanced_accuracy": score, "images": 4012, "split": "test part of lesions"}},
    )
    write_checkpoint(folder, create(VARIANT), config, half=True)
    return folder


def draw_lesion(path: Path, seed: int = 0) -> Path:
    """Writes a brown spot on noisy skin, 160×120."""
    generator = np.random.default_rng(seed)
    picture = generator.normal((140, 165, 215), 8, (120, 160, 3)).clip(0, 255).astype(np.uint8)
    centre = (int(generator.integers(60, 100)), int(generator.integers(45, 75)))
    cv2.ellipse(picture, centre, (34, 24), float(generator.integers(180)), 0, 360, (45, 70, 110), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.GaussianBlur(picture, (0, 0), 1.2))
    return path


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with three readable images, two of one name, a damaged one and a text file."""
    folder = tmp_path / "study"
    for seed, name in enumerate(("a.png", "ann/lesion.png", "bob/lesion.PNG")):
        draw_lesion(folder / name, seed)
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0 not the rest of a JPEG")
    (folder / "notes.txt").write_text("no image")
    return folder
