"""Lightning's Trainer as a recipe wants it: what is saved, logged, shown and watched, on which devices."""

import errno
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning
from lightning.pytorch.callbacks import Callback, LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from transxv2s.errors import CheckpointError, DataError, DivergenceError, TrainingStoppedError
from transxv2s.training import devices
from transxv2s.training.callbacks import BestEpoch, LastingEarlyStopping, ResumePoint, StepSeeds, Stopwatch
from transxv2s.training.checkpoint_io import WholeFiles
from transxv2s.training.curves import METRICS, SCORE, VALIDATION_LOSS, Curves
from transxv2s.training.divergence import Divergence
from transxv2s.training.progress_bar import RunProgress
from transxv2s.training.recipe import Recipe
from transxv2s.training.stopping import GO_ON, StopOnSignal

LAST, BEST = "last.ckpt", "best.ckpt"
TENSORBOARD = "tensorboard"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def build(recipe: Recipe, run_dir: Path, stopwatch: Stopwatch) -> lightning.Trainer:
    """The Trainer of a run."""
    return lightning.Trainer(
        max_epochs=-1 if recipe.minutes else recipe.epochs,
        precision=devices.precision(recipe),
        callbacks=_callbacks(recipe, run_dir, stopwatch),
        logger=_loggers(run_dir),
        plugins=[WholeFiles()],
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        enable_model_summary=False,
        **devices.options(recipe.hardware),
    )


def _callbacks(recipe: Recipe, run_dir: Path, stopwatch: Stopwatch) -> list[Callback]:
    """In this order, but that Lightning moves what saves to the end."""
    resume_point = ResumePoint(run_dir / LAST, recipe.checkpoint_minutes, stopwatch)
    callbacks: list[Callback] = [
        stopwatch,
        StepSeeds(recipe.seed),
        Divergence(run_dir / LAST, (VALIDATION_LOSS, SCORE)),
        StopOnSignal(resume_point),
        LearningRateMonitor("step"),
        RunProgress(),
        Curves(run_dir),
        BestEpoch(run_dir, "best", monitor=SCORE, mode="max", enable_version_counter=False),
        resume_point,
    ]
    if recipe.early_stopping:
        callbacks.append(LastingEarlyStopping(SCORE, mode="max", patience=recipe.early_stopping))
    return callbacks


def _loggers(run_dir: Path) -> list[Logger]:
    """A table always, and TensorBoard's file where that is installed; versions go together."""
    table = CSVLogger(run_dir, name=METRICS)
    if not any(importlib.util.find_spec(package) for package in ("tensorboard", "tensorboardX")):
        return [table]
    return [table, TensorBoardLogger(run_dir, name=TENSORBOARD, version=table.version)]


@contextmanager
def explained(run_dir: Path) -> Iterator[None]:
    """Says in a sentence what a user can do about what went wrong in Lightning's hands.

    Raises:
        DataError: The disk is full.
        CheckpointError: What was saved does not fit the network.
        SystemExit: All processes stop together, and this is not the one that says why.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DataError(
            f"{run_dir} cannot be written ({error.strerror}); what was saved is whole: make room, and {GO_ON}"
        ) from error
    except RuntimeError as error:
        if "loading state_dict" not in str(error):
            raise
        raise CheckpointError(
            f"{run_dir / LAST} is of a network with other classes or layers, so the run cannot be resumed; "
            "train into another folder."
        ) from error
    except (DivergenceError, TrainingStoppedError):
        if not devices.is_first():
            raise SystemExit(0) from None
        raise
