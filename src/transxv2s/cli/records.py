"""`transxv2s records`: what the server keeps, without the server."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transxv2s.cli.serve import DataDir, SettingsFile, load_settings

if TYPE_CHECKING:
    from transxv2s.serve.db.session import Database
    from transxv2s.serve.images import ImageStore
    from transxv2s.serve.settings import Settings

FAULT = 1

records = typer.Typer(
    help="Check, export and delete what the server keeps, whether it runs or not.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@records.command()
def verify(
    *,
    noted: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="A head of the trail that was printed earlier.")
    ] = None,
    data_dir: DataDir = None,
    config: SettingsFile = None,
) -> None:
    """Check the audit trail, and the cases, users, tokens and images that it vouches for.

    Prints the head of the trail; whoever notes it elsewhere can tell later whether the end was cut off. The
    exit code is 1 where something is wrong. Nothing is changed, and a server goes on meanwhile.
    """
    database, store = found(load_settings(config, data_dir=data_dir))

    from transxv2s.serve import integrity
    from transxv2s.serve.db.upgrade import require_current

    require_current(database)
    verdict = integrity.verify(database, store, noted)
    if verdict.fault is None:
        typer.echo(f"All is as it was left: {verdict.entries:,} entries, head {verdict.head}")
        return
    where = "" if verdict.sequence is None else f"entry {verdict.sequence}: "
    typer.echo(f"{where}{verdict.fault}", err=True)
    raise typer.Exit(FAULT)


@records.command()
def export(
    *,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")],
    data_dir: DataDir = None,
    config: SettingsFile = None,
) -> None:
    """Write the reviewed cases as a data set that `train` and `evaluate` read (dataset: table)."""
    database, store = opened(load_settings(config, data_dir=data_dir))

    from transxv2s.serve.audit import LOCAL
    from transxv2s.serve.export import TABLE
    from transxv2s.serve.export import export as write

    written = write(database, store, out, actor=LOCAL, now=datetime.now(UTC))
    typer.echo(
        f"{out / TABLE}: {written.images:,} images of {written.cases:,} cases. Left out: cases "
        f"({written.without_image:,} without an image, {written.other:,} of none of the classes) and "
        f"{written.unreadable:,} images that are damaged or were deleted meanwhile."
    )


@records.command()
def erase(
    *,
    case_id: Annotated[str, typer.Argument(metavar="ID", help="The case.")],
    data_dir: DataDir = None,
    config: SettingsFile = None,
) -> None:
    """Delete images, findings, comments and details of one case for good, as a patient may ask for."""
    database, store = opened(load_settings(config, data_dir=data_dir))

    from transxv2s.serve import audit, deletion

    deletion.erase(database, store, case_id, actor=audit.LOCAL, now=datetime.now(UTC))
    typer.echo("The case has been deleted.")


@records.command()
def expire(*, data_dir: DataDir = None, config: SettingsFile = None) -> None:
    """Delete all cases and images whose time has come; the server does so by itself while it runs."""
    database, store = opened(load_settings(config, data_dir=data_dir))

    from transxv2s.serve import deletion

    typer.echo(f"{deletion.expire(database, store, datetime.now(UTC)):,} cases have been deleted.")


def opened(settings: "Settings", make: bool = False) -> tuple["Database", "ImageStore"]:
    """Database, brought up to date, and images.

    Args:
        settings: Where they are.
        make: Whether a new database may be made.

    Raises:
        ConfigError: There is none.
        SchemaError: It was written by a newer version.
        StorageUnavailableError: It does not answer.
    """
    from transxv2s.serve.db.upgrade import upgrade

    database, store = found(settings, make)
    upgrade(database)
    return database, store


def found(settings: "Settings", make: bool = False) -> tuple["Database", "ImageStore"]:
    """The same as they are.

    Raises:
        ConfigError: There is no database, and none may be made.
    """
    from transxv2s.errors import ConfigError
    from transxv2s.serve.db.session import Database
    from transxv2s.serve.images import ImageStore

    database = Database(settings.database)
    if database.file is not None and not (make or database.file.exists()):
        raise ConfigError(f"there is no database in {settings.data_dir}: name its folder with --data-dir")
    return database, ImageStore(settings.images)
