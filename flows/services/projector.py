"""The projector: writes into our rows what Prefect knows of runs, and hands on to Prefect what our rows ask for.

What people ask for is a row before it is a call to Prefect. A launch or a cancellation whose call was lost (the console
was killed, the server was down) is handed on from here, so that nothing asked for is forgotten. Schedules are always
handed on from here: a blueprint can be applied while nothing runs.
"""

from __future__ import annotations

import logging
import signal
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from flows import client
from flows.adoption import adopt_scheduled
from flows.services import deployments, logs, records, standing
from flows.services.deployments import ScheduleSpec
from flows.services.interrupting import Interruptions
from flows.services.prefect_api import PrefectApi
from flows.services.settling import is_quiet, judge
from metadata.database import Database, next_change
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError, ServiceDownError
from metadata.in_force import in_force
from metadata.kinds import Blueprint
from metadata.migrations import ensure
from metadata.revision_log import newest_revision
from metadata.rows.logs import forget_lines
from metadata.rows.runs import Run, attach_flow_run, known_flow_runs, set_run_state, unsettled_runs
from metadata.settings import settings
from metadata.states import State
from metadata.values import in_chunks, utc_now

BUSY_SECONDS, IDLE_SECONDS = 0.5, 1.0
"""Time between two looks while runs are unsettled, and while none is."""
PATIENCE = timedelta(seconds=3)
"""Age of a run without a flow run at which the call that its launch owed counts as lost."""
PAGE = 200
DEAD_EVERY, DEAD_BEFORE, DEAD_WITHIN = timedelta(seconds=10), timedelta(hours=1), timedelta(days=7)
"""How often scheduled runs are looked for that died before they began, how far back before the last time that got
through, and at the first time: nobody could adopt them while the database was away."""
FORGET_EVERY = timedelta(hours=1)
"""How often log lines are removed that are older than the settings keep them."""

AWAY = timedelta(seconds=10)
"""Time without a round that got through after which this process counts as having been away: it, its host, or the
database that heartbeats are written to."""
NEVER = datetime.min.replace(tzinfo=UTC)

log = logging.getLogger("projector")


