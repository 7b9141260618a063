"""A past run once more, on the plan that it had: how that stands to today's blueprint, and the new run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from metadata.database import Database
from metadata.definitions import definition, load_blueprint, revision_item
from metadata.errors import PilothouseError, UsageError
from metadata.kinds import SECTIONS
from metadata.plan import Plan
from metadata.plan_diff import blueprint_of
from metadata.revision_log import head, newest_revision
from metadata.rows.runs import Run, create_run, get_run, load_plan, plan_text
from metadata.successors import refuse_second_reading
from metadata.values import in_chunks

NEEDED = ("connection", "dataset", "model")
"""Kinds of definition that what is written and read belongs to: without one of them a plan has nowhere to go."""


@dataclass(frozen=True)
class Standing:
    """How the plan of a run stands to today's blueprint, told without compiling it.

    `changed` says that a revision since the run's has touched what the plan is made of; `gone` is what the plan needs
    and is not there any more, such as `dataset silver.orders`.
    """

    revision: int
    changed: bool
    gone: tuple[str, ...]

    @property
    def words(self) -> str:
        """What is to be known before it is repeated; empty when the plan is today's."""
        if self.gone:
            return f"not there any more: {', '.join(self.gone)}"
        return f"what its plan is made of was changed since revision {self.revision}" if self.changed else ""


def standing_of(database: Database, run_id: str) -> Standing:
    """Of the plan of a run. Raises UsageError PH501 for no run, PH502 for no plan in this database, PH846 as below."""
    run = get_run(database, run_id)
    with database.read() as connection:
        held = list(_held(json.loads(plan_text(connection, run.plan_hash))))
        uids = [uid for _, _, uid in held]
        there = _among(connection, definition.c.uid, uids)
        later = revision_item.c.revision > (run.revision or 0)
        changed = bool(_among(connection, revision_item.c.uid, uids, later))
    gone = tuple(f"{kind} {key}" for kind, key, uid in held if kind in NEEDED and uid not in there)
    return Standing(run.revision or 0, changed, gone)


def repeat_run(database: Database, run_id: str, author: str) -> Run:
    """A new run, queued, on the plan of that one, with its bindings and for its instant.

    It is a run like any other: what reads what is new reads what is new since, and nothing is taken in twice.
    Raises UsageError PH845 for what the plan needs and is not there any more, and where a task of today has read in
    place of one of the plan, PH846 for a plan that this program reads otherwise than the one that made it, or that
    somebody has changed; nothing has begun then. What was looked at is looked at anew when another revision comes
    before the run is there.
    """
    past = get_run(database, run_id)
    while True:
        base = newest_revision(database)
        plan = _repeatable(database, past)
        with suppress(_MovedError):
            return create_run(
                database,
                plan,
                revision=past.revision,
                bindings=past.bindings,
                as_of=past.as_of,
                trigger="repeat",
                author=author,
                repeats=past.number,
                first=partial(_refuse_another, base),
            )


class _MovedError(Exception):
    """Another revision came."""


def _refuse_another(base: int, connection: Connection) -> None:
    if head(connection) != base:
        raise _MovedError


def _repeatable(database: Database, past: Run) -> Plan:
    thing = f"run {past.number}"
    standing = standing_of(database, past.id)
    if standing.gone:
        cause = f"its plan needs what is not there any more: {', '.join(standing.gone)}"
        remedy = "bring it back (pilothouse blueprint revert, or u), or launch the pipeline as it is today"
        raise UsageError("PH845", thing, cause, remedy)
    plan = _as_it_was(database, past)
    if standing.changed:
        _refuse_second_reading(database, plan, thing)
    return plan


def _as_it_was(database: Database, past: Run) -> Plan:
    try:
        plan = load_plan(database, past.plan_hash)
    except ValueError as error:
        raise _otherwise(past, str(error)) from error
    if plan.hash != past.plan_hash:
        raise _otherwise(past, f"it would be plan {plan.hash[:12]}")
    return plan


def _refuse_second_reading(database: Database, plan: Plan, thing: str) -> None:
    """What a task has read is kept under its uid: one that was replaced since has not read what the new one has."""
    try:
        refuse_second_reading(load_blueprint(database), blueprint_of(plan))
    except PilothouseError as error:
        cause = f"{error.fault.thing} was replaced since: it would read what the new one has read, and append it again"
        raise UsageError("PH845", thing, cause, "launch the pipeline as it is today") from error


def _otherwise(past: Run, detail: str) -> UsageError:
    cause = f"its plan {past.plan_hash[:7]} was made by another version of Pilothouse, and this one reads it otherwise"
    return UsageError("PH846", f"run {past.number}", cause, "launch the pipeline as it is today", detail=detail)


def _held(body: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Kind, key and uid of every definition of a plan, its pipeline first; read as text, for plans are large."""
    yield "pipeline", body["pipeline"], body["pipeline_uid"]
    for kind, section in SECTIONS.items():
        yield from ((kind, key, each["uid"]) for key, each in body.get(section, {}).items())


def _among(
    connection: Connection, column: ColumnElement[str], uids: Sequence[str], *also: ColumnElement[bool]
) -> set[str]:
    """Those of the uids that stand in a column."""
    found: set[str] = set()
    for some in in_chunks(uids):
        wanted = column.in_(some)
        found.update(connection.execute(select(column).where(wanted, *also).distinct()).scalars())
    return found
