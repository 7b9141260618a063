"""Lineage of a column as rows: what it comes of, and what reads it, over several steps."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, RowMapping, select

from metadata import tables
from metadata.column_flow import MADE, UNKNOWN
from metadata.database import Database
from metadata.definitions import LAYOUTS, column_edge, definition
from metadata.rows.lineage import Direction, Via
from metadata.sql_sources import EVERY

DEEPEST = 12
"""Steps that are followed."""
MOST = 200
"""Steps that are told of."""


@dataclass(frozen=True)
class ColumnStep:
    """One step further: the column of a thing that is there, the tasks that lead to it, and what those do.

    `column` is empty where none is there: it is read for something else, or comes of nothing that can be named.
    """

    depth: int
    kind: str
    uid: str
    key: str
    column: str
    how: str
    via: tuple[Via, ...]


@dataclass(frozen=True)
class ColumnLineage:
    """What a column comes of and what reads it, nearest first, each step below the one that it hangs on."""

    column: str
    up: tuple[ColumnStep, ...]
    down: tuple[ColumnStep, ...]
    cut: bool
    """Whether there is more than is told."""


def columns_known(database: Database, dataset_uid: str) -> tuple[str, ...]:
    """Columns of a dataset: those that its newest batch left, else those that are declared, else those that are given.

    Empty where nobody knows one.
    """
    with database.read() as connection:
        return _columns(connection, dataset_uid)


def column_lineage(database: Database, dataset_uid: str, column: str, depth: int = DEEPEST) -> ColumnLineage:
    """Follow a column of a dataset both ways."""
    with database.read() as connection:
        edges = _Edges(connection)
        up, more_up = _walk(edges, dataset_uid, column, "up", depth)
        down, more_down = _walk(edges, dataset_uid, column, "down", depth)
        pipelines = {via.pipeline for step in (*up, *down) for via in step.via}
        names = _names(connection, pipelines | {step.uid for step in (*up, *down)})
    told = [tuple(_named(step, names) for step in steps) for steps in (up, down)]
    return ColumnLineage(column, told[0], told[1], more_up or more_down)


def readers_of(database: Database, dataset_uid: str) -> dict[str, int]:
    """How many tasks read each column of a dataset, by its lower-case name."""
    edge = column_edge
    with database.read() as connection:
        rows = connection.execute(
            select(edge.c.from_column, edge.c.task_uid).where(edge.c.from_uid == dataset_uid, edge.c.from_column != "")
        ).all()
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[row.from_column.lower()].add(row.task_uid)
    every = found.pop(EVERY, set())
    return {name: len(tasks | every) for name, tasks in found.items()} | ({EVERY: len(every)} if every else {})


@dataclass
class _Edges:
    """Edges of things, each thing's read once."""

    connection: Connection
    _to: dict[str, list[RowMapping]] = field(default_factory=dict)
    _from: dict[str, list[RowMapping]] = field(default_factory=dict)
    _known: dict[str, frozenset[str]] = field(default_factory=dict)

    def up(self, uid: str, column: str) -> Iterator[tuple[str, str, RowMapping]]:
        """Uid and column of what leads to a column, with the edge."""
        wanted = column.lower()
        rows = self._of(self._to, "to_uid", uid)
        named = [row for row in rows if row["to_column"].lower() == wanted]
        yield from ((row["from_uid"], row["from_column"], row) for row in named)
        tasks = {row["task_uid"] for row in named}
        for row in rows:
            if row["to_column"] == EVERY and row["task_uid"] not in tasks:
                yield row["from_uid"], column, row

    def down(self, uid: str, column: str) -> Iterator[tuple[str, str, RowMapping]]:
        """Uid and column of what a column leads to, with the edge."""
        wanted = column.lower()
        for row in self._of(self._from, "from_uid", uid):
            if row["from_column"].lower() == wanted:
                yield row["to_uid"], row["to_column"], row
            elif row["from_column"] == EVERY and self._passes(row, wanted):
                yield row["to_uid"], column, row

    def _passes(self, edge: RowMapping, wanted: str) -> bool:
        """Whether a column is among all those that a task passes on by name."""
        others = self._of(self._to, "to_uid", edge["to_uid"])
        if any(row["task_uid"] == edge["task_uid"] and row["to_column"].lower() == wanted for row in others):
            return False
        if edge["to_uid"] not in self._known:
            columns = _columns(self.connection, edge["to_uid"], given=False)
            self._known[edge["to_uid"]] = frozenset(name.lower() for name in columns)
        known = self._known[edge["to_uid"]]
        return not known or wanted in known

    def _of(self, kept: dict[str, list[RowMapping]], side: str, uid: str) -> list[RowMapping]:
        if uid not in kept:
            edge = column_edge
            query = select(edge).where(edge.c[side] == uid).order_by(edge.c.id)
            kept[uid] = list(self.connection.execute(query).mappings())
        return kept[uid]


