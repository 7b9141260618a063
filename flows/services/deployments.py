"""Prefect's work pool and deployments of ours: one to launch by hand, one per schedule of the blueprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from flows.reasons import as_error
from flows.services import records
from flows.services.prefect_api import PrefectApi
from flows.services.prefect_errors import explained
from metadata.database import Database, installation
from metadata.errors import PilothouseError, ServiceDownError
from metadata.settings import Settings

POOL, POOL_TYPE = "pilothouse", "pilothouse-fork"
FLOW, ENTRYPOINT = "run_pipeline", "flows.run_pipeline.run_pipeline"
"""The flow's name, and where it is imported from: the installed package, so that no code is copied anywhere."""
LAUNCH = "launch"
PREFIX = "schedule-"
PAGE = 200
REFUSED = "PH521 pipeline "
"""In what Prefect says of a flow run whose pipeline was off."""
BEAT_EVERY = timedelta(seconds=30)
"""How often a worker tells Prefect that it is there."""


@dataclass(frozen=True)
class Names:
    """What is ours on a Prefect server: work pool, deployment to launch by, and how those of schedules begin."""

    pool: str
    launch: str
    schedule: str


OWN = Names(POOL, LAUNCH, PREFIX)
"""On a server that nobody else uses."""


def names(values: Settings, database: Database) -> Names:
    """What is ours on the Prefect server of the settings; on one that others may use too it says whose it is.

    All hosts that work with the same metadata database have the same names, hence the same queue.
    """
    embedded = records.load(values.state, records.PREFECT)
    url = values.prefect_api_url  # of the embedded server, in the environment of the services that follow it
    if url is None or (embedded is not None and embedded.pid and embedded.url == url):
        return OWN
    mark = installation(database)[:8]
    return Names(f"{POOL}-{mark}", f"{LAUNCH}-{mark}", f"{PREFIX}{mark}-")


