"""What needs a person: each with its cause and the key of the console that mends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, not_, select

from metadata import tables
from metadata.definitions import LAYOUTS, definition
from metadata.rows.datasets import is_stale
from metadata.rows.decisions import Decision, to_decision
from metadata.rows.runs import Run, to_run
from metadata.states import DecisionState, State

What = Literal["failed", "lost", "alert", "hold", "undecided", "stale"]
ALERTS = ("critical", "warning")
"""Severities of alerts that need somebody; `info` is for the log."""
Remedy = Literal["run again", "release", "see why", "lineage"]
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


def attention(connection: Connection, now: datetime) -> list[Attention]:
    """Failed and lost runs without a later success, what is held, alerts, undecided rules, stale datasets; in order."""
    return [*_runs(connection), *_decisions(connection), *_stale(connection, now)]


def _newest(table: Any, condition: ColumnElement[bool], state: State) -> ColumnElement[Any]:
    newest = select(func.max(table.c.number)).where(condition, table.c.state == state)
    return func.coalesce(newest.correlate(definition).scalar_subquery(), 0)


def _runs(connection: Connection) -> Iterator[Attention]:
    """The newest failed or lost run of each pipeline, when no success came after it."""
    run = tables.run
    own = run.c.pipeline_uid == definition.c.uid
    rows = connection.execute(
        select(
            _newest(run, own, State.FAILED).label("failed"),
            _newest(run, own, State.LOST).label("lost"),
            _newest(run, own, State.SUCCEEDED).label("succeeded"),
        ).where(definition.c.kind == "pipeline")
    )
    numbers = {max(row.failed, row.lost): row.succeeded for row in rows if max(row.failed, row.lost) > row.succeeded}
    found = connection.execute(
        select(run).where(run.c.number.in_(list(numbers))).order_by(run.c.number.desc())
    ).mappings()
    for row in found:
        each = to_run(row)
        count = connection.execute(
            select(func.count()).where(
                run.c.pipeline_uid == each.pipeline_uid,
                run.c.number > numbers[each.number],
                run.c.state.in_((State.FAILED, State.LOST)),
            )
        ).scalar_one()
        yield _of_run(each, int(count))


def _of_run(run: Run, count: int) -> Attention:
    return Attention(
        what="lost" if run.state == State.LOST else "failed",
        thing=f"{run.pipeline_key} #{run.number}",
        cause=(run.fault.cause if run.fault else run.state_detail) or str(run.state),
        key="r",
        remedy="run again",
        at=run.ended_at or run.created_at,
        subject_kind="run",
        subject=str(run.number),
        uid=run.id,
        count=count,
    )


def _decisions(connection: Connection) -> Iterator[Attention]:
    """What is held, and rules whose newest decision raised an alert or could not be made."""
    decision = tables.decision
    columns = [decision.c[name] for name in Decision.__dataclass_fields__]
    waits = select(*(decision.c[name] for name in _Ruled.__annotations__)).where(decision.c.waits)
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
    numbers = connection.execute(
        select(newest.correlate(definition).scalar_subquery()).where(definition.c.kind == "decision")
    ).scalars()
    latest = connection.execute(
        select(*columns)
        .where(
            decision.c.number.in_([number for number in numbers if number is not None]),
            decision.c.state.in_((DecisionState.FIRED, DecisionState.UNDECIDED)),
            ~decision.c.waits,
        )
        .order_by(decision.c.number.desc())
    ).mappings()
    for each in map(to_decision, latest):
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


def _of_decision(decision: Decision | _Ruled, what: What, key: str, remedy: Remedy) -> Attention:
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


def _stale(connection: Connection, now: datetime) -> Iterator[Attention]:
    dataset, state = LAYOUTS["dataset"].table, tables.dataset_state
    rows = connection.execute(
        select(definition.c.uid, definition.c.key, dataset.c.fresh_within, state.c.written_at)
        .join(dataset, dataset.c.uid == definition.c.uid)
        .join(state, state.c.dataset_uid == definition.c.uid)
        .where(dataset.c.fresh_within.is_not(None))
        .order_by(state.c.written_at)
    ).mappings()
    yield from (_of_dataset(row) for row in rows if is_stale(row["fresh_within"], row["written_at"], now))


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
