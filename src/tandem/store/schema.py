"""Brings a database to the schema of this version, or refuses it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from tandem.core.errors import SchemaVersionError

FOLDER = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing, within the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    revisions = ScriptDirectory.from_config(config)
    present = MigrationContext.configure(connection).get_current_revision()
    if present == revisions.get_current_head():
        return
    if present is not None and present not in {script.revision for script in revisions.walk_revisions()}:
        raise SchemaVersionError(
            f"The store was written by a newer Tandem (schema {present}): run that version, or name another store."
        )
    command.upgrade(config, "head")
