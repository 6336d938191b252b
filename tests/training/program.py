"""The command `train` with a network that takes milliseconds, and with a blow if one is wanted.

As a program: `BLOW=SIGKILL:7 python -m training.program --config … --out …` strikes itself with that signal
before the training batch of that number, counted from 0 in each process; `BLOW_RANK` tells which process of
several is struck. The data are 48 tiles of real photographs, of which 33 are for training, 7 for validation.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import torch
import yaml
from torch import Tensor, nn

from datasets.layout import IMAGES, Lesion, write_picture, write_tables
from transxv2s.cli.app import main
from transxv2s.taxonomy import ISIC2019
from transxv2s.training import start

TESTS = Path(__file__).resolve().parents[1]
SAMPLES = TESTS.parent / "samples"
SIDE, TILES = 64, 6
SUBSETS = ("train", "train", "train", "train", "validation", "test")  # of the tiles of a photograph
IN_TRAINING = ("ISIC_4",)  # though its place is in validation, for a number that two does not divide


def write_tiles(folder: Path) -> None:
    """Tiles of one photograph are one class; the split is declared leaky, since they are of one lesion."""
    places = [(code, subset) for code in ISIC2019.codes for subset in SUBSETS]
    lesions = [Lesion(f"ISIC_{i}", code, f"BCN_{i}") for i, (code, _) in enumerate(places)]
    write_tables(folder / "isic2019", lesions)
    photographs = sorted(SAMPLES.glob("*.jpg"))
    for i, lesion in enumerate(lesions):
        picture = cv2.imread(str(photographs[i // TILES]))
        assert picture is not None
        top, left = SIDE * (i % TILES // 3 + 1), SIDE * (i % 3 + 1)
        tile = picture[top : top + SIDE, left : left + SIDE]
        write_picture(folder / "isic2019" / IMAGES / f"{lesion.image}.png", tile.astype("uint8"))
    subsets = ["train" if f"ISIC_{i}" in IN_TRAINING else s for i, (_, s) in enumerate(places)]
    lines = [f"ISIC_{i},BCN_{i},0,{subset}" for i, subset in enumerate(subsets)]
    (folder / "split.csv").write_text("\n".join(("image,lesion,fold,split", *lines)))


def write_recipe(folder: Path, **changes: Any) -> Path:
    """A recipe that saves after every step; without changes nothing in it is random but the order."""
    content: dict[str, Any] = {
        "data": {
            "dataset": "isic2019",
            "root": str(folder / "isic2019"),
            "split": str(folder / "split.csv"),
            "store": str(folder / "store"),
            "leaky": True,
        },
        "preprocessing": {"hair_removal": None, "field_of_view": False, "colour": None, "size": SIDE},
        "network": {"variant": "transxv2s_net_efficientnetv2_s", "dropout": 0},
        "optimizer": {"learning_rate": 0.01},
        "epochs": 3,
        "batch_size": 4,
        "early_stopping": None,
        "precision": "32-true",
        "workers": 0,
        "checkpoint_minutes": 1e-9,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content | changes))
    return path


class SmallNetwork(nn.Module):
    """A convolution, batch normalisation, dropout and a linear layer."""

    xceptmod = None

    def __init__(self, classes: int, dropout: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(3, 8, 5, stride=4, bias=False)  # Adam would train it on rounding errors
        self.norm = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(8, classes)
        self._batches = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        if self.training:
            _strike(self._batches)
            self._batches += 1
        features: Tensor = self.norm(self.convolution(x)).relu().mean((2, 3))
        return features

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.dropout(features))
        return logits


def _strike(batch: int) -> None:
    """Sends this process the signal that the environment asks for, if it is time."""
    name, _, when = os.environ.get("BLOW", "").partition(":")
    rank = os.environ.get("LOCAL_RANK", "0")
    if name and int(when) == batch and rank == os.environ.get("BLOW_RANK", "0"):
        os.kill(os.getpid(), signal.Signals[name])


def small(_: str, classes: int, drop_rate: float, **__: Any) -> SmallNetwork:
    """Takes the place of `transxv2s.nets.create`."""
    return SmallNetwork(classes, drop_rate)


def launch(recipe: Path, out: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the program in a process of its own."""
    command = (sys.executable, "-m", "training.program", "--config", str(recipe), "--out", str(out), *options)
    threads = str(torch.get_num_threads())  # sums come out otherwise with another number
    surroundings = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": threads} | environment
    return subprocess.run(  # noqa: S603
        command, env=surroundings, capture_output=True, text=True, check=False, timeout=170
    )


if __name__ == "__main__":
    start.__dict__["create"] = small
    main(["train", *sys.argv[1:]])
