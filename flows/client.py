"""The one module through which others start and stop services, launch and cancel runs. It imports fast: no Prefect.

Addresses and tokens come from the records that the supervisor keeps in the home, or from the settings when a service is
given by URL.
"""

from __future__ import annotations

import contextlib
import difflib
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.services import records
from flows.services.records import Record
from flows.services.standing import (
    ServiceStatus,
    down,
    ensure_up,
    refuse_others,
    refuse_unless_down,
    retire,
    status,
)
from metadata.database import Database
from metadata.errors import PilothouseError, ServiceDownError, UsageError
from metadata.settings import Settings, settings
from metadata.values import utc_now

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from flows.services.prefect_api import PrefectApi
    from flows.tables import TableRows, TableVersion
    from metadata.rows.runs import Run
    from metadata.trying import RowsTried, RuleTried

__all__ = [
    "SERVICE_FAULTS",
    "ServiceStatus",
    "again",
    "cancel",
    "cancel_flow_run",
    "create_flow_run",
    "demo_environment",
    "demo_files",
    "down",
    "ensure_up",
    "forget_everything",
    "launch",
    "play_demo",
    "prefect_api",
    "query",
    "refuse_others",
    "refuse_unless_down",
    "release",
    "repeat",
    "retire",
    "spark_remote",
    "spark_session_id",
    "status",
    "table_rows",
    "table_versions",
    "try_rows",
    "try_rule",
]

SERVICE_FAULTS = frozenset({"PH311", "PH410", "PH411"})
"""Codes of faults that a restarted service mends: the orchestrator or the compute did not answer."""


def prefect_api() -> tuple[str, dict[str, str]]:
    """URL of the Prefect server's API, and the headers that it asks for.

    Raises `ServiceDownError` (PH311) when the embedded one was never started.
    """
    from flows.services.prefect_api import basic, given_headers

    values = settings()
    if values.prefect_api_url is not None:
        return values.prefect_api_url, given_headers()
    record = _started(values, records.PREFECT, "PH311", "orchestrator (Prefect)")
    return record.url, basic(record.token)


def spark_remote() -> str:
    """Spark Connect address with its token: the one that was given, else that of the local server.

    Raises `ServiceDownError` (PH410) when the local one was never started, or has ended: whoever listens at its port
    then is somebody else.
    """
    values = settings()
    if values.spark_remote is not None:
        return values.spark_remote
    record = _started(values, records.SPARK, "PH410", "compute (Spark)")
    if not record.alive():
        why = record.detail if record.state == "down" and record.detail else "the process has ended"
        supervised = (one := records.load(values.state, records.SUPERVISOR)) is not None and one.alive()
        remedy = "It is started again by itself; else `pilothouse up`" if supervised else "Run `pilothouse up`"
        raise ServiceDownError("PH410", "compute (Spark)", why, remedy)
    return record.url


def _started(values: Settings, name: str, code: str, thing: str) -> Record:
    record = records.load(values.state, name)
    if record is None or not record.url:
        raise ServiceDownError(code, thing, "it is not started", "Run `pilothouse up`")
    return record


def create_flow_run(run_id: str, attempt: int, name: str | None = None) -> str:
    """Have the orchestrator execute a run; gives the flow run's id. A repeat for the same attempt gives the same one.

    Raises `ServiceDownError` (PH311, PH312) when the server is not there, (PH316) when no worker was ever ready.
    """
    from flows.services import deployments
    from flows.services.prefect_errors import explained

    with _database() as database:
        launch = deployments.names(settings(), database).launch
    with _api() as api:
        deployment = api.get(f"/deployments/name/{deployments.FLOW}/{launch}")
        body = {
            "parameters": {"run_id": run_id, "attempt": attempt},
            "idempotency_key": f"{run_id}:{attempt}",
            **({"name": name} if name else {}),
        }
        made = deployment and api.post(f"/deployments/{deployment['id']}/create_flow_run", body)
        if made is None:
            raise explained("", "Deployment not found", {})
        return str(made["id"])


