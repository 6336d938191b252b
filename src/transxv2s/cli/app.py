"""The application: its commands, and the one place where an error becomes a sentence and an exit code.

Commands import torch and what needs it inside their functions, so that `--help` answers at once.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from transxv2s import NOTICE, __version__
from transxv2s.cli.ablate import ablate
from transxv2s.cli.audit import audit
from transxv2s.cli.bench import bench
from transxv2s.cli.calibrate import calibrate
from transxv2s.cli.data import data
from transxv2s.cli.evaluate import evaluate
from transxv2s.cli.explain import explain
from transxv2s.cli.export import export
from transxv2s.cli.info import info
from transxv2s.cli.predict import predict
from transxv2s.cli.preprocess import preprocess
from transxv2s.cli.records import records
from transxv2s.cli.serve import serve
from transxv2s.cli.train import train
from transxv2s.cli.users import users
from transxv2s.errors import TrainingStoppedError, TransXV2SError

BAD_USAGE = 2
STOPPED = 75  # EX_TEMPFAIL of sysexits.h: for schedulers, who must tell it from an exception's 1

app = typer.Typer(
    help=f"TransXV2S-Net for dermoscopic images of skin lesions. {NOTICE}",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # joins the lines of a docstring's paragraph
    pretty_exceptions_enable=False,
)
for command in (info, predict, explain, preprocess, evaluate, calibrate, audit, train, ablate, export, serve):
    app.command()(command)
for name, group in (("data", data), ("bench", bench), ("users", users), ("records", records)):
    app.add_typer(group, name=name)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"transxv2s {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave."),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and leaves the process.

    Args:
        arguments: What follows the program's name; None takes it from the process.

    Raises:
        SystemExit: Always; 0 fine, 1 some inputs failed, 2 bad usage, checkpoint, data or configuration, 75
            a training was stopped and can go on.
    """
    try:
        app(None if arguments is None else list(arguments), prog_name="transxv2s")
    except TransXV2SError as error:
        typer.echo(f"transxv2s: {error}", err=True)
        sys.exit(STOPPED if isinstance(error, TrainingStoppedError) else BAD_USAGE)
