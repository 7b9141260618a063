"""Runs whose processes have ended when the services are down: settled here, for nobody else looks at them any more."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping

from flows.services import flow_process
from flows.services.interrupting import Interruptions
from flows.services.process import Identity
from flows.services.settling import Verdict, beats, lost
from metadata.database import Database
from metadata.errors import PilothouseError
from metadata.migrations import file_of
from metadata.rows.runs import Run, set_run_state, unsettled_runs
from metadata.settings import Settings
from metadata.states import State
from metadata.values import utc_now

POLL_SECONDS = 0.2
NO_PROCESS = frozenset({State.SCHEDULED, State.WAITING})
"""States of unsettled runs that need no process to go on."""


def settle(values: Settings, taken_down: Collection[Identity]) -> None:
    """Give each run that had a process on this host the state that is true, now that no service does it.

    `taken_down` are the processes that lived until the services went down. A database that is away, of another version
    or none at all is left as it is, and so is a run that beats, on whatever host: the services settle these when they
    are up again.
    """
    ended = {
        flow_run: identity
        for flow_run, identity in flow_process.all_noted(values.state).items()
        if not identity.alive()
    }
    if not ended:
        return
    with contextlib.suppress(PilothouseError), contextlib.closing(Database.of(values)) as database:
        file = file_of(database)
        if file is None or file.exists():
            _settle(database, values, ended, taken_down)


def _settle(
    database: Database, values: Settings, ended: Mapping[str, Identity], taken_down: Collection[Identity]
) -> None:
    now = utc_now()
    left = [
        run
        for run in unsettled_runs(database, lambda _id, _error: None)
        if run.flow_run_id is not None
        and run.flow_run_id in ended
        and run.state not in NO_PROCESS
        and (ended[run.flow_run_id] in taken_down or not beats(run, now))
    ]
    if values.spark_remote is not None:  # it goes on without us
        _interrupt(database, values, left)
    for run in left:
        verdict = _verdict(run, ended[str(run.flow_run_id)] in taken_down)
        set_run_state(database, run.id, verdict.state, detail=verdict.detail, fault=verdict.fault, attempt=run.attempt)


def _verdict(run: Run, taken_down: bool) -> Verdict:
    if run.cancel_requested:
        return Verdict(State.CANCELLED, run.state_detail)
    if taken_down:
        return Verdict(State.CANCELLED, "The services were taken down.")
    return lost(run, "its process ended while no worker was there")


def _interrupt(database: Database, values: Settings, runs: list[Run]) -> None:
    interruptions = Interruptions(database, values)
    while runs := [run for run in runs if not interruptions.over(run)]:
        time.sleep(POLL_SECONDS)
