"""Lineage as rows: what comes of what, one level at a time, each with the state it is in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, and_, func, select

from metadata import tables
from metadata.database import Database
from metadata.definitions import LAYOUTS, definition
from metadata.errors import UsageError
from metadata.findings import instead
from metadata.rows.datasets import is_stale
from metadata.rows.names import alike
from metadata.values import counted, utc_now

Direction = Literal["up", "down"]
FEW = 50
"""Names that are told where none is like the one that is not there."""


@dataclass(frozen=True)
class Node:
    """A definition in the lineage. `label` says how it is in a few words; `warns` when that needs a look.

    `rows` and `at` (when it was written, measured, decided or trained) are None where there is nothing yet.
    """

    kind: str
    uid: str
    key: str
    label: str
    rows: int | None
    at: datetime | None
    warns: bool
    off: bool


@dataclass(frozen=True)
class Via:
    """The task that leads from one definition to the next."""

    pipeline: str
    task: str
    off: bool = False


@dataclass(frozen=True)
class Step:
    """One definition further: the tasks that lead there (none: it is so by definition), and whether it goes on."""

    node: Node
    via: tuple[Via, ...]
    more: bool

    @property
    def off(self) -> bool:
        """Whether nothing goes that way now: it is off, or all tasks are that lead there."""
        return self.node.off or (bool(self.via) and all(each.off for each in self.via))


def find_node(database: Database, key: str, kind: str | None = None, *, now: datetime | None = None) -> Node:
    """The definition with that key; datasets first when several kinds have it. Raises UsageError PH307."""
    query = select(definition.c.uid, definition.c.kind).where(definition.c.key == key)
    if kind is not None:
        query = query.where(definition.c.kind == kind)
    with database.read() as connection:
        found = sorted(connection.execute(query).all(), key=lambda row: (row.kind != "dataset", row.kind))
        if not found:
            raise UsageError("PH307", f"{kind or 'definition'} {key}", "there is none", _instead(connection, key))
        return _nodes(connection, [found[0].uid], now or utc_now())[found[0].uid]


def _instead(connection: Connection, key: str) -> str:
    known = [name for _, name in alike(connection, key)]
    known = known or list(connection.execute(select(definition.c.key).order_by(definition.c.key).limit(FEW)).scalars())
    return instead(key, known)


def neighbours(database: Database, uid: str, direction: Direction, *, now: datetime | None = None) -> tuple[Step, ...]:
    """What `uid` comes from (`up`) or what comes of it (`down`), by kind and key."""
    edge = tables.lineage_edge
    here, there = (edge.c.to_uid, edge.c.from_uid) if direction == "up" else (edge.c.from_uid, edge.c.to_uid)
    pipeline, task = definition.alias("pipeline"), LAYOUTS["pipeline"].entries["tasks"].table
    of_edge = and_(task.c.pipeline_uid == edge.c.pipeline_uid, task.c.uid == edge.c.task_uid)
    with database.read() as connection:
        rows = connection.execute(
            select(
                there.label("uid"),
                edge.c.task_key,
                pipeline.c.key.label("pipeline"),
                pipeline.c.enabled.label("pipeline_enabled"),
                task.c.enabled,
            )
            .join(pipeline, pipeline.c.uid == edge.c.pipeline_uid)
            .outerjoin(task, of_edge)
            .where(here == uid, there != uid)
            .order_by(pipeline.c.key, edge.c.task_key)
        ).all()
        via: dict[str, dict[Via, None]] = defaultdict(dict)
        for row in rows:
            off = not row.pipeline_enabled or row.enabled is False
            via[row.uid].update({Via(row.pipeline, row.task_key, off): None} if row.task_key else {})
        nodes = _nodes(connection, list(via), now or utc_now())
        further = set(connection.execute(select(here).where(here.in_(list(via)), there != here)).scalars())
    steps = [Step(nodes[other], tuple(via[other]), other in further) for other in via if other in nodes]
    return tuple(sorted(steps, key=lambda step: (step.node.kind, step.node.key)))


def _nodes(connection: Connection, uids: Sequence[str], now: datetime) -> dict[str, Node]:
    rows = connection.execute(
        select(*(definition.c[name] for name in ("uid", "kind", "key", "enabled"))).where(definition.c.uid.in_(uids))
    ).all()
    by_kind: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row.uid)
    said: dict[str, _Said] = {}
    for kind, own in by_kind.items():
        said.update(_SAY[kind](connection, own, now) if kind in _SAY else {})
    blank = _Said("")
    found = {}
    for row in rows:
        words = said.get(row.uid, blank)
        warns = words.warns and row.enabled
        found[row.uid] = Node(row.kind, row.uid, row.key, words.label, words.rows, words.at, warns, not row.enabled)
    return found


@dataclass(frozen=True)
class _Said:
    label: str
    rows: int | None = None
    at: datetime | None = None
    warns: bool = False


def _connections(connection: Connection, uids: Iterable[str], _now: datetime) -> dict[str, _Said]:
    table = LAYOUTS["connection"].table
    rows = connection.execute(select(table.c.uid, table.c.kind, table.c.path).where(table.c.uid.in_(uids)))
    return {row.uid: _Said(row.path or row.kind) for row in rows}


def _datasets(connection: Connection, uids: Iterable[str], now: datetime) -> dict[str, _Said]:
    dataset, state = LAYOUTS["dataset"].table, tables.dataset_state
    rows = connection.execute(
        select(dataset.c.uid, dataset.c.fresh_within, state.c.rows, state.c.version, state.c.written_at)
        .outerjoin(state, state.c.dataset_uid == dataset.c.uid)
        .where(dataset.c.uid.in_(uids))
    )
    said = {}
    for row in rows:
        stale = is_stale(row.fresh_within, row.written_at, now)
        label = "never written" if row.written_at is None else "stale" if stale else ""
        said[row.uid] = _Said(label, row.rows, row.written_at, stale)
    return said


def _feature_sets(connection: Connection, uids: Iterable[str], _now: datetime) -> dict[str, _Said]:
    feature = LAYOUTS["feature_set"].entries["features"].table
    rows = connection.execute(
        select(feature.c.feature_set_uid, func.count().label("many"))
        .where(feature.c.feature_set_uid.in_(uids))
        .group_by(feature.c.feature_set_uid)
    )
    return {row.feature_set_uid: _Said(counted(row.many, "feature")) for row in rows}


def _models(connection: Connection, uids: Iterable[str], _now: datetime) -> dict[str, _Said]:
    history = tables.alias_history
    rows = connection.execute(select(history).where(history.c.model_uid.in_(uids)).order_by(history.c.id)).mappings()
    holders: dict[str, dict[str, int | None]] = defaultdict(dict)
    moved: dict[str, datetime] = {}
    for row in rows:
        holders[row["model_uid"]][row["alias"]] = row["version"]
        moved[row["model_uid"]] = row["at"]
    said = {uid: _Said("never trained") for uid in uids}
    for uid, aliases in holders.items():
        words = [f"v{version} {alias}" for alias, version in sorted(aliases.items()) if version is not None]
        champion_first = sorted(words, key=lambda word: not word.endswith("champion"))
        said[uid] = _Said(" · ".join(champion_first), at=moved[uid])
    return said


def _monitors(connection: Connection, uids: Iterable[str], _now: datetime) -> dict[str, _Said]:
    """The worst feature PSI of the newest window that has one, against the threshold of the same window and feature."""
    outcome, run = tables.outcome, tables.run
    said = {}
    for uid in uids:
        own = and_(outcome.c.subject_uid == uid, outcome.c.name.in_(("psi", "psi_threshold")))
        valued = and_(own, outcome.c.name == "psi", outcome.c.value.is_not(None))
        newest = connection.execute(select(func.max(outcome.c.window_end)).where(valued)).scalar()
        if newest is None:
            said[uid] = _Said("nothing measured yet")
            continue
        rows = connection.execute(
            select(outcome.c.name, outcome.c.slice, outcome.c.value, run.c.started_at)
            .outerjoin(run, run.c.id == outcome.c.run_id)
            .where(own, outcome.c.window_end == newest, outcome.c.value.is_not(None))
            .order_by(outcome.c.id)
        ).all()
        limits = {row.slice: row.value for row in rows if row.name == "psi_threshold"}
        measured = {row.slice: row for row in rows if row.name == "psi"}
        worst = max(measured.values(), key=lambda row: float(row.value))
        limit = limits.get(worst.slice)
        over = limit is not None and worst.value > limit
        against = "" if limit is None else f" {'>' if over else '≤'} {limit:.2g}"
        said[uid] = _Said(f"{worst.slice} PSI {worst.value:.2g}{against}", at=worst.started_at, warns=over)
    return said


def _decisions(connection: Connection, uids: Iterable[str], _now: datetime) -> dict[str, _Said]:
    decision = tables.decision
    newest = select(func.max(decision.c.number)).where(decision.c.rule_uid.in_(uids)).group_by(decision.c.rule_uid)
    rows = connection.execute(
        select(decision.c.rule_uid, decision.c.state, decision.c.reason, decision.c.decided_at, decision.c.waits).where(
            decision.c.number.in_(newest)
        )
    ).all()
    said = {uid: _Said("never decided") for uid in uids}
    for row in rows:
        said[row.rule_uid] = _Said(f"{row.state}: {row.reason}", at=row.decided_at, warns=bool(row.waits))
    return said


_SAY = {
    "connection": _connections,
    "dataset": _datasets,
    "feature_set": _feature_sets,
    "model": _models,
    "monitor": _monitors,
    "decision": _decisions,
}
