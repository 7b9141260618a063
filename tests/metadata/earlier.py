"""A database of today as an earlier program left it: without what later versions of the schema have brought."""

from __future__ import annotations

from sqlalchemy import text

from metadata.database import Database
from metadata.migrations import VERSION_TABLE

BROUGHT: dict[str, tuple[str, ...]] = {
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
"""By version, newest first; columns are those of `definition`, and what it took away is made again."""


def back_to(database: Database, version: str) -> None:
    """Take out what came after a version, and say so."""
    with database.write() as connection:
        for later, things in BROUGHT.items():
            for thing in things if later > version else ():
                how = "ALTER TABLE definition DROP " if thing.startswith("COLUMN") else "DROP "
                connection.execute(text(thing if thing.startswith("CREATE") else how + thing))
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))
