"""`transxv2s train`: one recipe, one run, one checkpoint."""

import json
from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Option(help="Recipe, a YAML file such as configs/paper.yaml.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.SUB=VALUE", help="Change a value of the recipe; repeatable."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="CHECKPOINT", help="Fine-tune this checkpoint: start from its weights."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; without it runs/ and the recipe's file name.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where that run stopped.")] = False,
) -> None:
    """Train a network by a recipe and write its checkpoint."""
    from transxv2s.training.devices import is_first
    from transxv2s.training.recipe import load_recipe
    from transxv2s.training.run import train as run_training

    recipe = load_recipe(config, [*(overrides or []), *_starting_from(checkpoint)])
    written = run_training(recipe, out or Path("runs") / config.stem, resume)
    if is_first():
        typer.echo(written)


def _starting_from(checkpoint: Path | None) -> list[str]:
    """Changes of a recipe by which a checkpoint takes the place of ImageNet weights."""
    if checkpoint is None:
        return []
    path = json.dumps(str(checkpoint), ensure_ascii=False)  # YAML reads it as that text, whatever it holds
    return [f"network.checkpoint={path}", "network.pretrained=false", "network.xception_weights=null"]
