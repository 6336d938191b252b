"""What a run shows while it goes on: a bar on a terminal, a line an epoch elsewhere."""

import math
import sys
import time
from typing import Any

import lightning
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from transxv2s.training.task import LesionTask

SCORES = {  # what is shown of Lightning's metrics
    "train/loss": "loss",
    "validation/loss": "validation loss",
    "validation/balanced_accuracy": "balanced accuracy",
}
MINUTE, HOUR = 60, 3600


def duration(seconds: float) -> str:
    """As one says it: "40 s", "12 min", "3 h 05 min"."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    hours, minutes = divmod(round(seconds / MINUTE), 60)
    return f"{hours} h {minutes:02} min"


def time_left(share_before: float, share: float, seconds: float) -> float:
    """Seconds that the rest of a run takes if it goes on as between two shares of it; infinite at first."""
    return seconds * (1 - share) / (share - share_before) if share > share_before else float("inf")


class RunProgress(ProgressBar):
    """Share of the whole run, images a second, time left and the last scores, on stderr.

    Images a second are those of the epoch under way, on all devices, without validation; the time left counts
    validation in.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bar: Progress | None = None
        self._enabled = True
        self._begun = self._epoch_begun = 0.0
        self._share_before = 0.0
        self._images = 0
        self._speed = 0.0

    def disable(self) -> None:
        """Lightning calls it on all devices but the first."""
        self._enabled = False

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Shows the bar, on a terminal."""
        self._begun, self._share_before = time.monotonic(), _share(task)
        self._begin_epoch()
        console = Console(stderr=True)
        if self._enabled and console.is_terminal:
            text = TextColumn("{task.description}")
            self._bar = Progress(BarColumn(), text, console=console, transient=True)
            self._bar.add_task("", total=1.0)
            self._bar.start()

    def _begin_epoch(self) -> None:
        self._epoch_begun, self._images = time.monotonic(), 0

    def on_train_epoch_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Measures the speed anew."""
        self._begin_epoch()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Moves the bar on."""
        self._images += len(batch[1]) * trainer.world_size
        self._speed = self._images / (time.monotonic() - self._epoch_begun)
        if self._bar:
            self._bar.update(
                self._bar.task_ids[0], completed=_share(task), description=self._line(trainer, task)
            )

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Writes a line where there is no bar."""
        if self._enabled and not self._bar:
            print(self._line(trainer, task), file=sys.stderr, flush=True)

    def on_train_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Clears the bar away."""
        self._close()

    def on_exception(self, *_: Any) -> None:
        """Leaves the terminal as it was."""
        self._close()

    def _close(self) -> None:
        if self._bar:
            self._bar.stop()

    def _line(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> str:
        share, metrics = _share(task), trainer.callback_metrics
        left = time_left(self._share_before, share, time.monotonic() - self._begun)
        scores = [f"{name} {float(metrics[key]):.3f}" for key, name in SCORES.items() if key in metrics]
        shown = [*scores, f"{self._speed:.1f} images/s"]
        if math.isfinite(left):  # not before the first step, which may take several batches
            shown.append(f"{duration(left)} left")
        return f"epoch {trainer.current_epoch + 1}, {share:.0%}: " + ", ".join(shown)


def _share(task: lightning.LightningModule) -> float:
    """How much of the run is done, 0..1."""
    assert isinstance(task, LesionTask)  # noqa: S101 - for the type checker: only this task is trained here
    return task.progress()
