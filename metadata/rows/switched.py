"""Pipelines that are off: nothing runs them, by whichever way it is asked for."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, FromClause, and_, exists, not_, or_, select

from metadata.compiler import pipeline_off
from metadata.definitions import LAYOUTS, definition, reference

_LOOKING = {"monitor": "monitor", "decide": "decisions"}
"""Kinds of tasks of which nothing is left without what they look at (`TaskSpec.without`), and the field naming that."""


def refuse_off(connection: Connection, pipeline_uid: str) -> None:
    """Raises UsageError PH521 for a pipeline that is off, or all tasks of which are, within a transaction."""
    c = definition.c
    query = select(c.key, c.enabled).where(c.uid == pipeline_uid, not_(runs(definition)))
    found = connection.execute(query).first()
    if found is not None:
        raise pipeline_off(found.key, but_for_tasks=found.enabled)


def runs(pipeline: FromClause) -> ColumnElement[bool]:
    """Whether the pipeline in `definition`, or an alias of that, is on and has a task that is (`metadata.in_force`)."""
    task = LAYOUTS["pipeline"].entries["tasks"].table
    some = exists().where(task.c.pipeline_uid == pipeline.c.uid, task.c.enabled, _has_work(task))
    return and_(pipeline.c.enabled, some.correlate(pipeline))


def _has_work(task: FromClause) -> ColumnElement[bool]:
    """Whether a task does not only look at monitors and rules, or at one that is on."""
    seen, name = definition.alias("looked_at"), "tasks." + task.c.name
    named = (and_(task.c.kind == kind, reference.c.path == name + f".{field}") for kind, field in _LOOKING.items())
    of_it = and_(reference.c.from_uid == task.c.pipeline_uid, or_(*named))
    some = exists().where(of_it, seen.c.uid == reference.c.to_uid, seen.c.enabled, asked(seen))
    return or_(task.c.kind.not_in(_LOOKING), some.correlate(task))


def asked(rule: FromClause = definition) -> ColumnElement[bool]:
    """Whether what is in `definition`, or an alias of that, is no rule of a monitor that is off: nobody asks those."""
    reads, monitor = LAYOUTS["decision"].table, definition.alias("its_monitor")
    off = exists().where(
        reads.c.uid == rule.c.uid,
        monitor.c.kind == "monitor",
        monitor.c.key == reads.c.after,
        not_(monitor.c.enabled),
    )
    return not_(off.correlate(rule))
