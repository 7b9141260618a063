"""Looks at the table of a dataset, for screens: what is asked for, and what was seen, which may be a fault."""

from __future__ import annotations

from dataclasses import dataclass

from console.dataset_panes import Grid, grid
from console.tables import VersionLine, version_lines
from console.unforeseen import fault_of
from metadata.database import Database
from metadata.errors import Fault
from metadata.rows.versions import writers_of

ROWS, VERSIONS = "Rows", "Versions"
MOST = 100
"""Rows, and versions, that are looked at."""


@dataclass(frozen=True)
class Peek:
    """What is looked at: the rows or the versions of a dataset, as its newest batch left them."""

    pane: str
    key: str
    uid: str
    version: int | None


def look(peek: Peek, database: Database) -> Grid | list[VersionLine] | Fault:
    """What is seen, or the fault that is met: it is told where the rows would be."""
    from flows import client

    try:
        if peek.pane == ROWS:
            return grid(client.table_rows(peek.key, peek.uid, MOST))
        found = client.table_versions(peek.key, peek.uid, MOST)
        return version_lines(found, writers_of(database, peek.uid, [each.version for each in found]))
    except Exception as error:  # noqa: BLE001 - a table is the outside: whatever it holds is told, and nothing ends
        return fault_of(error)
