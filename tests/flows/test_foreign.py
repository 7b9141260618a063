"""Somebody else's Spark, Prefect, MLflow and PostgreSQL, given by URL: used, and left as they are."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from flows import client, engine
from flows.services import records
from flows.services.prefect_api import PrefectApi
from metadata.database import Database, installation
from metadata.errors import ServiceDownError
from metadata.migrations import upgrade
from metadata.rows.runs import Run
from metadata.settings import settings
from metadata.states import State
from tests.conftest import NewHome
from tests.flows import learning
from tests.flows.homes import fresh_home, until
from tests.flows.house import House
from tests.flows.spark_servers import SparkAddress
from tests.metadata.postgres import Postgres

pytestmark = pytest.mark.slow

BURNS = (
    "SELECT sum(sin(hash(a.id, b.id)) + hash(c.id)) AS heat FROM (SELECT id FROM bronze.trips DISTRIBUTE BY id) AS a "
    "CROSS JOIN bronze.trips AS b CROSS JOIN bronze.trips AS c"
)
"""Goes on for minutes, and stops within a second: between two rows of `a`, which it reads one by one."""
QUIET = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
LEARN = ("ingest", "features", "train")


@dataclass(frozen=True)
class Abroad:
    """Servers of others, and a home that uses them. The metadata shares its database with MLflow's rows."""

    house: House
    prefect: PrefectApi
    mlflow_url: str
    mlflow: subprocess.Popen[bytes]

    def ran(self, pipeline: str) -> Run:
        """A run of a pipeline that speaks for the day after the last trips, ended."""
        return self.house.ended(client.launch(pipeline, {}, learning.day(60), "test"))


