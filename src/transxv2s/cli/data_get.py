"""`transxv2s data get`: download a data set, its licence first."""

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from transxv2s.errors import ConfigError

if TYPE_CHECKING:
    from transxv2s.datasets.catalogue import Collection

STOPPED = 1


class Name(StrEnum):
    """The data sets that can be downloaded."""

    isic2019 = "isic2019"
    isic2018 = "isic2018"
    ham10000 = "ham10000"


class Terminal:
    """Says sentences and draws bars on stderr; no bars where that is not a terminal."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def say(self, sentence: str) -> None:
        """Prints a sentence above the bars."""
        self.progress.console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def follow(self, task: str, total: int | None, unit: str) -> Callable[[int], None]:
        """Draws a bar and gives the function that moves it."""
        bar = self.progress.add_task(task, total=total, amount="")

        def at(done: int) -> None:
            amount = decimal(done) if unit == "bytes" else f"{done:,} {unit}"
            self.progress.update(bar, completed=done, amount=amount)

        return at


def get(
    dataset: Annotated[Name, typer.Argument(help="Which data set.")],
    root: Annotated[Path, typer.Option(metavar="DIR", help="Folder it goes to.")],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Agree to the licence without being asked.")
    ] = False,
    mirror: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Folder on a server that has the publisher's files by name."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was received as one document.")] = False,
) -> None:
    """Download a data set and lay it out as its publisher does. Run it again to go on where it stopped."""
    from transxv2s.datasets.catalogue import COLLECTIONS
    from transxv2s.datasets.download import download
    from transxv2s.datasets.received import RECORD

    collection = COLLECTIONS[dataset]
    _agree(collection, accept_licence)
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            record = download(collection, root, Terminal(progress), mirror)
    except KeyboardInterrupt:
        typer.echo("Stopped; run the same command again to go on from there.", err=True)
        raise typer.Exit(STOPPED) from None
    if as_json:
        typer.echo(record.model_dump_json(indent=2))
    else:
        typer.echo(f"{collection.title} is in {root}; what was received is recorded in {root / RECORD}.")


def _agree(collection: "Collection", accepted: bool) -> None:
    """Shows the licence and asks for consent, where it is not given already and somebody can be asked.

    Raises:
        ConfigError: It is neither given nor can be asked for.
        typer.Abort: It is refused.
    """
    typer.echo(_terms(collection), err=True)
    if accepted:
        return
    if not _can_ask():
        raise ConfigError(
            f"{collection.title} is only downloaded under its licence: agree with --accept-licence"
        )
    typer.confirm("Do you agree to the licence?", abort=True, err=True)


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _terms(collection: "Collection") -> str:
    return "\n".join(
        [
            f"{collection.title}, {collection.size}, from {collection.page}",
            f"Licence: {collection.licence}",
            "Credit:",
            *(f"  {line}" for line in collection.attribution),
            "Cite:",
            *(f"  {line}" for line in collection.citations),
        ]
    )
