"""A database of today as an earlier program left it: without what later versions of the schema have brought."""

from __future__ import annotations

from sqlalchemy import text

from metadata.database import Database
from metadata.migrations import VERSION_TABLE

BROUGHT: dict[str, tuple[str, ...]] = {
    "0010": ("TABLE column_lineage", "TABLE traced_task"),
    "0009": ("TABLE definition_source",),
    "0008": (
        *("TABLE search_word", "INDEX ix_run_revision_number", "INDEX ix_dataset_state_written_at"),
        *("COLUMN about", "COLUMN text", "COLUMN users"),
    ),
    "0007": ("TABLE audit", "TABLE audit_head"),
}
"""By version, newest first; columns are those of `definition`."""


def back_to(database: Database, version: str) -> None:
    """Take out what came after a version, and say so."""
    with database.write() as connection:
        for later, things in BROUGHT.items():
            for thing in things if later > version else ():
                how = "ALTER TABLE definition DROP" if thing.startswith("COLUMN") else "DROP"
                connection.execute(text(f"{how} {thing}"))
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))
