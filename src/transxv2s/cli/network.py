"""What all commands that load a network ask for."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

CheckpointDir: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Checkpoint directory; without it the one that ships.")
]
Device: TypeAlias = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Engine: TypeAlias = Annotated[
    str,
    typer.Option(metavar="NAME", help="What runs the network: eager, auto, or one of docs/engines.md."),
]
