"""What every list of definitions can be filtered by, whichever kinds are in it: conditions on the row of `definition`.

What belongs to one kind (`layer`, `cron` …) leaves no definition of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from metadata.definitions import LAYOUTS, definition, reference
from metadata.rows.filters import (
    Condition,
    Language,
    Matcher,
    Term,
    exact_field,
    flag_field,
    is_pattern,
    listed_field,
    number_field,
    tag_field,
    text_field,
    word_field,
)

LAYERS = ("bronze", "silver", "gold")
MODES = ("append", "merge", "overwrite")


def language(own: Mapping[str, Matcher] | None = None) -> Language:
    """The filters of a list of definitions, with `own` fields beside those that all have."""
    return Language({**common_fields(), **(own or {})}, definition.c.key, (definition.c.text,), lowered=True)


def common_fields() -> dict[str, Matcher]:
    """Fields of every definition, and those of each kind."""
    c = definition.c
    column, task = LAYOUTS["dataset"].entries["columns"].table, LAYOUTS["pipeline"].entries["tasks"].table
    return {
        "kind": word_field(c.kind, LAYOUTS),
        "key": exact_field(c.key),
        "owner": exact_field(c.owner, empty=True),
        "tag": tag_field(c.tags),
        "enabled": flag_field(c.enabled),
        "revision": number_field(c.revision_changed),
        "used": number_field(c.users),
        "about": exact_field(c.about, empty=True),
        "layer": word_field(c.layer, LAYERS),
        "storage": word_field(c.mode, MODES),
        "mode": word_field(c.mode, MODES),
        "uses": _uses,
        **fields_of_kinds(),
        "column": _holding("dataset", column.c.dataset_uid, column.c.name),
        "task": _holding("pipeline", task.c.pipeline_uid, task.c.kind),
    }


def looks_elsewhere(term: Term) -> bool:
    """Whether a word of a filter is looked up in another table than that of all definitions."""
    named = term.field in ("column", "task") and any(is_pattern(value) for value in term.values)
    return named or term.field == "uses" or term.field in fields_of_kinds()


def part_table(kind: str, field: str) -> Any:
    """The table of a nested part of a kind, such as the storage rule of a dataset."""
    return LAYOUTS[kind].parts[field].table


def fields_of_kinds() -> dict[str, Matcher]:
    """Fields of what stands in the tables of the kinds."""
    connection, model, monitor = (LAYOUTS[kind].table for kind in ("connection", "model", "monitor"))
    rule, schedule = LAYOUTS["decision"].table, LAYOUTS["schedule"].table
    return {
        "connection": _having(connection.c.uid, exact_field(connection.c.kind)),
        "metric": _having(model.c.uid, exact_field(model.c.metric)),
        "model": _having(monitor.c.uid, exact_field(monitor.c.model)),
        "after": _having(rule.c.uid, exact_field(rule.c.after)),
        "pipeline": _having(schedule.c.uid, exact_field(schedule.c.pipeline)),
        "overlap": _having(schedule.c.uid, text_field(schedule.c.overlap)),
    }


def _having(uid: ColumnElement[Any], matcher: Matcher) -> Matcher:
    """Matches by the row that a definition has in another table."""
    return lambda value: definition.c.uid.in_(select(uid).where(matcher(value)))


def _holding(kind: str, uid: ColumnElement[Any], name: ColumnElement[Any]) -> Matcher:
    """Matches by one of the names that a definition holds; a pattern could go from one of them to the next."""
    having, listed = _having(uid, exact_field(name)), listed_field(definition.c.holds)

    def matcher(value: str) -> Condition:
        return having(value) if is_pattern(value) or not value else and_(definition.c.kind == kind, listed(value))

    return matcher


def _uses(value: str) -> Condition:
    """What names the definitions of that key."""
    named = definition.alias("named")
    users = select(reference.c.from_uid).join(named, named.c.uid == reference.c.to_uid)
    return definition.c.uid.in_(users.where(exact_field(named.c.key)(value)))
