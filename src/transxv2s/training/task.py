"""The LightningModule: loss, scores on validation, optimiser."""

from typing import Any

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transxv2s.imaging.pipeline import MEAN, STD
from transxv2s.training import mixing, optim, validation
from transxv2s.training.averaging import Average
from transxv2s.training.callbacks import Stopwatch
from transxv2s.training.recipe import Recipe

Batch = tuple[Tensor, Tensor]


def scaled(images: Tensor) -> Tensor:
    """Grey levels (B, 3, S, S) as the network takes them."""
    return ((images.float() / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)


class LesionTask(lightning.LightningModule):
    """Classification of prepared images.

    Args:
        network: Maps float (B, 3, S, S) to logits (B, K).
        recipe: The recipe of the run.
        class_sizes: Training images of each class (K,).
        stopwatch: The clock of the run, for recipes with a time budget.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, class_sizes: Tensor, stopwatch: Stopwatch) -> None:
        super().__init__()
        self.stopwatch = stopwatch
        self.network = network.to(memory_format=torch.channels_last)
        self.recipe = recipe
        self.average = Average(self.network, recipe.averaging) if recipe.averaging else None
        self.loss = recipe.loss.build(class_sizes)
        self.mix = mixing.build(recipe.augmentation, len(class_sizes))
        self.answers = validation.Answers()

    @property
    def deployed(self) -> nn.Module:
        """The network that is validated and published: the running average if there is one."""
        return self.network if self.average is None else self.average.module

    def forward(self, images: Tensor) -> Tensor:
        """Images of grey levels (B, 3, S, S) to logits (B, K)."""
        network = self.network if self.training else self.deployed
        logits: Tensor = network(scaled(images))
        return logits

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Loss of one batch."""
        images, labels = batch
        if self.progress() < self.recipe.small_share:
            size = (self.recipe.small_size, self.recipe.small_size)
            images = F.interpolate(images.float(), size, mode="bilinear", antialias=True)
        images, targets = self.mix(images, labels)
        loss: Tensor = self.loss(self(images).float(), targets)
        self.log("train/loss", loss, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Collects answers."""
        images, labels = batch
        self.answers.update(self(images).float(), labels)

    def on_validation_epoch_end(self) -> None:
        """Logs the scores over the whole subset."""
        found = validation.scores(*self.answers.compute())
        self.log_dict({f"validation/{name}": value for name, value in found.items()})
        self.answers.reset()

    def predict_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Logits (B, K) and beside them the features (B, F) that they are made of: (B, K + F)."""
        network: Any = self.deployed
        features = network.forward_features(scaled(batch[0]))
        return torch.cat([network.classify(features), features], dim=1).float()

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        """One step, of which the running average then takes its share."""
        super().optimizer_step(*arguments, **options)
        if self.average is not None:
            self.average.after(self.global_step + 1, self.network)  # Lightning counts this step later

    def configure_gradient_clipping(self, *_: Any, **__: Any) -> None:
        """Clips by norm. Lightning itself refuses fused optimisers, which matters to float16 only."""
        if limit := self.recipe.optimizer.gradient_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), limit)

    def progress(self) -> float:
        """How much of the run is done, 0..1: of its minutes if it has a time budget, else of its steps."""
        if self.recipe.minutes:
            return min(1.0, self.stopwatch.seconds / 60 / self.recipe.minutes)
        return self.global_step / self.trainer.estimated_stepping_batches

    def on_train_start(self) -> None:
        """A run that is resumed after its time trains no more."""
        self._stop_in_time()

    def on_train_batch_end(self, *_: Any) -> None:
        """Ends the run when its time is up; Lightning then validates once more."""
        self._stop_in_time()

    def _stop_in_time(self) -> None:
        if self.recipe.minutes and self.progress() >= 1:
            self.trainer.should_stop = True

    def configure_optimizers(self) -> Any:
        """As in the recipe."""
        return optim.configure(self.network, self.recipe, self.progress)
