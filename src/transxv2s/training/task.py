"""The LightningModule: loss, scores on validation, optimiser."""

from typing import Any

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC, MulticlassF1Score

from transxv2s.imaging.pipeline import MEAN, STD
from transxv2s.training import optim
from transxv2s.training.callbacks import Stopwatch
from transxv2s.training.recipe import Recipe

Batch = tuple[Tensor, Tensor]


def class_weights(sizes: Tensor) -> Tensor:
    """Inverse class frequency, scaled to mean 1 over images: N / (K · n_c), 0 for an absent class."""
    return torch.where(sizes > 0, sizes.sum() / (sizes.clamp_min(1) * (sizes > 0).sum()), 0.0)


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
        classes = len(class_sizes)
        weights = class_weights(class_sizes) if recipe.class_weights else torch.ones(classes)
        self.loss = nn.CrossEntropyLoss(weights, label_smoothing=recipe.label_smoothing)
        self.scores = MetricCollection(
            {
                "accuracy": MulticlassAccuracy(classes, average="micro"),
                "balanced_accuracy": MulticlassAccuracy(classes, average="macro"),
                "macro_f1": MulticlassF1Score(classes, average="macro"),
                "macro_auc": MulticlassAUROC(classes),
            },
            prefix="validation/",
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images uint8 (B, 3, S, S) to logits (B, K)."""
        scaled = (images.float() / 255 - MEAN) / STD
        logits: Tensor = self.network(scaled.contiguous(memory_format=torch.channels_last))
        return logits

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Loss of one batch."""
        images, labels = batch
        if self.progress() < self.recipe.small_share:
            size = (self.recipe.small_size, self.recipe.small_size)
            images = F.interpolate(images.float(), size, mode="bilinear", antialias=True)
        loss: Tensor = self.loss(self(images).float(), labels)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Collects loss and scores."""
        images, labels = batch
        logits = self(images).float()
        self.log("validation/loss", F.cross_entropy(logits, labels), batch_size=len(labels))
        self.scores.update(logits.softmax(1), labels)

    def on_validation_epoch_end(self) -> None:
        """Logs the scores over the whole subset."""
        self.log_dict(self.scores.compute(), prog_bar=True)
        self.scores.reset()

    def predict_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Logits (B, K)."""
        logits: Tensor = self(batch[0])
        return logits.float()

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
