"""Edits of a change set after what others have applied since: what they name is called by the keys that it has now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from metadata.contents import same
from metadata.definitions import definition, revision_item
from metadata.edits import Item
from metadata.kinds import Blueprint, DecisionRule, Pipeline
from metadata.staging import definition_of, holding_as_now, in_keys_of, rebase
from metadata.successors import called_otherwise
from metadata.values import in_chunks


def in_keys_of_now(connection: Connection, kept: list[Item], number: int) -> tuple[Item, ...]:
    """The edits in the keys that things have now."""
    since = {item.revision for item in kept if item.revision != number}
    renamed = {revision: _renamed_since(connection, revision) for revision in since}
    given = {(item.kind, item.key) for item in kept if item.after is not None and item.key != item.key_before}
    return tuple(in_keys_of(item, renamed.get(item.revision, {}), number, given) for item in kept)


def _renamed_since(connection: Connection, revision: int) -> dict[tuple[str, str], str]:
    """By (kind, key) that what is there now had at a revision: its key now, where that is another."""
    log = revision_item.c
    query = select(log.uid, log.kind, log.key_before).where(log.revision > revision).order_by(log.revision)
    then: dict[str, tuple[str, str] | None] = {}
    for uid, kind, key in connection.execute(query):
        then.setdefault(uid, None if key is None else (kind, key))
    had = {uid: name for uid, name in then.items() if name is not None}
    now: dict[str, tuple[str, str]] = {}
    for chunk in in_chunks(sorted(had)):
        some = definition.c.uid.in_(chunk)
        for uid, kind, key in connection.execute(
            select(definition.c.uid, definition.c.kind, definition.c.key).where(some)
        ):
            now[uid] = kind, key
    return called_otherwise({uid: name for uid, name in had.items() if uid in now}, now)


def not_applied_since(connection: Connection, kept: list[Item]) -> list[Item]:
    """The edits without those that others applied likewise since, whatever came of it then."""
    log, oldest = revision_item.c, min((item.revision for item in kept), default=0)
    done: dict[str, list[tuple[int, str, dict[str, Any] | None]]] = {}
    for some in in_chunks([item.uid for item in kept]):
        query = select(log.uid, log.key, log.after, log.revision).where(log.uid.in_(some), log.revision > oldest)
        for uid, key, after, revision in connection.execute(query):
            done.setdefault(uid, []).append((revision, key, after))
    return [
        item
        for item in kept
        if not any(
            revision > item.revision and key == item.key and same(after, item.after)
            for revision, key, after in done.get(item.uid, ())
        )
    ]


def in_tasks_of_now(
    connection: Connection, kept: Sequence[Item], current: Blueprint, items: tuple[Item, ...]
) -> tuple[Item, ...]:
    """The edits, of which decisions hold tasks by the keys that others gave them since those `kept` began."""
    began = {
        item.uid: item.revision
        for item in kept
        if item.kind == DecisionRule.KIND and (item.after or {}).get("then", {}).get("hold")
    }
    log, working = revision_item.c, rebase(current, items).blueprint if began else current
    for revision in sorted(set(began.values())):
        query = select(log.uid, log.before).where(log.kind == Pipeline.KIND, log.revision > revision)
        bodies: dict[str, Any] = {}
        for uid, before in connection.execute(query.order_by(log.revision)):
            bodies.setdefault(uid, before)
        then = {
            key: before
            for key, value in working.pipelines.items()
            if value.uid in bodies and (before := definition_of(Pipeline.KIND, value.uid, bodies[value.uid] or {}))
        }
        rules = {key: rule for key, rule in working.decisions.items() if began.get(rule.uid) == revision}
        was = Blueprint().model_copy(update={"pipelines": then, "decisions": rules})
        items = tuple(holding_as_now(was, working, items))
    return items
