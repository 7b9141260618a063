"""Pipelines that are off: nothing runs them, by whichever way it is asked for."""

from __future__ import annotations

import functools

from sqlalchemy import ColumnElement, Connection, FromClause, and_, exists, literal, not_, or_, select

from metadata.compiler import pipeline_off
from metadata.definitions import LAYOUTS, definition, reference


def refuse_off(connection: Connection, pipeline_uid: str) -> None:
    """Raises UsageError PH521 for a pipeline that is off, or all tasks of which are, within a transaction."""
    c = definition.c
    query = select(c.key, c.enabled).where(c.uid == pipeline_uid, not_(runs(definition)))
    found = connection.execute(query).first()
    if found is not None:
        raise pipeline_off(found.key, but_for_tasks=found.enabled)


def runs(pipeline: FromClause) -> ColumnElement[bool]:
    """Whether the pipeline in `definition`, or an alias of that, is on and has a task that is, with something to do."""
    task = LAYOUTS["pipeline"].entries["tasks"].table
    some = exists().where(task.c.pipeline_uid == pipeline.c.uid, task.c.enabled, not_(_is_idle()))
    return and_(pipeline.c.enabled, some.correlate(pipeline))


@functools.cache
def _is_idle() -> ColumnElement[bool]:
    """Whether a task measures a monitor that is off, or asks no rule that is asked; made once for all lists."""
    task, named = LAYOUTS["pipeline"].entries["tasks"].table, definition.alias("named")

    def names(field: str, *which: ColumnElement[bool]) -> ColumnElement[bool]:
        at = reference.c.path == literal("tasks.") + task.c.name + f".{field}"
        it = and_(reference.c.from_uid == task.c.pipeline_uid, named.c.uid == reference.c.to_uid)
        return exists().where(it, at, *which).correlate(task)

    return or_(
        and_(task.c.kind == "monitor", names("monitor", not_(named.c.enabled))),
        and_(task.c.kind == "decide", not_(names("decisions", named.c.enabled, asked(named)))),
    )


def asked(of: FromClause = definition) -> ColumnElement[bool]:
    """Whether the monitor of the rule in `definition`, or an alias of that, is not off: else nobody asks that rule."""
    rule, monitor = LAYOUTS["decision"].table, definition.alias("its_monitor")
    off = exists().where(
        rule.c.uid == of.c.uid,
        monitor.c.kind == "monitor",
        monitor.c.key == rule.c.after,
        not_(monitor.c.enabled),
    )
    return not_(off.correlate(of))
