"""Decisions: what became of each rule in a run, with what it saw; cooldown; and release of what a decision holds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, and_, func, insert, or_, select, update

from metadata import tables
from metadata.audit import DECIDED, RELEASED, Subject, audited, digest_of
from metadata.database import Database, next_change
from metadata.errors import UsageError
from metadata.judging import resting
from metadata.rows.holding import Known, Reader, known_unread, set_held, unread
from metadata.states import DecisionState
from metadata.values import Period, utc_now

HELD_BATCHES = "held_batches"
"""In `actions`: ids of the batches that wait for this decision."""


@dataclass(frozen=True)
class Ruling:
    """What became of a rule, to be recorded.

    `hold` is the task that is to wait: what it has not read yet is held. Within its `cooldown` a rule does not fire
    again.
    """

    rule_uid: str
    rule_key: str
    state: DecisionState
    reason: str
    expression: str
    inputs: Mapping[str, Any]
    actions: Mapping[str, Any]
    hold: Reader | None = None
    cooldown: Period | None = None


@dataclass(frozen=True)
class Decision:
    """A recorded ruling. `waits` while something is held that nobody has released."""

    id: str
    number: int
    run_id: str
    attempt: int
    task_key: str
    rule_uid: str
    rule_key: str
    state: DecisionState
    reason: str
    expression: str
    inputs: dict[str, Any]
    actions: dict[str, Any]
    as_of: datetime
    decided_at: datetime
    waits: bool
    released_by: str | None
    released_at: datetime | None


def record(
    database: Database, ruling: Ruling, *, run_id: str, attempt: int, task_key: str, as_of: datetime, author: str
) -> Decision:
    """Write a ruling down, and hold what the task that is to wait has not read, in one transaction.

    What that is, is read before it, for all others wait as long as it lasts; within it, what has changed since.
    What a run that died left unread waits too; what another run's decision holds already is left to that one.
    A rule that would fire within its cooldown of another run is held back here, where runs come one at a time.
    A retry of the task replaces what it wrote before; what an operator released meanwhile stays released. A later
    attempt of the run takes the place of earlier ones: what they hold is held by its own word alone.
    """
    table = tables.decision
    seen = _look(database, ruling.hold) if ruling.hold else None
    with audited(database) as (connection, book):
        change = next_change(connection)  # first: who waited for it sees what the one before has decided
        ruling = _cooled(connection, ruling, run_id, as_of)
        mine = and_(table.c.run_id == run_id, table.c.task_key == task_key, table.c.rule_uid == ruling.rule_uid)
        for earlier in _decisions(connection, and_(mine, table.c.waits)):
            connection.execute(update(table).where(table.c.id == earlier.id).values(waits=False, changed=change))
            _let_go(connection, earlier)
        earlier_try = next(iter(_decisions(connection, and_(mine, table.c.attempt == attempt))), None)
        released = earlier_try if earlier_try is not None and earlier_try.released_at is not None else None
        held = _batches_of(released) if released else _to_hold(connection, ruling, run_id, seen)
        waits = bool(held) and not released
        values = {
            "state": ruling.state,
            "reason": ruling.reason,
            "expression": ruling.expression,
            "inputs": dict(ruling.inputs),
            "actions": {**ruling.actions, **({HELD_BATCHES: held} if held else {})},
            "as_of": as_of,
            "decided_at": utc_now(),
            "waits": waits,
            "changed": change,
        }
        if earlier_try is None:
            number = connection.execute(select(func.coalesce(func.max(table.c.number), 0))).scalar_one() + 1
            keys = {"run_id": run_id, "attempt": attempt, "task_key": task_key}
            keys |= {"rule_uid": ruling.rule_uid, "rule_key": ruling.rule_key}
            connection.execute(insert(table).values(id=str(uuid.uuid4()), number=number, **keys, **values))
        else:
            connection.execute(update(table).where(table.c.id == earlier_try.id).values(**values))
        if waits:
            set_held(connection, held, held=True)
        made = _decisions(connection, and_(mine, table.c.attempt == attempt))[0]
        note, digest = f"{made.state}: {made.reason}", digest_of(vars(made), DECIDED)
        book.enter(author, "decide", _subject(made), note=note, digest=digest)
        return made


def decisions_of_run(database: Database, run_id: str) -> list[Decision]:
    """What became of each rule in a run, as its newest attempt left it, in the order of decision."""
    with database.read() as connection:
        return newest_decisions(connection, run_id)


def newest_decisions(connection: Connection, run_id: str) -> list[Decision]:
    """The same, for those who read more of one state of the database."""
    rows = _decisions(connection, tables.decision.c.run_id == run_id)
    newest: dict[tuple[str, str], Decision] = {}
    for row in sorted(rows, key=lambda decision: decision.attempt):
        newest[row.task_key, row.rule_uid] = row
    return sorted(newest.values(), key=lambda decision: decision.number)


def get_decision(database: Database, decision_id: str) -> Decision:
    """The decision of that id, or of that number as people type it. Raises UsageError PH720."""
    table = tables.decision
    named = table.c.id == decision_id
    if decision_id.isdecimal() and len(decision_id) < 16:
        named = or_(named, table.c.number == int(decision_id))
    with database.read() as connection:
        return _one(_decisions(connection, named), decision_id)


def release(database: Database, decision_id: str, author: str) -> Decision:
    """Let go what a decision holds: its batches are read by the next run. Returns the decision as it is now.

    Raises UsageError PH720 (no such decision) or PH721 (it holds nothing).
    """
    table = tables.decision
    found = get_decision(database, decision_id)
    with audited(database) as (connection, book):
        change = next_change(connection)
        done = connection.execute(
            update(table)
            .where(table.c.id == found.id, table.c.waits)
            .values(waits=False, released_by=author, released_at=utc_now(), changed=change)
        )
        now = _one(_decisions(connection, table.c.id == found.id), decision_id)
        if not done.rowcount:
            cause = f"{now.released_by} released it already" if now.released_by else "it holds nothing"
            raise UsageError("PH721", f"decision {now.number}", cause, "see what waits with pilothouse decision list")
        _let_go(connection, now)
        book.enter(author, "release", _subject(now), digest=digest_of(vars(now), RELEASED))
    return now


def _subject(decision: Decision) -> Subject:
    return Subject("decision", decision.id, decision.rule_key, decision.number)


def _cooled(connection: Connection, ruling: Ruling, run_id: str, as_of: datetime) -> Ruling:
    """The ruling; held instead of fired when another run fired the rule less than its cooldown away from `as_of`."""
    if ruling.state != DecisionState.FIRED or ruling.cooldown is None:
        return ruling
    table = tables.decision
    others = and_(table.c.rule_uid == ruling.rule_uid, table.c.state == DecisionState.FIRED, table.c.run_id != run_id)
    before = connection.execute(select(func.max(table.c.as_of)).where(others, table.c.as_of <= as_of)).scalar()
    after = connection.execute(select(func.min(table.c.as_of)).where(others, table.c.as_of > as_of)).scalar()
    reason = resting(ruling.cooldown, as_of, before, after)
    if not reason:
        return ruling
    return replace(ruling, state=DecisionState.HELD, reason=reason, hold=None)


class _Seen(NamedTuple):
    """What a task had not read, and all batches that somebody had released, before the transaction that writes."""

    known: Known
    released: frozenset[str]


def _look(database: Database, reader: Reader) -> _Seen:
    known = known_unread(database, reader)
    with database.read() as connection:
        return _Seen(known, frozenset(_held_by(connection, tables.decision.c.released_at.is_not(None))))


def _to_hold(connection: Connection, ruling: Ruling, run_id: str, seen: _Seen | None) -> list[str]:
    """Ids of the batches that a ruling lets wait: neither those that somebody released, nor what other runs hold."""
    if ruling.hold is None or seen is None or ruling.state != DecisionState.FIRED:
        return []
    table = tables.decision
    since = and_(table.c.released_at.is_not(None), table.c.changed > seen.known.change)
    released = seen.released | _held_by(connection, since)
    own = _held_by(connection, and_(table.c.run_id == run_id, table.c.waits))
    found = unread(connection, ruling.hold, seen.known)
    return [batch for batch, held in found.items() if batch not in released and (not held or batch in own)]


def _let_go(connection: Connection, decision: Decision) -> None:
    """Release its batches, but for those that another decision still holds."""
    kept = _held_by(connection, tables.decision.c.waits)
    set_held(connection, [batch for batch in _batches_of(decision) if batch not in kept], held=False)


def _held_by(connection: Connection, condition: Any) -> set[str]:
    found = connection.execute(select(tables.decision.c.actions).where(condition)).scalars()
    return {batch for actions in found for batch in actions.get(HELD_BATCHES, ())}


def _batches_of(decision: Decision) -> list[str]:
    """Ids of the batches that wait, or waited, for a decision."""
    return list(decision.actions.get(HELD_BATCHES, ()))


def _decisions(connection: Connection, condition: Any) -> list[Decision]:
    columns = [tables.decision.c[name] for name in Decision.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(condition).order_by(tables.decision.c.number)).mappings()
    return [to_decision(row) for row in rows]


def to_decision(row: RowMapping) -> Decision:
    """A row of `decision`."""
    return Decision(**{**row, "state": DecisionState(row["state"])})


def _one(found: list[Decision], named: str) -> Decision:
    if not found:
        raise UsageError("PH720", f"decision {named}", "there is none", "see them with pilothouse decision list")
    return found[0]
