"""What every list of definitions can be filtered by, whichever kinds are in it: conditions on the row of `definition`.

What belongs to one kind (`layer`, `cron` …) leaves no definition of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, select

from metadata.definitions import LAYOUTS, definition, reference
from metadata.rows.filters import (
    Condition,
    Language,
    Matcher,
    exact_field,
    flag_field,
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
    return {
        "kind": word_field(c.kind, LAYOUTS),
        "key": exact_field(c.key),
        "owner": exact_field(c.owner, empty=True),
        "tag": tag_field(c.tags),
        "enabled": flag_field(c.enabled),
        "revision": number_field(c.revision_changed),
        "used": number_field(c.users),
        "about": exact_field(c.about, empty=True),
        "uses": _uses,
        **fields_of_kinds(),
    }


def part_table(kind: str, field: str) -> Any:
    """The table of a nested part of a kind, such as the storage rule of a dataset."""
    return LAYOUTS[kind].parts[field].table


def fields_of_kinds() -> dict[str, Matcher]:
    """Fields of what stands in the tables of the kinds."""
    dataset, storage = LAYOUTS["dataset"].table, part_table("dataset", "storage")
    column, task = LAYOUTS["dataset"].entries["columns"].table, LAYOUTS["pipeline"].entries["tasks"].table
    connection, model, monitor = (LAYOUTS[kind].table for kind in ("connection", "model", "monitor"))
    rule, schedule = LAYOUTS["decision"].table, LAYOUTS["schedule"].table
    stored = word_field(storage.c.mode, MODES)
    return {
        "layer": _having(dataset.c.uid, word_field(dataset.c.layer, LAYERS)),
        "storage": _having(storage.c.dataset_uid, stored),
        "mode": _having(storage.c.dataset_uid, stored),
        "column": _having(column.c.dataset_uid, exact_field(column.c.name)),
        "connection": _having(connection.c.uid, exact_field(connection.c.kind)),
        "task": _having(task.c.pipeline_uid, exact_field(task.c.kind)),
        "metric": _having(model.c.uid, exact_field(model.c.metric)),
        "model": _having(monitor.c.uid, exact_field(monitor.c.model)),
        "after": _having(rule.c.uid, exact_field(rule.c.after)),
        "pipeline": _having(schedule.c.uid, exact_field(schedule.c.pipeline)),
        "overlap": _having(schedule.c.uid, text_field(schedule.c.overlap)),
    }


def _having(uid: ColumnElement[Any], matcher: Matcher) -> Matcher:
    """Matches by the row that a definition has in another table."""
    return lambda value: definition.c.uid.in_(select(uid).where(matcher(value)))


def _uses(value: str) -> Condition:
    """What names the definitions of that key."""
    named = definition.alias("named")
    users = select(reference.c.from_uid).join(named, named.c.uid == reference.c.to_uid)
    return definition.c.uid.in_(users.where(exact_field(named.c.key)(value)))