def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(folder: Path, *command: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server of somebody else: a command of this Python's environment, killed with its children afterwards."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    with (folder / f"{command[0]}.log").open("wb") as output:
        child = subprocess.Popen(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            env={**env, **QUIET, **variables},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield child
        finally:
            stop(child)


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a server with its children."""
    tree = psutil.Process(child.pid).children(recursive=True) if child.poll() is None else []
    child.kill()
    for process in tree:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    child.wait(20)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def blueprint(cron: str = "0 3 * * *") -> str:
    sections = learning.sections()
    tasks = sections["pipelines"]["flow"]["tasks"]
    sections["connections"] = {"landing": {"kind": "files", "path": "landing"}}
    sections["datasets"]["gold.heat"] = {"storage": {"mode": "overwrite"}}
    burn = {"kind": "transform", "to": "gold.heat", "sql": BURNS}
    sections["pipelines"] = {
        "learn": {"tasks": {key: tasks[key] for key in LEARN}},
        "burn": {"tasks": {"burn": burn}},
    }
    sections["schedules"] = {"nightly": {"pipeline": "learn", "cron": cron, "timezone": "UTC"}}
    for unused in ("monitors", "decisions"):
        del sections[unused]
    del sections["datasets"]["predictions.trips"]
    return json.dumps(sections)


@pytest.fixture(scope="module")
def abroad(new_home: NewHome, spark_server: SparkAddress, postgres: Postgres) -> Iterator[Abroad]:
    folder = new_home("abroad")
    prefect, mlflow = (f"http://127.0.0.1:{port()}" for _ in range(2))
    with ExitStack() as doors:
        shared = postgres.create()
        theirs = doors.enter_context(
            serving(
                folder,
                *("mlflow", "server", "--backend-store-uri", shared, "--artifacts-destination", str(folder / "files")),
                *("--host", "127.0.0.1", "--port", mlflow.rpartition(":")[2], "--workers", "1"),
                MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
            )
        )
        doors.enter_context(
            serving(
                folder,
                *("prefect", "server", "start", "--host", "127.0.0.1", "--port", prefect.rpartition(":")[2], "--no-ui"),
                PREFECT_HOME=str(folder / "prefect"),
            )
        )
        until(lambda: answers(f"{prefect}/api/health") and answers(f"{mlflow}/health"), 120, "servers of others")
        api = doors.enter_context(PrefectApi(f"{prefect}/api", {}, seconds=30))
        doors.enter_context(
            fresh_home(
                folder / "home",
                SPARK_REMOTE=spark_server.remote,
                PREFECT_API_URL=f"{prefect}/api",
                MLFLOW_TRACKING_URI=mlflow,
                PILOTHOUSE_DATABASE_URL=shared,
            )
        )
        assert upgrade(Database.of(settings()))
        house = House(folder / "home")
        client.ensure_up(wait=True)
        house.apply(blueprint())
        house.land("landing", "trips-1.csv", learning.trips(60).to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ"))
        yield Abroad(house, api, mlflow, theirs)
        house.database.close()


def names(api: PrefectApi, what: str) -> set[str]:
    return {item["name"] for item in api.post(f"/{what}/filter", {})}


def patiently(api: PrefectApi, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the server makes, asked again while its own database is locked (PH318)."""

    def made() -> Any:
        with suppress(ServiceDownError):
            return api.post(path, body)
        return None

    found: dict[str, Any] = until(made, 30, f"{path} made")
    return found


def given() -> dict[str, Any]:
    return {one.name: one for one in client.status() if one.given}


def test_services_of_others_are_told_as_such(abroad: Abroad) -> None:
    assert {name: one.state for name, one in given().items()} == dict.fromkeys(
        ("prefect", "spark", "mlflow"), "external"
    )
    assert {one.name for one in client.status() if one.state == "up"} == {"supervisor", "worker", "projector"}
    assert not (abroad.house.home / "mlflow.db").exists()


def test_a_model_is_trained_and_registered_with_them(abroad: Abroad) -> None:
    run = abroad.ran("learn")
    assert abroad.house.states(run) == dict.fromkeys(LEARN, State.SUCCEEDED)
    assert abroad.house.ask("SELECT count(*) FROM features.trips") == [(2_400,)]
    answer = httpx.get(f"{abroad.mlflow_url}/api/2.0/mlflow/registered-models/search?max_results=10", trust_env=False)
    (model,) = answer.json()["registered_models"]
    assert model["name"].startswith("late-")
    assert [item["alias"] for item in model["aliases"]] == ["champion"]


def test_cancelling_stops_what_their_spark_does(abroad: Abroad) -> None:
    abroad.ran("learn")  # brings the rows, where this is tried on its own
    run = client.launch("burn", {}, None, "test")
    abroad.house.running(run, "burn")
    client.cancel(run.id, "test")
    assert abroad.house.ended(run, 30).state is State.CANCELLED
    assert abroad.house.ask("SELECT count(*) FROM bronze.trips") == [(2_400,)]


def test_what_is_ours_there_says_whose_it_is_and_nothing_else_is_touched(abroad: Abroad) -> None:
    mark = installation(abroad.house.database)[:8]
    until(lambda: len(names(abroad.prefect, "deployments")) == 2, 30, "deployments of ours")
    flow = patiently(abroad.prefect, "/flows/", {"name": "run_pipeline"})
    patiently(abroad.prefect, "/deployments/", {"name": "schedule-of-another-home", "flow_id": flow["id"]})
    abroad.house.apply(blueprint(cron="0 4 * * *"))
    until(lambda: "revision 2" in (settings().logs / "projector.log").read_text(), 30, "schedules looked at again")
    nightly = {name for name in names(abroad.prefect, "deployments") if name.startswith(f"schedule-{mark}-")}
    assert len(nightly) == 1
    assert names(abroad.prefect, "deployments") - nightly == {f"launch-{mark}", "schedule-of-another-home"}
    assert names(abroad.prefect, "work_pools") == {f"pilothouse-{mark}"}


def test_one_that_is_away_is_told_with_its_reason_and_all_of_them_outlive_us(abroad: Abroad) -> None:
    stop(abroad.mlflow)
    until(lambda: given()[records.MLFLOW].state == "down", 30, "the end of MLflow seen")
    assert "PH620" in given()[records.MLFLOW].detail
    with pytest.raises(ServiceDownError, match=r"PH310 mlflow at http.*given by MLFLOW_TRACKING_URI"):
        client.ensure_up(wait=True)
    client.down()
    assert answers(f"{client.prefect_api()[0]}/health")
    engine.ping(client.spark_remote())
    assert installation(abroad.house.database)
