"""Lightning callbacks: how long a run took over all its resumptions, and how it goes on after a kill."""

import time
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason


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


class ResumePoint(Checkpoint):
    """Saves where a run is, every so many minutes and at its end.

    It never saves between the last batch of an epoch and the first of the next: Lightning would not make up
    for the validation of that epoch, nor for what early stopping and the plateau schedule draw from it.

    Args:
        path: The file, replaced each time.
        minutes: Between two saves.
    """

    def __init__(self, path: Path, minutes: float) -> None:
        self._path = path
        self._interval = minutes * 60
        self._last_save = 0.0

    def _save(self, trainer: lightning.Trainer) -> None:
        trainer.save_checkpoint(self._path)
        self._last_save = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Starts the first interval."""
        self._last_save = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        task: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Saves if it is time."""
        due = time.monotonic() - self._last_save >= self._interval
        if due and not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Has the plateau schedule take its step, which Lightning leaves out in a resumed epoch."""
        trainer.fit_loop.restarting = False

    def on_train_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Saves what needs no more training."""
        self._save(trainer)


class LastingEarlyStopping(EarlyStopping):
    """Early stopping that stays decided when a stopped run is resumed."""

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Stops at once what had stopped before."""
        trainer.should_stop = self.stopping_reason != EarlyStoppingReason.NOT_STOPPED
