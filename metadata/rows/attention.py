"""What needs a person: each with its cause and the key of the console that mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, func, not_, select

from metadata import tables
from metadata.definitions import LAYOUTS, definition
from metadata.rows.datasets import stale_datasets
from metadata.rows.fields import language
from metadata.rows.filters import ONLY_FIELDS, Condition, conditions
from metadata.rows.runs import Run, to_run
from metadata.rows.switched import asked, runs
from metadata.states import DecisionState, State

Wanted = Sequence[Condition]
"""On the row of `definition`."""
What = Literal["failed", "lost", "alert", "hold", "undecided", "stale"]
ALERTS = ("critical", "warning")
"""Severities of alerts that need somebody; `info` is for the log."""
MOST = 200
"""Of each sort; more than anybody reads before the first of them are mended."""
Remedy = Literal["run again", "definition", "release", "see why", "lineage"]
"""What the key does that mends it; short, for it stands beside the key in a narrow column."""


@dataclass(frozen=True)
class Attention:
    """One thing that needs a person.

    `subject_kind` and `subject` say what it opens: ("run", number), ("decision", number) or ("dataset", key);
    `uid` is the id of that run or decision, or the uid of that dataset. `key` and `remedy` are what mends it.
    `count` is how many of its sort there are behind it, itself included.
    """

    what: What
    thing: str
    cause: str
    key: str
    remedy: Remedy
    at: datetime
    subject_kind: str
    subject: str
    uid: str
    count: int = 1


def attention(connection: Connection, now: datetime, words: str = "") -> list[Attention]:
    """Failed and lost runs without a later success, what is held, alerts, undecided rules, stale datasets; in order.

    Of a filter, the fields: of the pipeline, rule or dataset. At most `MOST` of each sort, but all that is held.
    """
    wanted = conditions(words, language(), ONLY_FIELDS)
    return [*_runs(connection, wanted), *_decisions(connection, wanted), *_stale(connection, now, wanted)]


def _runs(connection: Connection, wanted: Wanted) -> Iterator[Attention]:
    """The newest failed or lost run of each pipeline that is on, when no success came after it."""
    run, later = tables.run, tables.run.alias("later")
    mends = (State.FAILED, State.LOST, State.SUCCEEDED)
    newest = not_(
        exists().where(
            later.c.pipeline_uid == run.c.pipeline_uid, later.c.state.in_(mends), later.c.number > run.c.number
        )
    )
    known = exists().where(definition.c.uid == run.c.pipeline_uid, runs(definition), *wanted)
    other = tables.run.alias("other")
    own = other.c.pipeline_uid == run.c.pipeline_uid
    success = select(func.coalesce(func.max(other.c.number), 0)).where(own, other.c.state == State.SUCCEEDED)
    since = tables.run.alias("since")
    behind = select(func.count()).where(
        since.c.pipeline_uid == run.c.pipeline_uid,
        since.c.state.in_((State.FAILED, State.LOST)),
        since.c.number > success.correlate(run).scalar_subquery(),
    )
    columns = (run, behind.correlate(run).scalar_subquery().label("behind"))
    found: list[RowMapping] = []
    for state in (State.FAILED, State.LOST):  # each by its own index
        query = select(*columns).where(run.c.state == state, newest, known).order_by(run.c.number.desc()).limit(MOST)
        found += connection.execute(query).mappings()
    for row in sorted(found, key=lambda each: int(each["number"]), reverse=True):
        yield _of_run(to_run(row), int(row["behind"]))


def _of_run(run: Run, count: int) -> Attention:
    by_editing = run.fault is not None and run.fault.by_editing
    return Attention(
        what="lost" if run.state == State.LOST else "failed",
        thing=f"{run.pipeline_key} #{run.number}",
        cause=(run.fault.cause if run.fault else run.state_detail) or str(run.state),
        key="e" if by_editing else "r",
        remedy="definition" if by_editing else "run again",
        at=run.ended_at or run.created_at,
        subject_kind="run",
        subject=str(run.number),
        uid=run.id,
        count=count,
    )


def _decisions(connection: Connection, wanted: Wanted) -> Iterator[Attention]:
    """What is held, and rules that are asked whose newest decision raised an alert or could not be made."""
    decision = tables.decision
    told = [decision.c[name] for name in _Ruled.__annotations__]
    waits = select(*told).where(decision.c.waits)
    if wanted:
        waits = waits.where(exists().where(definition.c.uid == decision.c.rule_uid, *wanted))
    for held in connection.execute(waits.order_by(decision.c.number.desc())).all():
        yield _of_decision(held, "hold", "a", "release")
    # A rule that a run had nothing to measure for is not the news: what it said before still stands.
    idle = and_(
        decision.c.state == DecisionState.UNDECIDED, _monitored(State.SKIPPED), not_(_monitored(State.SUCCEEDED))
    )
    newest = (
        select(decision.c.number)
        .where(decision.c.rule_uid == definition.c.uid, not_(idle))
        .order_by(decision.c.number.desc())
        .limit(1)
    )
    numbers = select(newest.correlate(definition).scalar_subquery()).where(
        definition.c.kind == "decision", definition.c.enabled, asked(), *wanted
    )
    latest = connection.execute(
        select(*told, decision.c.state, decision.c.actions, decision.c.released_at)
        .where(
            decision.c.number.in_(numbers),
            decision.c.state.in_((DecisionState.FIRED, DecisionState.UNDECIDED)),
            ~decision.c.waits,
        )
        .order_by(decision.c.number.desc())
    ).all()
    for each in latest:
        if each.state == DecisionState.UNDECIDED:
            yield _of_decision(each, "undecided", "enter", "see why")
        elif each.actions.get("alert") in ALERTS and each.released_at is None:
            yield _of_decision(each, "alert", "enter", "see why")


def _monitored(state: State) -> ColumnElement[bool]:
    """Whether the run of a decision has a monitor task in this state."""
    task = tables.task_run
    return (
        select(task.c.id)
        .where(task.c.run_id == tables.decision.c.run_id, task.c.kind == "monitor", task.c.state == state)
        .exists()
    )


class _Ruled(Protocol):
    """What is told of a decision, which may wait in thousands."""

    id: str
    number: int
    rule_key: str
    reason: str
    decided_at: datetime


def _of_decision(decision: _Ruled, what: What, key: str, remedy: Remedy) -> Attention:
    return Attention(
        what=what,
        thing=decision.rule_key,
        cause=decision.reason,
        key=key,
        remedy=remedy,
        at=decision.decided_at,
        subject_kind="decision",
        subject=str(decision.number),
        uid=decision.id,
    )


def _stale(connection: Connection, now: datetime, wanted: Wanted) -> Iterator[Attention]:
    dataset, state = LAYOUTS["dataset"].table, tables.dataset_state
    rows = connection.execute(
        select(definition.c.uid, definition.c.key, dataset.c.fresh_within, state.c.written_at)
        .join(dataset, dataset.c.uid == definition.c.uid)
        .join(state, state.c.dataset_uid == definition.c.uid)
        .where(stale_datasets(connection, now), *wanted)
        .order_by(state.c.written_at)
        .limit(MOST)
    ).mappings()
    yield from map(_of_dataset, rows)


def _of_dataset(row: RowMapping) -> Attention:
    return Attention(
        what="stale",
        thing=row["key"],
        cause=f"nothing new within {row['fresh_within']}",
        key="L",
        remedy="lineage",
        at=row["written_at"],
        subject_kind="dataset",
        subject=row["key"],
        uid=row["uid"],
    )
