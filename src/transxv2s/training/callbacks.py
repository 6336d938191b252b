"""Lightning callbacks: the clock of a run over all its resumptions, and how it goes on after a kill."""

import time
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping, ModelCheckpoint
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from transxv2s.training.batches import seed_of


class Stopwatch(Callback):
    """Seconds spent in fitting, carried over when a run is resumed; the same on all devices.

    Attributes:
        seconds: So far, as read at the start of the batch under way.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._before = 0.0
        self._started = time.monotonic()

    def _now(self) -> float:
        return self._before + time.monotonic() - self._started

    def _read(self, trainer: lightning.Trainer) -> None:
        """Rates, image sizes and saves follow the clock, and must not differ between devices."""
        now = torch.tensor(self._now(), device=trainer.strategy.root_device)
        self.seconds = float(trainer.strategy.reduce(now, reduce_op="max"))

    def on_fit_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Starts the watch."""
        self._started = time.monotonic()

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Reads the watch."""
        self._read(trainer)

    def on_fit_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Reads it for the last time."""
        self._read(trainer)

    def state_dict(self) -> dict[str, Any]:
        """For Lightning's checkpoint."""
        return {"seconds": self._now()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From Lightning's checkpoint."""
        self._before = self.seconds = state_dict["seconds"]


class StepSeeds(Callback):
    """Seeds torch before every batch, so that dropout and mixing are the same in a resumed run.

    The seed depends on how many batches all devices have had in the epoch, and so is the same whether two
    devices work on two batches or one device accumulates them.

    Args:
        seed: Seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seeds the generators of all kinds of devices."""
        place = batch_idx * trainer.world_size + trainer.global_rank
        torch.manual_seed(seed_of(self._seed, trainer.current_epoch, place))


class ResumePoint(Checkpoint):
    """Saves where a run is, every so many minutes and at its end.

    It never saves between the last batch of an epoch and the first of the next: Lightning would not make up
    for the validation of that epoch, nor for what early stopping and the plateau schedule draw from it. Nor
    does it save between batches whose gradients are summed up, which no file holds.

    Args:
        path: The file, replaced each time.
        minutes: Between two saves.
        stopwatch: The clock of the run, which tells all devices the same.
    """

    def __init__(self, path: Path, minutes: float, stopwatch: Stopwatch) -> None:
        self._path = path
        self._interval = minutes * 60
        self._stopwatch = stopwatch
        self._last_save = 0.0

    def save(self, trainer: lightning.Trainer) -> None:
        """Saves the state, and the logs up to it."""
        trainer.save_checkpoint(self._path)
        for logger in trainer.loggers:
            logger.save()
        self._last_save = self._stopwatch.seconds

    @staticmethod
    def possible(trainer: lightning.Trainer) -> bool:
        """Whether a run could go on from here, after a batch."""
        batches = trainer.fit_loop.epoch_loop.batch_progress
        return not batches.is_last_batch and batches.current.ready % trainer.accumulate_grad_batches == 0

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Starts the first interval."""
        self._last_save = self._stopwatch.seconds

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Saves if it is time."""
        due = self._stopwatch.seconds - self._last_save >= self._interval
        if due and self.possible(trainer):
            self.save(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Has the plateau schedule take its step, which Lightning leaves out in a resumed epoch."""
        trainer.fit_loop.restarting = False

    def on_train_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Saves what needs no more training."""
        self.save(trainer)


class BestEpoch(ModelCheckpoint):
    """Keeps the best epoch, also of a run whose folder has moved.

    Lightning then forgets how good it was, and the next epoch, however bad, takes its place.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From Lightning's checkpoint."""
        folder = Path(str(self.dirpath))
        moved = {"dirpath": self.dirpath}
        for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
            moved[name] = _moved(state_dict[name], folder)
        scores = {_moved(path, folder): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **moved, "best_k_models": scores})


def _moved(path: str, folder: Path) -> str:
    """A file that is in another folder now; no path stays none."""
    return str(folder / Path(path).name) if path else path


class LastingEarlyStopping(EarlyStopping):
    """Early stopping that stays decided when a stopped run is resumed."""

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Stops at once what had stopped before."""
        trainer.should_stop = self.stopping_reason != EarlyStoppingReason.NOT_STOPPED
