"""Training what a plan asks for, one run after another; what is finished is not trained again."""

from collections.abc import Iterator
from pathlib import Path

from transxv2s.ablation.plan import Plan, Row, slug
from transxv2s.checkpoint import CONFIG_FILE, read_config
from transxv2s.errors import ConfigError
from transxv2s.evaluation.scored import PREDICTIONS, ScoredImages
from transxv2s.training.recipe import load_recipe
from transxv2s.training.run import CHECKPOINT, RECIPE_FILE, train


def folder_of(out: Path, row: Row, seed: int) -> Path:
    """Where the run of a row and a seed lives."""
    return out / f"{slug(row.name)}-seed{seed}"


def finished(plan: Plan, out: Path, row: Row, seed: int) -> bool:
    """Whether a run has written its checkpoint, the last thing it does.

    Raises:
        ConfigError: It has, by another recipe than the plan's.
    """
    run_dir = folder_of(out, row, seed)
    if not (run_dir / CHECKPOINT / CONFIG_FILE).exists():
        return False
    if load_recipe(run_dir / RECIPE_FILE) != plan.recipe_of(row, seed):
        raise ConfigError(
            f"the run in {run_dir} is of another recipe than the plan's: move it, or name another --out"
        )
    return True


def missing(plan: Plan, out: Path) -> Iterator[tuple[Row, int]]:
    """Runs that are not finished: all rows with one seed before the next seed.

    Raises:
        ConfigError: A finished run is of another recipe.
    """
    for seed in plan.seeds:
        for row in plan.rows:
            if not finished(plan, out, row, seed):
                yield row, seed


def train_missing(plan: Plan, out: Path) -> Iterator[tuple[Row, int]]:
    """Trains or resumes what is not finished, and tells each run before it begins.

    Raises:
        ConfigError: A run in `out` was begun with another recipe, or a recipe cannot be trained.
        DataError: The images cannot be had.
    """
    for row, seed in list(missing(plan, out)):
        yield row, seed
        run_dir = folder_of(out, row, seed)
        train(plan.recipe_of(row, seed), run_dir, resume=(run_dir / RECIPE_FILE).exists())


def scored(plan: Plan, out: Path, row: Row) -> dict[int, ScoredImages]:
    """Predictions of a row's finished runs, by seed.

    Raises:
        ConfigError: A finished run is of another recipe.
        DataError: A file of a finished run is missing or damaged.
    """
    folders = {seed: folder_of(out, row, seed) for seed in plan.seeds if finished(plan, out, row, seed)}
    return {
        seed: ScoredImages.read(
            folder / PREDICTIONS.format(plan.subset),
            read_config(folder / CHECKPOINT)[0].classes,
        )
        for seed, folder in folders.items()
    }
