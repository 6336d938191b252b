"""From a recipe to a run folder: train, keep the best epoch, calibrate on validation, score the test part."""

import platform
from pathlib import Path
from typing import Any

import lightning
import torch
import yaml
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from transxv2s.errors import ConfigError
from transxv2s.nets import create, load_trunk
from transxv2s.taxonomy import ISIC2019
from transxv2s.training.callbacks import LastingEarlyStopping, ResumePoint, Stopwatch
from transxv2s.training.data import LesionData
from transxv2s.training.publish import Protocol, publish
from transxv2s.training.quiet import quiet
from transxv2s.training.recipe import Recipe
from transxv2s.training.task import LesionTask

RECIPE_FILE = "recipe.yaml"
LAST, BEST = "last.ckpt", "best.ckpt"
SCORE = "validation/balanced_accuracy"


def train(recipe: Recipe, run_dir: Path, resume: bool = False) -> Path:
    """Trains a network and writes its checkpoint directory.

    The run folder holds `recipe.yaml`, `metrics/version_N/metrics.csv` (a new N for each resumption),
    Lightning's own files to resume from (`last.ckpt`, `best.ckpt`) and, at the end, `checkpoint/`.

    Args:
        recipe: What to train.
        run_dir: Folder of the run; must not hold another one, unless it is to be resumed.
        resume: Continue where a killed run in this folder stopped, also in the middle of an epoch.

    Returns:
        The checkpoint directory.

    Raises:
        ConfigError: The folder holds a run already, or nothing to resume, or another recipe.
        DataError: Images, labels or the split are missing or wrong.
    """
    _claim(recipe, run_dir, resume)
    lightning.seed_everything(recipe.seed, workers=True, verbose=False)
    data = LesionData(recipe)
    stopwatch = Stopwatch()
    task = build_task(recipe, data, stopwatch)
    last = run_dir / LAST
    with quiet():
        trainer = _trainer(recipe, run_dir, stopwatch)
        trainer.fit(task, data, ckpt_path=str(last) if resume and last.exists() else None)
        seconds = stopwatch.seconds  # before the watch goes back to that of the best epoch
        logits = {subset: _logits(trainer, task, data, subset, run_dir) for subset in ("validation", "test")}
    protocol = Protocol(
        recipe=recipe.model_dump(mode="json"),
        split_digest=data.split.digest,
        images={subset: len(records) for subset, records in data.records.items()},
        class_sizes=dict(zip(ISIC2019.codes, _class_sizes(data).tolist(), strict=True)),
        leaky=data.audit["leaks"],
        epochs=trainer.current_epoch,
        training_minutes=round(seconds / 60, 1),
        machine=f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
    )
    return publish(task.network, data, logits, protocol, run_dir / "checkpoint")


def build_task(recipe: Recipe, data: LesionData, stopwatch: Stopwatch) -> LesionTask:
    """The network of a recipe with its starting weights, as a task.

    Raises:
        WeightsUnavailableError: The starting weights cannot be had.
    """
    options = recipe.network
    network = create(options.variant, len(ISIC2019), drop_rate=options.dropout, pretrained=options.pretrained)
    if options.xception_weights is not None:
        if network.xceptmod is None:
            raise ConfigError(f"network.xception_weights: {options.variant} has no Xception; remove the key")
        load_trunk(network.xceptmod.trunk, options.xception_weights)
    return LesionTask(network, recipe, _class_sizes(data), stopwatch)


def _class_sizes(data: LesionData) -> Tensor:
    """Training images of each class (K,)."""
    return torch.bincount(torch.tensor(data.labels("train")), minlength=len(ISIC2019))


def _claim(recipe: Recipe, run_dir: Path, resume: bool) -> None:
    """Makes the run folder this recipe's own."""
    saved = run_dir / RECIPE_FILE
    content = recipe.model_dump(mode="json")
    if resume:
        if not saved.exists():
            raise ConfigError(f"there is no run to resume in {run_dir}: leave --resume away to start one")
        if yaml.safe_load(saved.read_text()) != content:
            raise ConfigError(f"the run in {run_dir} has another recipe: resume it with its {RECIPE_FILE}")
    elif saved.exists():
        raise ConfigError(f"{run_dir} holds a run already: pass --resume to continue it, or another --out")
    run_dir.mkdir(parents=True, exist_ok=True)
    saved.write_text(yaml.safe_dump(content, sort_keys=False))


def _trainer(recipe: Recipe, run_dir: Path, stopwatch: Stopwatch) -> lightning.Trainer:
    callbacks: list[Callback] = [
        stopwatch,
        ModelCheckpoint(run_dir, "best", monitor=SCORE, mode="max", enable_version_counter=False),
        ResumePoint(run_dir / LAST, recipe.checkpoint_minutes),
        LearningRateMonitor("step"),
    ]
    if recipe.early_stopping:
        callbacks.append(LastingEarlyStopping(SCORE, mode="max", patience=recipe.early_stopping))
    return lightning.Trainer(
        max_epochs=-1 if recipe.minutes else recipe.epochs,
        precision=recipe.precision,
        callbacks=callbacks,
        logger=CSVLogger(run_dir, name="metrics"),
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        enable_model_summary=False,
    )


def _logits(
    trainer: lightning.Trainer, task: LesionTask, data: LesionData, subset: str, run_dir: Path
) -> Tensor:
    """Logits (N, K) of the best epoch on a subset."""
    loader = {"validation": data.val_dataloader, "test": data.test_dataloader}[subset]()
    batches: Any = trainer.predict(task, loader, ckpt_path=str(run_dir / BEST))
    return torch.cat(batches)
