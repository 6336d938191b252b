"""`transxv2s users`: who may use the server."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from transxv2s.cli.records import opened
from transxv2s.cli.serve import DataDir, SettingsFile, load_settings

if TYPE_CHECKING:
    from transxv2s.serve.db.models import Role

users = typer.Typer(
    help="Say who may use the server, and as what.", no_args_is_help=True, rich_markup_mode="markdown"
)
Name = Annotated[str, typer.Argument(metavar="NAME")]
RoleName = Annotated[
    str,
    typer.Option(
        help="uploader (sends images, sees own cases), reviewer (also all cases, the worklist, export and "
        "deletion), or admin (also users)."
    ),
]


@users.command()
def add(
    *, name: Name, role: RoleName = "uploader", data_dir: DataDir = None, config: SettingsFile = None
) -> None:
    """Add a user. The password is asked for, or read from standard input.

    With the first user, who must be an admin, everybody has to sign in, also at this machine.
    """
    database, _ = opened(load_settings(config, data_dir=data_dir), make=True)

    from transxv2s.errors import ConfigError
    from transxv2s.serve.audit import LOCAL
    from transxv2s.serve.auth import users as store

    with database.reading() as session:
        if role != "admin" and not store.everybody(session):
            raise ConfigError("the first user must be able to add others: say --role admin")
    password = _password()
    with database.writing() as session:
        user = store.create(session, name, password, cast("Role", role), actor=LOCAL, now=datetime.now(UTC))
    typer.echo(f"{user.name} may sign in as {user.role}.")


@users.command("list")
def show(*, data_dir: DataDir = None, config: SettingsFile = None) -> None:
    """List all users."""
    database, _ = opened(load_settings(config, data_dir=data_dir))

    from rich.console import Console
    from rich.table import Table

    from transxv2s.serve.auth.users import everybody

    table = Table("name", "role", "since", "disabled since")
    with database.reading() as session:
        for user in everybody(session):
            disabled = f"{user.disabled_at:%Y-%m-%d}" if user.disabled_at else ""
            table.add_row(user.name, user.role, f"{user.created_at:%Y-%m-%d}", disabled)
    Console(highlight=False).print(table)


@users.command()
def password(*, name: Name, data_dir: DataDir = None, config: SettingsFile = None) -> None:
    """Set a new password, and end the user's sessions; API tokens stay."""
    database, _ = opened(load_settings(config, data_dir=data_dir))

    from transxv2s.serve.audit import LOCAL
    from transxv2s.serve.auth.users import set_password

    new = _password()
    with database.writing() as session:
        set_password(session, name, new, actor=LOCAL, now=datetime.now(UTC))
    typer.echo(f"{name} has a new password.")


@users.command()
def role(
    *,
    name: Name,
    new: Annotated[str, typer.Argument(metavar="ROLE", help="uploader, reviewer or admin.")],
    data_dir: DataDir = None,
    config: SettingsFile = None,
) -> None:
    """Change what a user may do, and end the user's sessions."""
    database, _ = opened(load_settings(config, data_dir=data_dir))

    from transxv2s.serve.audit import LOCAL
    from transxv2s.serve.auth.users import set_role

    with database.writing() as session:
        set_role(session, name, cast("Role", new), actor=LOCAL, now=datetime.now(UTC))
    typer.echo(f"{name} is {new} now.")


@users.command()
def disable(
    *,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Let the user in again.")] = False,
    data_dir: DataDir = None,
    config: SettingsFile = None,
) -> None:
    """Shut a user out, API tokens included. Users are never deleted: the audit trail names them."""
    database, _ = opened(load_settings(config, data_dir=data_dir))

    from transxv2s.serve.audit import LOCAL
    from transxv2s.serve.auth.users import set_disabled

    with database.writing() as session:
        set_disabled(session, name, not undo, actor=LOCAL, now=datetime.now(UTC))
    typer.echo(f"{name} is {'let in again' if undo else 'shut out'}.")


def _password() -> str:
    if sys.stdin.isatty():
        answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return answer
    return sys.stdin.readline().rstrip("\r\n")