class Projector:
    """One round after the other: unsettled rows, what Prefect says of them, what follows."""

    def __init__(self, database: Database, api: PrefectApi) -> None:
        self._database = database
        self._api = api
        self._ours = deployments.names(settings(), database)
        self._revision: int | None = None
        self._looked_for_dead = self._forgot = NEVER
        self._given_up: set[str] = set()
        self._looked = self._watched_since = NEVER
        self._writable = True
        self._interruptions = Interruptions(database, settings())
        self._said: dict[str, str] = {}

    def round(self) -> bool:
        """Bring unsettled runs up to date, and schedules after a new revision. Gives whether a run was unsettled.

        Raises `PilothouseError` when Prefect or the database is not there; the next round makes up for it.
        """
        began, self._writable = utc_now(), True
        if began - self._looked > AWAY:
            self._watched_since = began
        try:
            busy = self._settle_all(began)
        finally:
            if not self._writable:
                self._looked = NEVER
        if self._writable:
            self._looked = began
        self._adopt_dead()
        self._forget_old_lines()
        self._follow_schedules()
        return busy

    def _prove_writes(self) -> None:
        """Raise where nobody can write, heartbeats neither: they are watched for anew then."""
        self._writable = False
        with self._database.write() as connection:
            next_change(connection)
        self._writable = True

    def _forget_old_lines(self) -> None:
        now = utc_now()
        if now - self._forgot < FORGET_EVERY:
            return
        self._forgot = now
        count = forget_lines(self._database, settings().log_retention_days)
        if count:
            log.info("%d log lines were older than %d days", count, settings().log_retention_days)

    def _adopt_dead(self) -> None:
        """Scheduled runs that died before they wrote a row get one here; the next round says what became of them."""
        now = utc_now()
        if now - self._looked_for_dead < DEAD_EVERY:
            return
        since = now - DEAD_WITHIN if self._looked_for_dead == NEVER else self._looked_for_dead - DEAD_BEFORE
        for dead in deployments.dead_scheduled_runs(self._api, since, self._ours):
            known = known_flow_runs(self._database, list(dead)) | self._given_up
            for flow_run_id, (schedule_uid, due) in dead.items():
                if flow_run_id not in known:
                    self._adopt(flow_run_id, schedule_uid, due)
        self._looked_for_dead = now

    def _adopt(self, flow_run_id: str, schedule_uid: str, due: datetime) -> None:
        try:
            run = adopt_scheduled(self._database, flow_run_id, schedule_uid, due)
            log.warning("run %d: its flow died before it began", run.number)
        except ServiceDownError:
            raise
        except PilothouseError as error:
            self._given_up.add(flow_run_id)
            log.warning("a scheduled run died before it began: %s", error)

    def _follow_schedules(self) -> None:
        revision = newest_revision(self._database)
        if revision != self._revision:
            specs = schedules_of(load_blueprint(self._database))
            deployments.sync_schedules(self._api, specs, self._ours)
            self._revision = revision
            log.info("revision %d: %d schedules", revision, len(specs))

    def _settle_all(self, began: datetime) -> bool:
        said, self._said = self._said, {}
        runs = unsettled_runs(self._database, lambda run_id, error: self._say(run_id, error, said))
        known = self._flow_runs([run.flow_run_id for run in runs if run.flow_run_id])
        for run in runs:
            try:
                if run.flow_run_id is None:
                    self._hand_on(run)
                else:
                    self._settle(run, run.flow_run_id, known.get(run.flow_run_id), began)
            except ServiceDownError:
                raise
            except Exception as error:  # noqa: BLE001 - what is wrong with one run keeps no other waiting
                self._say(run.id, error, said)
        self._interruptions.forget()
        return bool(runs)

    def _say(self, run_id: str, error: Exception, said: dict[str, str]) -> None:
        """Log what is wrong with a run, unless the round before has `said` the same."""
        self._said[run_id] = f"{type(error).__name__}: {error}"
        if self._said[run_id] != said.get(run_id):
            log.warning("run %s: %s", run_id, error, exc_info=not isinstance(error, PilothouseError))

    def _flow_runs(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for page in in_chunks(ids, PAGE):
            answer = self._api.post("/flow_runs/filter", {"flow_runs": {"id": {"any_": page}}, "limit": PAGE})
            found.update({item["id"]: item for item in answer if item["state"] is not None})
        return found

    def _settle(self, run: Run, flow_run_id: str, flow_run: dict[str, Any] | None, began: datetime) -> None:
        now = utc_now()
        if is_quiet(run, flow_run, now, self._watched_since):
            self._prove_writes()
        if utc_now() - began > AWAY:  # this round was held up, or slept: the next one watches anew
            return
        verdict = judge(run, flow_run, now, self._watched_since)
        if verdict is not None and verdict.state.final and not self._interruptions.over(run):
            return
        if verdict is not None and (verdict.state, verdict.detail) != (run.state, run.state_detail):
            changed = set_run_state(
                self._database,
                run.id,
                verdict.state,
                detail=verdict.detail,
                fault=verdict.fault,
                attempt=run.attempt,
            )
            if changed and verdict.state.final:
                log.info("run %d: %s %s", run.number, verdict.state, verdict.detail)
        ends = flow_run is not None and flow_run["state"]["type"] in ("CANCELLING", "CANCELLED", "COMPLETED", "FAILED")
        if (verdict is not None and verdict.kill) or (run.cancel_requested and not ends):
            client.cancel_flow_run(flow_run_id)

    def _hand_on(self, run: Run) -> None:
        """A run whose launch did not reach Prefect, or whose id did not reach the row."""
        if run.cancel_requested:
            set_run_state(self._database, run.id, State.CANCELLED, detail=run.state_detail, attempt=run.attempt)
        elif utc_now() - run.created_at > PATIENCE:
            attach_flow_run(self._database, run.id, run.attempt, client.create_flow_run(run.id, run.attempt))


def schedules_of(blueprint: Blueprint) -> list[ScheduleSpec]:
    """What Prefect must know of the blueprint's schedules; none fires for a pipeline that is off."""
    on = in_force(blueprint).schedules
    return [
        ScheduleSpec(
            uid=schedule.uid,
            key=key,
            pipeline_uid=blueprint.pipelines[schedule.pipeline].uid,
            cron=schedule.cron,
            timezone=schedule.timezone,
            overlap=schedule.overlap,
            enabled=key in on,
        )
        for key, schedule in blueprint.schedules.items()
    ]


def follow(database: Database, leave: threading.Event) -> None:
    """Go round until `leave` is set. What is away is waited for, and said once."""
    folder, said = settings().state, ""
    with PrefectApi(*client.prefect_api()) as api:
        projector, pause = Projector(database, api), 0.0
        while not leave.wait(pause):
            records.beat(folder, records.PROJECTOR)
            try:
                pause, problem = BUSY_SECONDS if projector.round() else IDLE_SECONDS, ""
            except PilothouseError as error:
                pause, problem = IDLE_SECONDS, str(error)
            except Exception as error:
                pause, problem = IDLE_SECONDS, f"{type(error).__name__}: {error}"
                if problem != said:
                    log.exception("a round went wrong")
            if problem != said:
                log.warning("%s", problem or "all is well again")
            said = problem


def main() -> None:
    """Follow Prefect until SIGTERM."""
    logs.to_stdout()
    leave = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: leave.set())
    database = Database.of(settings())
    ensure(database, standing.refuse_others)
    follow(database, leave)


if __name__ == "__main__":
    main()