def cancel_flow_run(flow_run_id: str) -> None:
    """Ask for the cancellation of a flow run; one that has not started is cancelled at once.

    Nothing happens when it has ended, or when the orchestrator does not know it.
    """
    with _api() as api:
        api.post(f"/flow_runs/{flow_run_id}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})


@contextlib.contextmanager
def _database() -> Iterator[Database]:
    """The metadata database for one action: a console does many, and none leaves connections behind."""
    database = Database.of(settings())
    try:
        yield database
    finally:
        database.close()


def _api() -> PrefectApi:
    from flows.services.prefect_api import PrefectApi

    return PrefectApi(*prefect_api())


def spark_session_id() -> str:
    """The Spark session that all processes of this home share, so that its Python workers stay warm."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"pilothouse:{settings().home}"))


def launch(pipeline: str, bindings: Mapping[str, Any], as_of: datetime | None, author: str) -> Run:
    """A new run of a pipeline as the blueprint says today; it speaks for `as_of`, else for now.

    The row is there before the flow run; what the orchestrator cannot take now, the projector hands on later.
    Raises `UsageError` (PH520 no such pipeline, PH521 it is off, PH509 a wrong parameter), and PilothouseError PH349
    while services would execute it that were started from another program, as `again` and `repeat` do.
    """
    from metadata.bindings import bind
    from metadata.compiler import compile_plan
    from metadata.revisions import snapshot
    from metadata.rows.runs import create_run

    refuse_others()
    with _database() as database:
        revision, blueprint = snapshot(database)
        definition = blueprint.pipelines.get(pipeline)
        if definition is None:
            near = difflib.get_close_matches(pipeline, blueprint.pipelines, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(blueprint.pipelines) or 'none'}"
            raise UsageError("PH520", f"pipeline {pipeline}", "there is no such pipeline", hint)
        run = create_run(
            database,
            compile_plan(blueprint, pipeline),
            revision=revision,
            bindings=bind(pipeline, definition.parameters, bindings),
            as_of=as_of or utc_now(),
            trigger="manual",
            author=author,
        )
        _submit(database, run)
    return run


def again(run_id: str, mode: str, author: str) -> Run:
    """Run again: `failed` does what did not succeed and what waits for it, `all` every task. A new attempt.

    Tasks that read what is new read what is new since: nothing is taken in twice.

    Raises `UsageError` (PH503 it still goes on, PH504 nothing failed, PH521 its pipeline is off).
    """
    from metadata.rows.runs import new_attempt

    refuse_others()
    with _database() as database:
        run = new_attempt(database, run_id, mode, author)
        _submit(database, run)
    return run


def repeat(run_id: str, author: str) -> Run:
    """A new run on the plan of a past one, with its bindings and for its instant, whatever the blueprint says today.

    Raises `UsageError` (PH845 what the plan needs is not there any more, PH846 its plan is not read as it was made,
    PH521 its pipeline is off).
    """
    from metadata.rows.repeating import repeat_run

    refuse_others()
    with _database() as database:
        run = repeat_run(database, run_id, author)
        _submit(database, run)
    return run


def cancel(run_id: str, author: str) -> Run:
    """Ask that a run stops; its Spark jobs are interrupted. Raises `UsageError` (PH505) when it has ended."""
    from metadata.rows.runs import request_cancel

    with _database() as database:
        run = request_cancel(database, run_id, author)
    if run.flow_run_id is not None:
        with _handed_on_later(run, "cancelling"):
            cancel_flow_run(run.flow_run_id)
    return run


def release(decision_id: str, author: str) -> None:
    """Let go what a decision holds: its batches are read by the next run. Raises `UsageError` when nothing is held."""
    from metadata.rows.decisions import release as release_decision

    with _database() as database:
        release_decision(database, decision_id, author)


def query(sql: str, limit: int) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and at most `limit` rows of a read-only query over datasets by key, as their last batch left them."""
    from flows.query import run_query

    with _database() as database:
        return run_query(database, settings(), spark_remote(), spark_session_id(), sql, limit)


def table_rows(key: str, uid: str, limit: int, version: int | None = None) -> TableRows:
    """The first rows of a dataset's table, without Spark. Raises PilothouseError PH850, PH851 or PH852."""
    from flows import tables

    return tables.table_rows(settings(), key, uid, limit, version)


def table_versions(key: str, uid: str, limit: int) -> tuple[TableVersion, ...]:
    """The newest versions of a dataset's table, without Spark. Raises as `table_rows` does."""
    from flows import tables

    return tables.table_versions(settings(), key, uid, limit)


def try_rule(owner: str, key: str, text: str = "", runs: int = 12) -> RuleTried:
    """A decision rule as the change set of `owner` has it, or `text` in its place, on what the last runs measured."""
    from flows import trying

    with _database() as database:
        return trying.try_rule(database, owner, key, text, runs)


def try_rows(owner: str, kind: str, key: str, part: str = "", text: str = "") -> RowsTried:
    """Expressions of a definition as the change set of `owner` has it, or `text` in place of one, on real rows."""
    from flows import engine, trying

    def spark() -> SparkSession:
        return engine.connect(spark_remote(), session_id=spark_session_id())

    with _database() as database:
        return trying.try_rows(database, settings(), spark, owner, (kind, key, part), text)


def play_demo(author: str, say: Callable[[str], None], months: int) -> list[Run]:
    """Land the demo's months and run the pipeline on each, going on from what is there; `say` gets the progress."""
    from flows.demo import play

    return play(settings(), author, say, months)


def forget_everything() -> None:
    """Stop the services and remove definitions, runs, tables, models and the demo's own files; the rest stays."""
    from flows.demo import forget

    forget(settings())


def demo_environment() -> dict[str, str]:
    """That of a process which plays the demo beside the console, from whichever folder."""
    from flows.services import process

    return process.unmarked(settings().home)


def demo_files() -> tuple[list[Path], list[Path]]:
    """Files that the demo has landed, which `forget_everything` removes, and those of others, which it keeps."""
    from flows.demo import landed, others
    from metadata.definitions import load_blueprint

    with _database() as database:
        blueprint = load_blueprint(database)
    return landed(settings(), blueprint), others(settings(), blueprint)


def _submit(database: Database, run: Run) -> None:
    from metadata.rows.runs import attach_flow_run

    with _handed_on_later(run, "queued"):
        flow_run_id = create_flow_run(run.id, run.attempt, f"{run.pipeline_key} {run.number}")
        attach_flow_run(database, run.id, run.attempt, flow_run_id)


@contextlib.contextmanager
def _handed_on_later(run: Run, state: str) -> Iterator[None]:
    """What is asked for stands in the row, and the projector hands it on: a server that is away is no failure, and one
    that fails, whose reason is raised, leaves nothing to be done again."""
    try:
        yield
    except ServiceDownError:
        return
    except PilothouseError as error:
        remedy = f"do not ask again: run {run.number} is {state}, and handed on as soon as the server takes it"
        raise PilothouseError(**{**error.fault.model_dump(), "remedy": remedy}) from error
