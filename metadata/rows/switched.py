"""Pipelines that are off: nothing runs them, by whichever way it is asked for."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, exists, not_, select

from metadata.compiler import pipeline_off
from metadata.definitions import LAYOUTS, definition


def refuse_off(connection: Connection, pipeline_uid: str) -> None:
    """Raises UsageError PH521 for a pipeline that is off, within a transaction."""
    c = definition.c
    found = connection.execute(select(c.key, c.enabled).where(c.uid == pipeline_uid)).first()
    if found is not None and not found.enabled:
        raise pipeline_off(found.key)


def asked() -> ColumnElement[bool]:
    """Whether the monitor of the rule in `definition` is not off: else nobody asks that rule."""
    rule, monitor = LAYOUTS["decision"].table, definition.alias("its_monitor")
    off = exists().where(
        rule.c.uid == definition.c.uid,
        monitor.c.kind == "monitor",
        monitor.c.key == rule.c.after,
        not_(monitor.c.enabled),
    )
    return not_(off.correlate(definition))
