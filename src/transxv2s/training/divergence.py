"""Ends a run that came to numbers that are not finite, before they reach a file."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from transxv2s.errors import DivergenceError

VALIDATION_LOSS = "validation/loss"


class Divergence(Callback):
    """Looks at every loss before its gradients, at the scores of validation, and at what is to be saved.

    All devices learn of it, so that none waits for another that has stopped.

    Args:
        last_good: The file to resume from, which holds the last good state.
        scores: Names of the scores to look at after validation.
    """

    def __init__(self, last_good: Path, scores: tuple[str, ...]) -> None:
        self._last_good = last_good
        self._scores = scores

    def on_before_backward(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, loss: Tensor
    ) -> None:
        """Looks at the loss of a step."""
        self._require(trainer, math.isfinite(loss.item()), "the training loss")

    def on_validation_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Looks at the scores, before early stopping and checkpoints do."""
        for name in self._scores:
            score = float(trainer.callback_metrics[name])
            self._require(trainer, math.isfinite(score), f"{name.replace('/', ' ').replace('_', ' ')}")

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Looks at the weights and the optimiser's averages."""
        tensors = _tensors((checkpoint["state_dict"], checkpoint["optimizer_states"]))
        self._require(trainer, all(bool(torch.isfinite(t).all()) for t in tensors), "a weight or its average")

    def _require(self, trainer: lightning.Trainer, finite: bool, what: str) -> None:
        if not trainer.strategy.reduce_boolean_decision(finite):
            saved = self._last_good.exists()
            state = f"the last good state is in {self._last_good}" if saved else "no state was saved before"
            raise DivergenceError(
                f"{what} is not a finite number any more in step {trainer.global_step + 1} (epoch "
                f"{trainer.current_epoch + 1}); {state}. Start a new run with a lower "
                "optimizer.learning_rate or with precision: 32-true."
            )


def _tensors(state: Any) -> Iterator[Tensor]:
    """All tensors in nested containers."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict):
        for value in state.values():
            yield from _tensors(value)
    elif isinstance(state, (list, tuple)):
        for value in state:
            yield from _tensors(value)
