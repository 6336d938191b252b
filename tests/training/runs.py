"""Whole runs with the tiny network: train, strike, and see how it ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from transxv2s.training import curves, run, start
from transxv2s.training.recipe import Recipe
from transxv2s.training.trainer import LAST

from .tiny import TinyNetwork


class KilledError(Exception):
    """Stands for a kill: nothing of ours may catch it."""


def train(
    monkeypatch: pytest.MonkeyPatch,
    wanted: Recipe,
    run_dir: Path,
    resume: bool = False,
    stop: Callable[[str, int], None] | None = None,
) -> Path:
    """Trains without the picture of the curves, which takes longer than an epoch."""
    log = run_dir.with_suffix(".log")
    monkeypatch.setattr(start, "create", lambda *_, **__: TinyNetwork(log, stop))
    monkeypatch.setattr(curves, "draw", lambda *_: None)
    return run.train(wanted, run_dir, resume)


def outcome(run_dir: Path) -> dict[str, Any]:
    """All that the end of a run knows, and the images of every step."""
    last = torch.load(run_dir / LAST, weights_only=True)
    return {
        "images": run_dir.with_suffix(".log").read_text().splitlines(),
        "steps": last["global_step"],
        "weights": {k: v.tolist() for k, v in last["state_dict"].items() if k.startswith("network")},
        "schedule": last["lr_schedulers"],
        "optimizer": [g["lr"] for g in last["optimizer_states"][0]["param_groups"]],
        "data": last["LesionData"],
    }


def stop_before(kind: str, count: int) -> Callable[[str, int], None]:
    """A blow before the batch of that kind and number."""

    def stop(current: str, number: int) -> None:
        if (current, number) == (kind, count):
            raise KilledError

    return stop