@dataclass(frozen=True)
class ScheduleSpec:
    """What Prefect must know of a schedule. Its parameters stay in the plan: the flow resolves them when it starts."""

    uid: str
    key: str
    pipeline_uid: str
    cron: str
    timezone: str
    overlap: Literal["queue", "skip"]
    enabled: bool

    @property
    def version(self) -> str:
        """Digest of everything above: a deployment that carries it need not be touched."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def prepare(api: PrefectApi, ours: Names = OWN) -> None:
    """Make sure that there is the work pool and the deployment through which runs are launched."""
    if api.get(f"/work_pools/{ours.pool}") is None:
        api.post("/work_pools/", {"name": ours.pool, "type": POOL_TYPE})
    existing = api.get(f"/deployments/name/{FLOW}/{ours.launch}")
    if existing is None or existing["entrypoint"] != ENTRYPOINT:
        _put(api, ours, {"name": ours.launch, "description": "Runs that people launch"})


def sync_schedules(api: PrefectApi, specs: Sequence[ScheduleSpec], ours: Names = OWN) -> None:
    """Make the schedules' deployments follow the blueprint: create, change and delete; a repeat does nothing.

    Runs that wait for a deployment that is changed or deleted go with it; runs that have started go on. A schedule that
    the server refuses keeps no other waiting: the first refusal is raised at the end, by the schedule's name.
    """
    refused: list[PilothouseError] = []
    wanted = {ours.schedule + spec.uid: spec for spec in specs}
    present = {name: item for name, item in _deployments(api).items() if name.startswith(ours.schedule)}
    for name in present.keys() - wanted.keys():
        api.delete(f"/deployments/{present[name]['id']}")
    for name, spec in wanted.items():
        if name not in present or present[name]["version"] != spec.version:
            try:
                _put(api, ours, _schedule_body(name, spec))
            except ServiceDownError:
                raise
            except PilothouseError as error:
                refused.append(as_error(error.fault.model_copy(update={"thing": f"schedule {spec.key}"}), ()))
    if refused:
        raise refused[0]


def _schedule_body(name: str, spec: ScheduleSpec) -> dict[str, Any]:
    cron = {"cron": spec.cron, "timezone": spec.timezone}
    return {
        "name": name,
        "description": spec.key,
        "version": spec.version,
        "parameters": {"schedule": spec.uid},
        "schedules": [{"schedule": cron, "active": spec.enabled}],
        "paused": not spec.enabled,
        "concurrency_limit": 1,
        "concurrency_options": {"collision_strategy": "ENQUEUE" if spec.overlap == "queue" else "CANCEL_NEW"},
    }


def _put(api: PrefectApi, ours: Names, body: dict[str, Any]) -> None:
    """Create a deployment of the flow, or bring the one of that name up to date."""
    flow = api.post("/flows/", {"name": FLOW})
    common = {
        "flow_id": flow["id"],
        "work_pool_name": ours.pool,
        "entrypoint": ENTRYPOINT,
        "enforce_parameter_schema": False,
    }
    if api.post("/deployments/", {**common, **body}) is None:
        raise explained("", "Work pool not found", {})


def _deployments(api: PrefectApi) -> dict[str, dict[str, Any]]:
    """All deployments of our flow, by name."""
    found: dict[str, dict[str, Any]] = {}
    while True:
        page = api.post(
            "/deployments/filter",
            {"flows": {"name": {"any_": [FLOW]}}, "limit": PAGE, "offset": len(found), "sort": "NAME_ASC"},
        )
        found.update({item["name"]: item for item in page})
        if len(page) < PAGE:
            return found


def drop_backlog(api: PrefectApi, ours: Names = OWN) -> int:
    """Cancel what schedules missed while no worker was there, except the newest run of each; gives how many.

    Prefect has no catch-up policy: the whole backlog would run at once. What was due before then waits for its turn,
    behind the limit of runs or the run before it, and is left alone.
    """
    waiting = _missed(api, _last_worker(api, ours), ours)
    newest: dict[str, dict[str, Any]] = {}
    for run in waiting:
        held = newest.get(run["deployment_id"])
        if held is None or run["expected_start_time"] > held["expected_start_time"]:
            newest[run["deployment_id"]] = run
    kept = {run["id"] for run in newest.values()}
    stale = [run for run in waiting if run["id"] not in kept]
    for run in stale:
        state = {"type": "CANCELLED", "message": "Missed while the services were down; a newer run stands for it."}
        api.post(f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})
    return len(stale)


def _last_worker(api: PrefectApi, ours: Names) -> datetime | None:
    """Until when a worker of the pool may have been there, on whatever host; None when there never was one."""
    last = api.post(f"/work_pools/{ours.pool}/workers/filter", {"limit": 1})  # the newest beat comes first
    return datetime.fromisoformat(last[0]["last_heartbeat_time"]) + BEAT_EVERY if last else None


def _missed(api: PrefectApi, since: datetime | None, ours: Names) -> list[dict[str, Any]]:
    """Runs of schedules' deployments whose time has passed, `since` then, and that were never tried."""
    passed = {"before_": datetime.now(UTC).isoformat(), **({"after_": since.isoformat()} if since else {})}
    asked = {"state": {"name": {"any_": ["Scheduled", "Late"]}}, "expected_start_time": passed}
    return [run for page in _scheduled(api, asked, ours) for run in page]


def dead_scheduled_runs(
    api: PrefectApi, since: datetime, ours: Names = OWN
) -> Iterator[dict[str, tuple[str, datetime]]]:
    """Flow runs of schedules that ended after `since`, failed or crashed, by pages, and what was due first comes first.

    A page is: id → the schedule's uid, and when it was due. What was refused because its pipeline was off is no such
    run: nobody wants it once the pipeline is on.
    """
    asked = {"state": {"type": {"any_": ["FAILED", "CRASHED"]}}, "end_time": {"after_": since.isoformat()}}
    for page in _scheduled(api, asked, ours):
        yield {
            run["id"]: (run["parameters"].get("schedule", ""), datetime.fromisoformat(run["expected_start_time"]))
            for run in page
            if REFUSED not in (run["state"]["message"] or "")
        }


def _scheduled(api: PrefectApi, asked: Mapping[str, Any], ours: Names) -> Iterator[list[dict[str, Any]]]:
    """Flow runs of schedules' deployments, by pages."""
    offset, size = 0, PAGE
    while size == PAGE:
        page = api.post(
            "/flow_runs/filter",
            {
                "flow_runs": asked,
                "deployments": {"name": {"like_": ours.schedule}},
                "sort": "EXPECTED_START_TIME_ASC",
                "limit": PAGE,
                "offset": offset,
            },
        )
        yield page
        size = len(page)
        offset += size
