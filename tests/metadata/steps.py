"""Work of SQLite, counted in steps of its own machine: a busy computer changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, event

from metadata.database import Database

STEP = 100


@contextmanager
def steps(database: Database, *, writing: bool = False) -> Iterator[list[int]]:
    """Counts steps, in hundreds; those within transactions that write, if so wanted."""
    counted = [0]

    def count() -> None:
        counted[0] += 1

    def begin(connection: Connection) -> None:
        counts = not writing or connection.get_execution_options().get("writes", False)
        connection.connection.set_progress_handler(count if counts else None, STEP)

    event.listen(database.engine, "begin", begin)
    yield counted
    event.remove(database.engine, "begin", begin)
