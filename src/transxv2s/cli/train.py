"""`transxv2s train`: one recipe, one run, one checkpoint."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Option(help="Recipe, a YAML file such as configs/paper.yaml.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.SUB=VALUE", help="Change a value of the recipe; repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; without it runs/ and the recipe's file name.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where that run stopped.")] = False,
) -> None:
    """Train a network by a recipe and write its checkpoint."""
    from transxv2s.training.recipe import load_recipe
    from transxv2s.training.run import train as run_training

    recipe = load_recipe(config, overrides or [])
    typer.echo(run_training(recipe, out or Path("runs") / config.stem, resume))
