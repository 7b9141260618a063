"""Databases of earlier programs: made as those did, or of today without what later versions have brought."""

from __future__ import annotations

from alembic import command
from sqlalchemy import text

from metadata.database import Database
from metadata.migrations import VERSION_TABLE, configuration

BROUGHT: dict[str, tuple[str, ...]] = {
    "0015": ("INDEX ix_revision_item_key", "INDEX ix_revision_item_key_before"),
    "0014": (
        *("INDEX ix_definition_layer", "INDEX ix_definition_mode"),
        *("COLUMN layer", "COLUMN mode", "COLUMN holds"),
    ),
    "0013": (
        "INDEX ix_definition_kind_revision_created_position",
        "CREATE INDEX ix_definition_kind_position ON definition (kind, position)",
    ),
    "0012": (
        *("INDEX ix_definition_enabled", "COLUMN enabled", "COLUMN enabled OF task", "COLUMN enabled OF quality_rule"),
        "ALTER TABLE schedule ADD enabled BOOLEAN NOT NULL DEFAULT TRUE",
    ),
    "0011": (
        *("INDEX ix_run_pipeline_uid_number_state", "INDEX ix_run_state_number_pipeline_uid"),
        *("INDEX ix_dataset_state_written_at_dataset_uid", "INDEX ix_definition_key"),
        "INDEX ix_revision_item_revision_position",
        "CREATE INDEX ix_run_pipeline_number ON run (pipeline_uid, number)",
        "CREATE INDEX ix_run_state_number ON run (state, number)",
        "CREATE INDEX ix_dataset_state_written_at ON dataset_state (written_at)",
    ),
    "0010": ("TABLE column_lineage", "TABLE traced_task"),
    "0009": ("TABLE definition_source",),
    "0008": (
        *("TABLE search_word", "INDEX ix_run_revision_number", "INDEX ix_dataset_state_written_at"),
        *("COLUMN about", "COLUMN text", "COLUMN users"),
    ),
    "0007": ("TABLE audit", "TABLE audit_head"),
}
"""By version, newest first, what is to go and what it took away; columns are of `definition` unless it says so."""


def up_to(database: Database, version: str) -> None:
    """Make the tables of a version where there are none, or those of an earlier one."""
    config = configuration()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def version_of(database: Database) -> str:
    """The version that its schema has."""
    with database.read() as connection:
        return str(connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one())


def back_to(database: Database, version: str) -> None:
    """Take out what came after a version, and say so."""
    with database.write() as connection:
        for later, things in BROUGHT.items():
            for thing in things if later > version else ():
                connection.execute(text(_statement(thing)))
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))


def _statement(thing: str) -> str:
    if thing.startswith(("ALTER", "CREATE")):
        return thing
    what, _, table = thing.partition(" OF ")
    return f"ALTER TABLE {table or 'definition'} DROP {what}" if what.startswith("COLUMN") else f"DROP {what}"
