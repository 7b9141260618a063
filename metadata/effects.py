"""What a changed field means for rows that are there: one table, read field by field. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from metadata.contents import same
from metadata.kinds import Definition
from metadata.references import references
from metadata.sql_words import same_words
from metadata.tasks import Ref, TaskSpec


class Effect(Enum):
    """What a changed field does, from nothing at all to most."""

    NOTHING = "no row, figure or decision is another"
    LATER = "what comes is another; what is there stays right"
    LAYOUT = "the same rows are to lie otherwise, which only writing them anew does"
    FIT = "rows stay what they are; what was fitted on them would be another"
    ROWS = "rows that are there, or what was fitted on them, would come out otherwise now"
    UNMERGED = "as ROWS, and merging all rows once more does not mend those that are there"
    MEANING = "as ROWS, and predictions that are there answer another question"


_COMMON = dict.fromkeys(("description", "owner", "tags", "enabled"), Effect.NOTHING)
"""What is switched off or on gives no longer, or again: that is no matter of a field."""

EFFECTS: dict[str, dict[str, Effect]] = {
    "connection": _COMMON
    | {
        "kind": Effect.ROWS,
        "path": Effect.LATER,
        "url": Effect.LATER,
        "nulls": Effect.ROWS,
        "delimiter": Effect.ROWS,
        "header": Effect.ROWS,
    },
    "dataset": _COMMON
    | {
        "layer": Effect.NOTHING,
        "columns.*": Effect.ROWS,
        "columns.*.type": Effect.UNMERGED,
        "columns.*.unit": Effect.NOTHING,
        "columns.*.description": Effect.NOTHING,
        "storage.mode": Effect.UNMERGED,
        "storage.keys": Effect.UNMERGED,
        "storage.partition_by": Effect.LAYOUT,
        "schema_drift": Effect.NOTHING,
        "quality.*": Effect.UNMERGED,
        "quality.*.expect": Effect.UNMERGED,
        "quality.*.unique": Effect.UNMERGED,
        "quality.*.otherwise": Effect.UNMERGED,
        "quality.*.at_most": Effect.NOTHING,
        "quality.*.enabled": Effect.NOTHING,
        "fresh_within": Effect.NOTHING,
    },
    "feature_set": _COMMON
    | {
        "from": Effect.ROWS,
        "entity": Effect.MEANING,
        "event_time": Effect.MEANING,
        "features.*": Effect.ROWS,
        "features.*.expr": Effect.ROWS,
        "features.*.default": Effect.FIT,
        "features.*.by": Effect.ROWS,
        "features.*.over": Effect.ROWS,
        "features.*.known_after": Effect.ROWS,
    },
    "model": _COMMON
    | {
        "predicts.label": Effect.MEANING,
        "predicts.kind": Effect.MEANING,
        "predicts.from": Effect.ROWS,
        "predicts.known_after": Effect.ROWS,
        "features": Effect.ROWS,
        "estimator.class": Effect.ROWS,
        "estimator.params": Effect.ROWS,
        "estimator.seed": Effect.ROWS,
        "trained_on.window": Effect.ROWS,
        "trained_on.min_history": Effect.NOTHING,
        "trained_on.split": Effect.ROWS,
        "trained_on.test": Effect.ROWS,
        "metric": Effect.NOTHING,
        "promote_when": Effect.NOTHING,
    },
    "monitor": _COMMON
    | {
        "model": Effect.LATER,
        "predictions": Effect.LATER,
        "window": Effect.LATER,
        "reference": Effect.LATER,
        "watch": Effect.LATER,
        "threshold": Effect.LATER,
    },
    "decision": _COMMON | {"after": Effect.LATER, "when": Effect.LATER, "then": Effect.LATER, "cooldown": Effect.LATER},
    "pipeline": _COMMON
    | {
        "timezone": Effect.FIT,
        "parameters.*": Effect.ROWS,
        "parameters.*.type": Effect.ROWS,
        "parameters.*.default": Effect.ROWS,
        "parameters.*.description": Effect.NOTHING,
    },
    "schedule": _COMMON
    | {
        "pipeline": Effect.NOTHING,
        "cron": Effect.NOTHING,
        "timezone": Effect.NOTHING,
        "overlap": Effect.NOTHING,
        "parameters": Effect.NOTHING,
    },
}
"""Effect of every field, by kind and path; `*` is any key, and a path that ends in it says that an entry comes or goes.

In what order entries stand means nothing here. The tasks of a pipeline are told by `task_fields`.
"""

_SQL = frozenset({"quality.*.expect", "features.*.expr", "predicts.label"})
"""Fields that hold SQL: spaces and comments in it mean nothing."""

TASK_NOTHING = frozenset({"uid", "was", "description", "after", "when", "retries", "retry_delay", "timeout", "enabled"})
"""Fields of any task that change no row of what it writes. Every other one, of whatever task kind, is as ROWS."""


def effects(before: Definition, after: Definition) -> Iterator[tuple[str, Effect]]:
    """Path and effect of every field that differs and means something."""
    old, new = _telling(before), _telling(after)
    for pattern, effect in EFFECTS[after.KIND].items():
        if effect is not Effect.NOTHING:
            sql = pattern in _SQL
            yield from ((path, effect) for path in _differing(pattern.split("."), old, new, "", sql))


def task_fields(before: TaskSpec, after: TaskSpec, targets: Collection[Ref]) -> tuple[str, ...]:
    """Fields of a task by which what it gives comes out otherwise. Those that only name its `targets` are none."""
    if before == after:
        return ()
    old, new = (_own(spec, targets) for spec in (before, after))
    queries = after.queries()
    return tuple(
        name
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
        and not (name in queries and same_words(str(old.get(name, "")), str(new.get(name, ""))))
    )


def _own(spec: TaskSpec, targets: Collection[Ref]) -> dict[str, Any]:
    only_targets: dict[str, bool] = {}
    for path, kind, key in references(spec):
        name = path.split(".")[0]
        only_targets[name] = only_targets.get(name, True) and Ref(kind, key) in targets
    left_out = TASK_NOTHING | {name for name, only in only_targets.items() if only}
    return spec.model_dump(mode="json", by_alias=True, exclude=set(left_out))


def _telling(value: Definition) -> dict[str, Any]:
    """What a definition says, without what has no effect in it: keys that nothing merges by, rules that merely warn."""
    said = value.model_dump(mode="json", by_alias=True)
    if value.KIND == "dataset":
        if said["storage"]["mode"] != "merge":
            said["storage"]["keys"] = []
        said["quality"] = {name: rule for name, rule in said["quality"].items() if rule["otherwise"] != "warn"}
    return said


def _differing(
    steps: Sequence[str], before: Mapping[str, Any], after: Mapping[str, Any], path: str, sql: bool
) -> Iterator[str]:
    """Paths that match `steps` at which both sides differ."""
    step, *rest = steps
    keys = dict.fromkeys((*before, *after)) if step == "*" else (step,)
    for key in keys:
        one, other = before.get(key), after.get(key)
        if rest:
            if isinstance(one, Mapping) and isinstance(other, Mapping):
                yield from _differing(rest, one, other, f"{path}{key}.", sql)
        elif step == "*":
            if (key in before) != (key in after):
                yield f"{path}{key}"
        elif not same(one, other) and not (sql and one and other and same_words(one, other)):
            yield f"{path}{key}"