@dataclass
class _Place:
    """A step in the tree of steps, with those that hang on it."""

    step: ColumnStep
    below: list[_Place] = field(default_factory=list)

    def told(self) -> Iterator[ColumnStep]:
        """Itself, then each below it with those that hang on that."""
        yield self.step
        for each in self.below:
            yield from each.told()


def _walk(edges: _Edges, uid: str, column: str, way: Direction, depth: int) -> tuple[list[ColumnStep], bool]:
    """Steps from a column on, and whether there are more; what was gone through is not gone through again.

    The nearest come first, so that what is told of something begins at its nearest place.
    """
    first = [_Place(step) for step in _next(edges, uid, column, way, 1)]
    tops = first[:MOST]
    told, cut = len(tops), len(first) > MOST
    seen, waiting = {(uid, column.lower())}, deque(tops)
    while waiting and not cut:
        place = waiting.popleft()
        step = place.step
        here = (step.uid, step.column.lower())
        if not step.column or here in seen:
            continue
        seen.add(here)
        further = [_Place(each) for each in _next(edges, step.uid, step.column, way, step.depth + 1)]
        place.below = further[: MOST - told] if step.depth < depth else []
        cut = len(place.below) < len(further)
        told += len(place.below)
        waiting.extend(place.below)
    return [step for top in tops for step in top.told()], cut


def _next(edges: _Edges, uid: str, column: str, way: Direction, at: int) -> Iterator[ColumnStep]:
    together: dict[tuple[str, str, str], list[Via]] = defaultdict(list)
    for other, name, edge in edges.up(uid, column) if way == "up" else edges.down(uid, column):
        if way == "up" or edge["how"] not in (MADE, UNKNOWN):
            together[other, name, edge["how"]].append(Via(edge["pipeline_uid"], edge["task_key"]))
    for (other, name, how), via in together.items():
        yield ColumnStep(at, "", other, "", name, how, tuple(via))


def _names(connection: Connection, uids: set[str]) -> dict[str, tuple[str, str]]:
    rows = connection.execute(
        select(definition.c.uid, definition.c.kind, definition.c.key).where(definition.c.uid.in_(sorted(uids)))
    )
    return {row.uid: (row.kind, row.key) for row in rows}


def _named(step: ColumnStep, names: Mapping[str, tuple[str, str]]) -> ColumnStep:
    kind, key = names.get(step.uid, ("", ""))
    named = (Via(names.get(each.pipeline, ("", ""))[1], each.task) for each in step.via)
    via = tuple(sorted(named, key=lambda each: each.pipeline))
    return ColumnStep(step.depth, kind, step.uid, key, step.column, step.how, via)


def _columns(connection: Connection, uid: str, given: bool = True) -> tuple[str, ...]:
    state, declared, edge = tables.dataset_state, LAYOUTS["dataset"].entries["columns"].table, column_edge
    written = connection.execute(select(state.c.columns).where(state.c.dataset_uid == uid)).scalar()
    if written:
        return tuple(written)
    query = select(declared.c.name).where(declared.c.dataset_uid == uid).order_by(declared.c.position)
    names = tuple(connection.execute(query).scalars())
    if names or not given:
        return names
    into = connection.execute(
        select(edge.c.to_column).where(edge.c.to_uid == uid, edge.c.to_column.not_in(("", EVERY))).order_by(edge.c.id)
    ).scalars()
    return tuple({name.lower(): name for name in into}.values())
