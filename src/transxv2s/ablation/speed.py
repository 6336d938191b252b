"""How fast the networks of a plan predict: measured once, all in turns, and kept beside their runs."""

import json
import platform
from functools import partial
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch

from transxv2s.ablation.plan import Plan, Row
from transxv2s.bench.rounds import in_turns
from transxv2s.classifier import usable_device
from transxv2s.engines.eager import Eager
from transxv2s.files import write_whole
from transxv2s.nets import network
from transxv2s.taxonomy import ISIC2019

SPEED = "speed.json"
BATCH = 32
ROUNDS, SECONDS = 5, 1.0  # of one turn


class Speed(TypedDict):
    """What was measured.

    Attributes:
        how: On what, in which precision, batch and size of images.
        images_per_second: By row.
    """

    how: str
    images_per_second: dict[str, float]


def read_speed(out: Path) -> Speed | None:
    """What was measured for the runs in a folder; None where nothing was yet."""
    path = out / SPEED
    if not path.exists():
        return None
    speed: Speed = json.loads(path.read_text(encoding="utf-8"))
    return speed


def measure_speed(plan: Plan, out: Path) -> None:
    """Measures the network of each row, with random weights, as PyTorch runs it in float32; writes it down.

    Raises:
        DataError: The file cannot be written.
    """
    device = usable_device("auto")
    runs = {row.name: partial(_engine(plan, row, device).run, _squares(plan, row)) for row in plan.rows}
    timings = in_turns(runs, rounds=ROUNDS, seconds=SECONDS)
    machine = (
        f"{platform.machine()}, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type
    )
    speed: Speed = {
        "how": f"float32, batch {BATCH}, {_sizes(plan)} px, {machine}, torch {torch.__version__}",
        "images_per_second": {name: round(BATCH * timing.rate(), 2) for name, timing in timings.items()},
    }
    write_whole(out / SPEED, json.dumps(speed, indent=1) + "\n")


def _engine(plan: Plan, row: Row, device: torch.device) -> Eager:
    variant = plan.recipe_of(row, plan.seeds[0]).network.variant
    return Eager(network(variant, len(ISIC2019)).eval(), device)


def _squares(plan: Plan, row: Row) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    size = _size(plan, row)
    return np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), np.uint8)


def _sizes(plan: Plan) -> str:
    return " or ".join(dict.fromkeys(str(_size(plan, row)) for row in plan.rows))


def _size(plan: Plan, row: Row) -> int:
    return plan.recipe_of(row, plan.seeds[0]).preprocessing.size
