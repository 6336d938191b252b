"""From a recipe to a run folder: train, keep the best epoch, calibrate on validation, score the test part."""

import platform
from pathlib import Path

import lightning
import torch
import yaml
from torch import Tensor

from transxv2s.errors import ConfigError
from transxv2s.files import make_folders, write_whole
from transxv2s.training import devices, start, trainer
from transxv2s.training.callbacks import Stopwatch
from transxv2s.training.data import LesionData
from transxv2s.training.publish import Protocol, publish
from transxv2s.training.quiet import quiet
from transxv2s.training.recipe import Recipe, load_recipe
from transxv2s.training.task import LesionTask
from transxv2s.training.trainer import BEST, LAST

RECIPE_FILE = "recipe.yaml"
CHECKPOINT = "checkpoint"


def train(recipe: Recipe, run_dir: Path, resume: bool = False) -> Path:
    """Trains a network and writes its checkpoint directory.

    The run folder holds `recipe.yaml`, `metrics/version_N/metrics.csv` (a new N for each resumption), the
    curves of all of them (`curves.png`), Lightning's own files to resume from (`last.ckpt`, `best.ckpt`) and,
    at the end, `checkpoint/` and what it says of each image, `predictions-validation.csv` and
    `predictions-test.csv`. With several devices all processes call this; the first writes all files, and the
    others return before the checkpoint is there.

    Args:
        recipe: What to train.
        run_dir: Folder of the run; must not hold another one, unless it is to be resumed.
        resume: Continue where a killed run in this folder stopped, also in the middle of an epoch.

    Returns:
        The checkpoint directory.

    Raises:
        ConfigError: The folder holds a run already, or nothing to resume, or another recipe.
        DataError: Images, labels or the split are missing or wrong, or the disk is full.
        CheckpointError: The state to resume from is damaged or of another network.
        DivergenceError: Loss, score or weights became infinite or not a number.
        TrainingStoppedError: Ctrl-C or SIGTERM; the run can be resumed.
    """
    if devices.is_first():
        _require_own(recipe, run_dir, resume)
    lightning.seed_everything(recipe.seed, workers=True, verbose=False)
    data = LesionData(recipe)
    stopwatch = Stopwatch()
    task = build_task(recipe, data, stopwatch)
    if devices.is_first() and not resume:  # a start that fails is no run
        data.prepare_data()
        data.train_dataloader()
        _claim(recipe, run_dir)
    last = run_dir / LAST
    published = {"best": run_dir / BEST, "last": last}[recipe.publish]
    with quiet(), trainer.explained(run_dir):
        lightning_trainer = trainer.build(recipe, run_dir, stopwatch)
        lightning_trainer.fit(task, data, ckpt_path=str(last) if resume and last.exists() else None)
        seconds = stopwatch.seconds  # before the watch goes back to that of the best epoch
        loaders = {
            "train": data.known_dataloader,
            "validation": data.val_dataloader,
            "test": data.test_dataloader,
        }
        outputs = {
            subset: devices.predictions(lightning_trainer, task, loader(), str(published))
            for subset, loader in loaders.items()
        }
    checkpoint = run_dir / CHECKPOINT
    if not devices.is_first():
        return checkpoint
    protocol = Protocol(
        recipe=recipe.model_dump(mode="json"),
        split_digest=data.split.digest,
        images={subset: len(records) for subset, records in data.records.items()},
        class_sizes=dict(zip(data.taxonomy.codes, _class_sizes(data).tolist(), strict=True)),
        leaky=data.leaks,
        origin=data.origin,
        epochs=lightning_trainer.current_epoch,
        training_minutes=round(seconds / 60, 1),
        machine=f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"{lightning_trainer.precision}",
    )
    return publish(task.deployed, data, outputs, protocol, checkpoint)


def build_task(recipe: Recipe, data: LesionData, stopwatch: Stopwatch) -> LesionTask:
    """The network of a recipe with its starting weights, as a task.

    Raises:
        WeightsUnavailableError: The starting weights cannot be had.
    """
    network = start.network(recipe.network, data.taxonomy, data.parent)
    return LesionTask(network, recipe, _class_sizes(data), stopwatch)


def _class_sizes(data: LesionData) -> Tensor:
    """Training images of each class (K,)."""
    return torch.bincount(torch.tensor(data.labels("train")), minlength=len(data.taxonomy))


def _require_own(recipe: Recipe, run_dir: Path, resume: bool) -> None:
    """Whether the folder is free for this recipe, or holds a run of it to resume."""
    saved = run_dir / RECIPE_FILE
    if resume:
        if not saved.exists():
            raise ConfigError(f"there is no run to resume in {run_dir}: leave --resume away to start one")
        if load_recipe(saved) != recipe:
            raise ConfigError(
                f"the run in {run_dir} has another recipe: resume it with its {RECIPE_FILE}, or pass "
                "another --out"
            )
    elif saved.exists():
        raise ConfigError(f"{run_dir} holds a run already: pass --resume to continue it, or another --out")


def _claim(recipe: Recipe, run_dir: Path) -> None:
    """Makes the run folder this recipe's own."""
    make_folders(run_dir)
    write_whole(run_dir / RECIPE_FILE, yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
