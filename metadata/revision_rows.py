"""Rows of today's blueprint, brought to what a revision leaves, within its transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from metadata import tables
from metadata.changes import Change, ChangeSet
from metadata.contents import content_hash
from metadata.definitions import (
    definition,
    dependency,
    forget_references,
    write_references,
    write_rows,
)
from metadata.kinds import Definition
from metadata.lineage import edges
from metadata.plan import Plan
from metadata.references import references
from metadata.revision_log import places_of
from metadata.search_index import count_users, named_by, summary_of, write_words


def write_definitions(connection: Connection, changes: ChangeSet, number: int, change: int) -> None:
    """Make the rows of what a revision changes what it leaves; `change` is its number among all changes."""
    by_uid = {value.uid: (kind, value) for kind, _, value in changes.blueprint}
    created = [each for each in changes.changes if each.action == "created"]
    deleted = [each.uid for each in changes.changes if each.action == "deleted"]
    touched = [each for each in changes.changes if each.action in ("changed", "renamed")]
    renamed = [each for each in touched if each.action == "renamed"]
    values = [by_uid[each.uid] for each in (*created, *touched)]
    own = {value.uid for _, value in values}
    others = [(kind, value) for kind, value in _naming_another(changes) if value.uid not in own]
    before = [*deleted, *(each.uid for each in touched), *(value.uid for _, value in others)]
    named = named_by(connection, before)
    forget_references(connection, before)
    for uid in deleted:
        connection.execute(delete(definition).where(definition.c.uid == uid))
    for each in renamed:  # keys may move in a circle: none may be in the way of another
        connection.execute(update(definition).where(definition.c.uid == each.uid).values(key=f" {each.uid}"))
    new = {each.uid: (number, place) for place, each in enumerate(changes.changes)}
    places = new | places_of(connection, [each.uid for each in created])
    rows = [
        {
            **_common(each, by_uid[each.uid][1], number, change),
            **dict(zip(("revision_created", "position"), places[each.uid], strict=True)),
        }
        for each in created
    ]
    if rows:
        connection.execute(insert(definition), rows)
    if touched:
        connection.execute(
            update(definition).where(definition.c.uid == bindparam("own_uid")),
            [{**_common(each, by_uid[each.uid][1], number, change), "own_uid": each.uid} for each in touched],
        )
    write_rows(connection, values)
    write_references(connection, [*values, *others], changes.blueprint)
    write_words(connection, ((each.key, by_uid[each.uid][1]) for each in (*created, *touched)))
    count_users(connection, named | named_by(connection, [value.uid for _, value in (*values, *others)]))


def _naming_another(changes: ChangeSet) -> Iterator[tuple[str, Definition]]:
    """Definitions that name something by a key which was that of something else before."""
    before = {(kind, key): value.uid for kind, key, value in changes.before}
    passed = {(kind, key) for kind, key, value in changes.blueprint if before.get((kind, key), value.uid) != value.uid}
    for kind, _, value in changes.blueprint if passed else ():
        if any((each.kind, each.key) in passed for each in references(value)):
            yield kind, value


def _common(each: Change, value: Definition, number: int, change: int) -> dict[str, Any]:
    return {
        "uid": each.uid,
        "kind": each.kind,
        "key": each.key,
        "description": value.description,
        "owner": value.owner,
        "tags": list(value.tags),
        "enabled": value.enabled,
        "hash": content_hash(value),
        "revision_changed": number,
        "changed": change,
        **summary_of(each.key, value),
    }


def write_plans(connection: Connection, plans: Iterable[Plan]) -> None:
    """Lineage and dependencies of pipelines whose plan is another one now, as they are drawn."""
    edge = tables.lineage_edge
    known = {
        row.pipeline_uid: row.plan_hash
        for row in connection.execute(select(edge.c.pipeline_uid, edge.c.plan_hash).distinct())
    }
    wanted = {plan.pipeline_uid: plan for plan in plans}
    for uid in known.keys() | wanted.keys():
        plan = wanted.get(uid)
        if plan is not None and known.get(uid) == plan.hash:
            continue
        connection.execute(delete(edge).where(edge.c.pipeline_uid == uid))
        connection.execute(delete(dependency).where(dependency.c.pipeline_uid == uid))
        if plan is not None:
            _insert_plan(connection, plan)


def _insert_plan(connection: Connection, plan: Plan) -> None:
    found = [{"pipeline_uid": plan.pipeline_uid, "plan_hash": plan.hash, **asdict(each)} for each in edges(plan)]
    if found:
        connection.execute(insert(tables.lineage_edge), found)
    after = [
        {"pipeline_uid": plan.pipeline_uid, "task": task.key, "after": upstream}
        for task in plan.tasks
        for upstream in task.upstream
    ]
    if after:
        connection.execute(insert(dependency), after)
