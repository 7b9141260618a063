"""What somebody else does between what a deed has read and what it writes, and in what order a deed writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from metadata.database import Database


@contextmanager
def before_writing(database: Database, deed: Callable[[], object]) -> Iterator[None]:
    """Do it once, just before the first transaction that writes."""
    waiting = [deed]

    def about_to(_connection: Connection, options: dict[str, Any]) -> None:
        if waiting and options.get("writes", False):
            waiting.pop()()

    event.listen(database.engine, "set_connection_execution_options", about_to)
    yield
    event.remove(database.engine, "set_connection_execution_options", about_to)


@contextmanager
def written(database: Database) -> Iterator[list[str]]:
    """The statements of transactions that write, in order."""
    said: list[str] = []

    def execute(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if connection.get_execution_options().get("writes", False) and statement.startswith(("SELECT", "UPDATE")):
            said.append(statement)

    event.listen(database.engine, "before_cursor_execute", execute)
    yield said
    event.remove(database.engine, "before_cursor_execute", execute)
