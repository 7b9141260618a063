"""What edits can touch: who names them, what comes of that in turn, and all that it takes to check it.

By uid, from the rows alone: of a large blueprint no more is read than the edits have to do with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection, and_, select

from metadata.definitions import LAYOUTS, definition, reference
from metadata.edits import Item
from metadata.kinds import Blueprint, DecisionRule, Definition, Pipeline
from metadata.references import references
from metadata.rows.nearby import each_of, instead_of, nearby, uids_of
from metadata.tables import lineage_edge

_MADE = ("dataset", "feature_set", "model", "monitor", "decision")
"""Kinds of what pipelines make, and of what is told of it."""


def changes_only(blueprint: Blueprint, document: Blueprint) -> bool:
    """Whether a document only changes what is there: no definition, and no task, is new in it or has another key.

    What comes of such a one hangs on no other definition than those that it names.
    """
    for kind, key, value in document:
        there = blueprint.get(kind, key)
        if there is None or value.was is not None:
            return False
        if isinstance(value, Pipeline) and isinstance(there, Pipeline):
            known = {name: task.kind for name, task in there.tasks.items()}
            if any(task.was is not None or known.get(name) != task.kind for name, task in value.tasks.items()):
                return False
    return True


def touched_by(connection: Connection, uids: Collection[str], edited: Sequence[Definition]) -> set[str]:
    """Definitions of which checks, plans and rows may be others when these `uids` are as `edited`: they are among it.

    Who names one of them, what such a pipeline makes, and so on; of those that are pipelines, or decisions that have
    something made, what they make, and would make.
    """
    found: set[str] = set()
    new = set(uids) | _made_now(connection, uids) | _would_make(connection, edited)
    new |= _made_by_decisions(connection, new)
    while new:
        found |= new
        users = each_of(connection, select(reference.c.from_uid).distinct(), reference.c.to_uid, new)
        new = (users | _made(connection, new)) - found
    return found


def needed_for(
    connection: Connection, touched: Collection[str], edited: Iterable[Definition], items: Sequence[Item]
) -> set[str]:
    """All that it takes to check what is touched: what it names, and who makes that; `items` are all edits.

    Of a name that is not there, or not any more, what may have been meant by it.
    """
    named = {(kind, key) for value in edited for _, kind, key in references(value)}
    there = uids_of(connection, named)
    given = {(item.kind, item.key) for item in items if item.after is not None}
    taken = {(item.kind, item.key_before) for item in items if item.key_before is not None}
    lacking = {name for name in named - given if name not in there or name in taken}
    beside = {uid for kind, key in lacking for uid in instead_of(connection, kind, key)}
    return nearby(connection, {*touched, *there.values()}) | beside


def asked_for(connection: Connection, document: Blueprint) -> set[str]:
    """What a document that `changes_only` is about, what it names, and who asks its decisions."""
    names = {(kind, key) for kind, key, _ in document}
    names |= {(of, name) for _, _, value in document for _, of, name in references(value)}
    there = uids_of(connection, names)
    decisions = [uid for (kind, _), uid in there.items() if kind == DecisionRule.KIND]
    asking = each_of(connection, select(reference.c.from_uid).distinct(), reference.c.to_uid, decisions)
    return {*there.values(), *asking}


def homes_in(connection: Connection, tasks: Collection[str]) -> set[str]:
    """The pipelines in which these tasks (uids) stand."""
    task = LAYOUTS[Pipeline.KIND].entries["tasks"].table
    return each_of(connection, select(task.c.pipeline_uid).distinct(), task.c.uid, tasks)


def _made(connection: Connection, uids: Collection[str]) -> set[str]:
    """What pipelines among these make."""
    edges = each_of(connection, select(lineage_edge.c.to_uid).distinct(), lineage_edge.c.pipeline_uid, uids)
    written = select(reference.c.to_uid).distinct().where(reference.c.path.like("tasks.%.to"))
    return edges | each_of(connection, written, reference.c.from_uid, uids)


def _made_now(connection: Connection, uids: Collection[str]) -> set[str]:
    """What those name that are pipelines or decisions, other than in SQL."""
    named = definition.alias("named")
    query = (
        select(reference.c.to_uid)
        .distinct()
        .join(definition, definition.c.uid == reference.c.from_uid)
        .join(named, named.c.uid == reference.c.to_uid)
        .where(definition.c.kind.in_((Pipeline.KIND, DecisionRule.KIND)), named.c.kind.in_(_MADE))
        .where(reference.c.path.not_like("%.sql"))
    )
    return each_of(connection, query, reference.c.from_uid, uids)


def _would_make(connection: Connection, edited: Iterable[Definition]) -> set[str]:
    """The same of what these say."""
    names = {
        (kind, key)
        for value in edited
        if isinstance(value, Pipeline | DecisionRule)
        for path, kind, key in references(value)
        if kind in _MADE and not path.endswith(".sql")
    }
    return set(uids_of(connection, names).values())


def _made_by_decisions(connection: Connection, uids: Collection[str]) -> set[str]:
    """What decisions among these have made: models."""
    decides = and_(definition.c.uid == reference.c.from_uid, definition.c.kind == DecisionRule.KIND)
    query = select(reference.c.to_uid).distinct().join(definition, decides)
    return each_of(connection, query, reference.c.from_uid, uids)
