"""Which definitions it takes to say what edits are by now. By uid, from the rows alone."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, or_, select

from metadata.definitions import LAYOUTS, definition, reference
from metadata.edits import Item
from metadata.kinds import DecisionRule, Pipeline
from metadata.rows.nearby import each_of
from metadata.task_bodies import tasks_in
from metadata.values import AT_ONCE, in_chunks


def concerned(connection: Connection, kept: Sequence[Item]) -> set[str]:
    """What edits are of, what has the keys that they give, the pipelines where their tasks are by now, and who asks
    their decisions: these hold tasks of it.
    """
    uids, task = {item.uid for item in kept}, LAYOUTS[Pipeline.KIND].entries["tasks"].table
    decisions = {item.uid for item in kept if item.kind == DecisionRule.KIND}
    keys = [
        and_(definition.c.kind == item.kind, definition.c.key == item.key)
        for item in kept
        if item.after is not None and item.key != item.key_before
    ]
    tasks = sorted({uid for item in kept for body in (item.before, item.after) for uid in tasks_in(body)})
    uids |= each_of(connection, select(reference.c.from_uid).distinct(), reference.c.to_uid, decisions)
    for some in in_chunks(keys, AT_ONCE // 2):
        uids.update(connection.execute(select(definition.c.uid).where(or_(*some))).scalars())
    for chunk in in_chunks(tasks):
        uids.update(connection.execute(select(task.c.pipeline_uid).where(task.c.uid.in_(chunk))).scalars())
    return uids
