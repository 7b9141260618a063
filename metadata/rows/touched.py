"""What edits can touch: who names them, what comes of that in turn, and all that it takes to check it.

By uid, from the rows alone: of a large blueprint no more is read than the edits have to do with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, and_, select

from metadata.definitions import LAYOUTS, definition, reference, revision_item
from metadata.edits import Item
from metadata.errors import PilothouseError
from metadata.former import names_said, removed_as
from metadata.kinds import Blueprint, DecisionRule, Definition, Pipeline
from metadata.references import references
from metadata.rows.nearby import each_of, instead_of, nearby, uids_of
from metadata.tables import lineage_edge
from metadata.task_bodies import tasks_in
from metadata.values import in_chunks

T = TypeVar("T")
W = TypeVar("W")
_UNSURE = ("PH304", "PH341", "PH342")
"""Codes of what is refused for a task that is, or was, elsewhere."""
_MADE = ("dataset", "feature_set", "model", "monitor", "decision")
"""Kinds of what pipelines make, and of what is told of it."""


def surely(act: Callable[[W | None], T], within: W | None) -> T:
    """What is done `within` some of the blueprint; where that is refused, in all of it (None).

    Only there it is known of a task that is new whether another one that is there has done its work.
    """
    try:
        return act(within)
    except PilothouseError as error:
        if within is None or error.fault.code not in _UNSURE:
            raise
    return act(None)


def is_local(document: Blueprint) -> bool:
    """Whether no task of a document says where it stood before: that may be in any pipeline, and held by any rule."""
    return not any(task.was for _, _, value in document if isinstance(value, Pipeline) for task in value.tasks.values())


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
        users = each_of(connection, _USERS, reference.c.to_uid, new)
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


def asked_for(connection: Connection, document: Blueprint, items: Iterable[Item]) -> set[str] | None:
    """What it takes to say what a document changes beside edits: what it names, by former keys as well, and who asks
    its decisions; who names what it renames; what stood where it has something new, whatever that is now.

    None where that may be anything.
    """
    if not is_local(document):
        return None
    former = {(kind, value.was) for kind, _, value in document if value.was is not None}
    own = names_said(document)
    named = own | {(of, name) for _, _, value in document for _, of, name in references(value)}
    applied, edits = uids_of(connection, named), {(item.kind, item.key): item.uid for item in items}
    there = applied | edits
    decisions = [uid for (kind, _), uid in there.items() if kind == DecisionRule.KIND]
    asking = each_of(connection, _USERS, reference.c.to_uid, decisions)
    renamed = [there[name] for name in former if name in there]
    new = {name for name in own if name not in applied or name in edits} | former
    removed = {row.uid for row in removed_as(connection, new)}
    found = {*there.values(), *asking, *_all_users(connection, renamed), *removed}
    pipelines = [value for kind, _, value in document if kind == Pipeline.KIND]
    if pipelines:
        uids = {there[name] for name in own if name in there and name[0] == Pipeline.KIND} | removed
        found |= homes_in(connection, _tasks_ever_in(connection, uids))
    return found


def homes_in(connection: Connection, tasks: Collection[str]) -> set[str]:
    """The pipelines in which these tasks (uids) stand."""
    task = LAYOUTS[Pipeline.KIND].entries["tasks"].table
    return each_of(connection, select(task.c.pipeline_uid).distinct(), task.c.uid, tasks)


def _all_users(connection: Connection, uids: Collection[str]) -> set[str]:
    """Who names these, and who names that, in turn."""
    found, new = set[str](), set(uids)
    while new:
        found |= new
        new = each_of(connection, _USERS, reference.c.to_uid, new) - found
    return found


def _tasks_ever_in(connection: Connection, pipelines: Collection[str]) -> set[str]:
    """Tasks (uids) that ever stood in these pipelines."""
    item, found = revision_item.c, set[str]()
    for some in in_chunks(sorted(pipelines)):
        bodies = select(item.before).where(item.uid.in_(some), item.before.is_not(None))
        for body in connection.execute(bodies).scalars():
            found.update(tasks_in(body))
    return found


_USERS = select(reference.c.from_uid).distinct()


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
