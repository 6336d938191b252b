"""Brings a database to the tables that this version knows, or tells that it has others."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text

from transxv2s.serve.db.session import Database, storage_errors
from transxv2s.serve.errors import SchemaError


def upgrade(database: Database) -> None:
    """Makes the tables, or changes those of an older version, whole or not at all.

    Processes that start together wait for each other. An SQLite file is made where there is none, for the
    eyes of its owner alone.

    Raises:
        SchemaError: The tables are those of a newer version.
        StorageUnavailableError: The database does not answer, or the file cannot be made.
    """
    if database.file is not None:
        with storage_errors():
            database.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            database.file.touch(mode=0o600)
    config = _config()
    with database.writing() as session:
        if database.file is None:
            session.execute(text("SET LOCAL statement_timeout = 0"))  # changing many rows takes a while
        config.attributes["connection"] = session.connection()
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise SchemaError(
                "The database was written by a newer version of this program: start that one, "
                "or restore the backup made before the upgrade."
            ) from error


def require_current(database: Database) -> None:
    """Changes nothing.

    Raises:
        SchemaError: The tables are not those of this version.
        StorageUnavailableError: The database does not answer.
    """
    with database.reading() as session:
        found = MigrationContext.configure(session.connection()).get_current_heads()
    if found != tuple(ScriptDirectory.from_config(_config()).get_heads()):
        raise SchemaError(
            "The database belongs to another version of this program, so nothing was checked or changed: "
            "use that version, or start the server of this one, which brings its database up to date."
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "transxv2s.serve.db:migrations")
    return config
