"""Column lineage of a blueprint: traced when it is applied, and only for tasks that something has changed for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select

from metadata.checks.view import View
from metadata.compiler import compile_plan
from metadata.contents import json_text
from metadata.database import Database
from metadata.definitions import column_edge, read_blueprint, traced_task
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint, Model
from metadata.plan import Plan, PlanTask
from metadata.sql_sources import Known
from metadata.tables import counter

RULES = 1
"""Number of the rules by which columns are followed: with another one every task is traced anew."""
LONGEST = 255
"""Letters of a column that is told of."""

_NO_MATTER = {"enabled"}
"""Fields on which no column hangs: what is off has none."""


@dataclass(frozen=True)
class ColumnEdge:
    """A column flows into another, through a task; `metadata.column_flow` says what its words mean."""

    pipeline_uid: str
    task_uid: str
    task_key: str
    from_uid: str
    from_column: str
    to_uid: str
    to_column: str
    how: str


@dataclass(frozen=True)
class Traced:
    """What is to be written: tasks that were traced anew (digest and pipeline by uid), and those to forget."""

    tasks: Mapping[str, tuple[str, str]]
    edges: tuple[ColumnEdge, ...]
    gone: frozenset[str]


def trace_all(connection: Connection) -> None:
    """Follow the columns of what is applied, in the transaction that brings their tables: nobody applies meanwhile.

    A pipeline that is not as this program wants it is left out, and followed when it is mended.
    """
    connection.execute(select(counter.c.value).where(counter.c.id == 1).with_for_update())
    try:
        view = View.of(read_blueprint(connection))
    except (PilothouseError, ValueError):
        return
    for key in view.blueprint.pipelines:
        with suppress(PilothouseError):
            write_traced(connection, _traced({}, view, [compile_plan(view.blueprint, key)]))


def trace(database: Database, blueprint: Blueprint, plans: Iterable[Plan]) -> Traced:
    """Follow the columns of every task for which something is another since it was traced last."""
    with database.read() as connection:
        known = _known(connection)
    return _traced(known, View.of(blueprint), plans)


def _known(connection: Connection) -> dict[str, str]:
    query = select(traced_task.c.task_uid, traced_task.c.digest)
    return dict(connection.execute(query).tuples().all())


def _traced(known: Mapping[str, str], view: View, plans: Iterable[Plan]) -> Traced:
    tasks: dict[str, tuple[str, str]] = {}
    edges: list[ColumnEdge] = []
    there: set[str] = set()
    for plan in plans:
        for task in plan.tasks:
            uid = task.spec.uid
            there.add(uid)
            digest = _digest(plan, task, view)
            if known.get(uid) != digest:
                tasks[uid] = (digest, plan.pipeline_uid)
                edges += edges_of(plan.pipeline_uid, task, view)
    return Traced(tasks, tuple(edges), frozenset(known.keys() - there))


def edges_of(pipeline_uid: str, task: PlanTask, view: View) -> Iterator[ColumnEdge]:
    """What a task does with columns; what leads from or to nothing that is there is left out."""
    blueprint = view.written.blueprint
    for flow in dict.fromkeys(task.spec.columns(blueprint, view.known)):
        source, target = blueprint.get(*flow.source), blueprint.get(*flow.target)
        if source is None or target is None or max(len(flow.column), len(flow.into)) > LONGEST:
            continue
        yield ColumnEdge(
            pipeline_uid, task.spec.uid, task.key, source.uid, flow.column, target.uid, flow.into, flow.how
        )


def write_traced(connection: Connection, traced: Traced) -> None:
    """Put what was traced in the place of what stood there."""
    left = [{"own_uid": uid} for uid in (*traced.tasks, *traced.gone)]
    if left:
        for table in (column_edge, traced_task):
            connection.execute(delete(table).where(table.c.task_uid == bindparam("own_uid")), left)
    if traced.tasks:
        rows = [
            {"task_uid": uid, "pipeline_uid": pipeline, "digest": digest}
            for uid, (digest, pipeline) in traced.tasks.items()
        ]
        connection.execute(insert(traced_task), rows)
    if traced.edges:
        connection.execute(insert(column_edge), [vars(each) for each in traced.edges])


def _digest(plan: Plan, task: PlanTask, view: View) -> str:
    """A hash of all that a task's columns hang on."""
    said = [
        RULES,
        plan.pipeline_uid,
        task.key,
        task.spec.model_dump_json(exclude=_NO_MATTER),
        *map(list, _around(task, view)),
    ]
    return hashlib.sha256(json_text(said).encode()).hexdigest()


def _around(task: PlanTask, view: View) -> Iterator[tuple[str, ...]]:
    """What a task takes and gives, as far as its columns hang on it."""
    blueprint = view.written.blueprint
    for ref in (*task.inputs, *task.outputs):
        definition = blueprint.get(*ref)
        uid = definition.uid if definition is not None else ""
        if ref.kind == "dataset":
            yield (*ref, uid, *_told(view.known(ref.key)))
        elif isinstance(definition, Model):
            sets = (blueprint.feature_sets[name] for name in definition.features if name in blueprint.feature_sets)
            yield (*ref, uid, definition.predicts.label, *(each.model_dump_json(exclude=_NO_MATTER) for each in sets))
        elif definition is not None:
            yield (*ref, uid, definition.model_dump_json(exclude=_NO_MATTER) if ref.kind == "feature_set" else "")


def _told(known: Known | None) -> tuple[str, ...]:
    return () if known is None else ("closed" if known.closed else "open", *known.columns)
