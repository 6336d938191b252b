"""Lightning callbacks: how long a run took over all its resumptions, and where it can be resumed."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback, ModelCheckpoint


class Stopwatch(Callback):
    """Seconds spent in fitting, carried over when a run is resumed."""

    def __init__(self) -> None:
        self._before = 0.0
        self._started: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds of fitting so far."""
        return self._before + (time.monotonic() - self._started if self._started else 0.0)

    def on_fit_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Starts the watch."""
        self._started = time.monotonic()

    def on_fit_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Stops it."""
        self._before, self._started = self.seconds, None

    def state_dict(self) -> dict[str, Any]:
        """For Lightning's checkpoint."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From Lightning's checkpoint."""
        self._before = state_dict["seconds"]


def resume_points(run_dir: Path, minutes: float) -> list[Callback]:
    """Saves `last.ckpt` every so many minutes and after each epoch."""
    options: dict[str, Any] = {"enable_version_counter": False, "save_top_k": 1, "monitor": None}
    return [
        ModelCheckpoint(run_dir, "last", train_time_interval=timedelta(minutes=minutes), **options),
        ModelCheckpoint(run_dir, "last", every_n_epochs=1, **options),
    ]
