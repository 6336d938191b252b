"""`transxv2s data get | prepare | split`: data sets before training."""

import typer

from transxv2s.cli.data_get import get
from transxv2s.cli.data_prepare import prepare
from transxv2s.cli.data_split import split

data = typer.Typer(
    help="Get, split and prepare data sets.", no_args_is_help=True, rich_markup_mode="markdown"
)
for command in (get, split, prepare):
    data.command()(command)
