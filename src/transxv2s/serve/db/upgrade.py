"""Brings a database to the tables that this version knows."""

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

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
    config = Config()
    config.set_main_option("script_location", "transxv2s.serve.db:migrations")
    with database.writing() as session:
        config.attributes["connection"] = session.connection()
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise SchemaError(
                "The database was written by a newer version of this program: start that one, "
                "or restore the backup made before the upgrade."
            ) from error
