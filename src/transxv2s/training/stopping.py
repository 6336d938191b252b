"""Ctrl-C and SIGTERM: a run that is asked to stop saves where it is and says how to go on."""

import signal
import threading
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from transxv2s.errors import TrainingStoppedError
from transxv2s.training.callbacks import ResumePoint

GO_ON = "the same command (train: with --resume) goes on from what is saved."
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def leave_signals(_: int) -> None:
    """In a worker that loads images: the parent answers, and needs its workers to the end of the batch."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class StopOnSignal(Callback):
    """Stops at the end of the batch under way; a second signal ends the process at once.

    A signal to one process stops all of them in the same step. Lightning's own handler is not used: it lets
    SIGTERM pass unsaved and may leave the other processes waiting.

    Args:
        resume_point: Saves where the run is, where it can go on from there.
    """

    def __init__(self, resume_point: ResumePoint) -> None:
        self._resume_point = resume_point
        self._received = 0

    def _listen(self) -> None:
        """Lightning puts back the handlers that were there before, when its work is done."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Listens from here on, since Lightning has just put its own handlers in place."""
        self._listen()

    def on_predict_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """The same, for the predictions at the end."""
        self._listen()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Saves and stops if asked; after the last batch of an epoch it leaves that to validation."""
        if self._resume_point.possible(trainer) and (number := self._asked(trainer)):
            self._resume_point.save(trainer)
            self._stop(trainer, number)

    def on_validation_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Stops if asked; what was saved last counts."""
        if number := self._asked(trainer):
            self._stop(trainer, number)

    def on_predict_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Stops if asked; training is done and saved."""
        if number := self._asked(trainer):
            self._stop(trainer, number)

    def _asked(self, trainer: lightning.Trainer) -> int:
        """The signal that any of the processes received, or 0."""
        received = torch.tensor(self._received, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(received, reduce_op="max"))

    def _stop(self, trainer: lightning.Trainer, number: int) -> None:
        raise TrainingStoppedError(
            f"stopped by {signal.Signals(number).name} in step {trainer.global_step}; {GO_ON}"
        )
