"""Failures provoked on a real Prefect server, or on what is none, and what an operator reads of each."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows import client
from flows.services import deployments
from flows.services.deployments import Names, ScheduleSpec
from flows.services.prefect_api import PrefectApi
from metadata.errors import PilothouseError, ServiceDownError
from metadata.settings import settings
from tests.flows.web import answering

pytestmark = pytest.mark.slow
NIGHTLY = ScheduleSpec("u-1", "nightly", "p-1", "0 3 * * *", "Europe/Berlin", "queue", True)


@dataclass(frozen=True)
class Server:
    """A Prefect server, a connection to it, and its address."""

    home: Path
    api: PrefectApi
    url: str


@pytest.fixture(scope="module")
def server(api: PrefectApi) -> Server:
    return Server(settings().home, api, client.prefect_api()[0])


def nobody_there(_server: Server) -> None:
    with PrefectApi("http://127.0.0.1:9/api", {}) as api:
        api.check()


def without_password(server: Server) -> None:
    with PrefectApi(server.url, {}) as api:
        api.check()


def without_path(server: Server) -> None:
    with PrefectApi(server.url.removesuffix("/api"), client.prefect_api()[1]) as api:
        api.check()


def a_page_for_people(_server: Server) -> None:
    with answering(200, "<html>Prefect</html>", "text/html") as address, PrefectApi(f"{address}/api", {}) as api:
        api.check()


def another_version(_server: Server) -> None:
    with answering(200, '"2.20.0"') as address, PrefectApi(f"{address}/api", {}) as api:
        api.check()


def not_allowed(_server: Server) -> None:
    with answering(403, '{"detail": "Forbidden"}') as address, PrefectApi(f"{address}/api", {}) as api:
        api.check()


def behind_a_broken_proxy(_server: Server) -> None:
    with answering(502, "Bad Gateway", "text/plain") as address, PrefectApi(f"{address}/api", {}) as api:
        api.check()


def locked_database(server: Server) -> None:
    with (
        closing(sqlite3.connect(server.home / "prefect" / "prefect.db", timeout=10)) as holder,
        PrefectApi(*client.prefect_api(), seconds=1.0) as impatient,
    ):
        impatient.post("/flows/", {"name": "before"})  # so that what is late is the write, not our first token
        holder.execute("BEGIN IMMEDIATE")
        impatient.post("/flows/", {"name": "kept waiting"})


def no_work_pool(server: Server) -> None:
    deployments.sync_schedules(server.api, [NIGHTLY], Names("nowhere", "launch", "schedule-nowhere-"))


def no_deployment(server: Server) -> None:
    found = server.api.get(f"/deployments/name/{deployments.FLOW}/{deployments.LAUNCH}")
    server.api.delete(f"/deployments/{found['id']}")
    try:
        client.create_flow_run("a-run", 1)
    finally:
        deployments.prepare(server.api)


def name_taken(server: Server) -> None:
    server.api.post("/work_pools/", {"name": deployments.POOL, "type": deployments.POOL_TYPE})


def not_understood(server: Server) -> None:
    server.api.post("/flow_runs/filter", {"flow_runs": {"colour": {"any_": ["red"]}}})


PROVOKED: list[tuple[str, Callable[[Server], None], str, str]] = [
    ("away", nobody_there, "PH311", "no answer at http://127.0.0.1:9/api"),
    ("password", without_password, "PH312", "refuses our password"),
    ("path", without_path, "PH323", "no Prefect API"),
    ("page", a_page_for_people, "PH323", "no Prefect API"),
    ("version", another_version, "PH317", "is Prefect 2.20.0, and this works with 3.x"),
    ("forbidden", not_allowed, "PH321", "does not let us"),
    ("proxy", behind_a_broken_proxy, "PH311", "no answer at"),
    ("locked", locked_database, "PH318", "its database is locked, or it is overloaded"),
    ("work pool", no_work_pool, "PH315", "no such work pool"),
    ("deployment", no_deployment, "PH316", "no worker has been ready"),
    ("name taken", name_taken, "PH322", "POST /api/work_pools/"),
    ("not understood", not_understood, "PH324", "POST /api/flow_runs/filter"),
]
ABOUT_WHAT_IS_ASKED = ("PH315", "PH322", "PH324")


@pytest.mark.parametrize(("provoke", "code", "words"), [row[1:] for row in PROVOKED], ids=[row[0] for row in PROVOKED])
def test_a_failure_of_prefect_has_a_reason_in_plain_words(
    server: Server, provoke: Callable[[Server], None], code: str, words: str
) -> None:
    with pytest.raises(PilothouseError) as caught:
        provoke(server)
    fault = caught.value.fault
    assert (fault.code, words in fault.cause) == (code, True), fault
    assert "\n" not in fault.cause
    assert "it asks for" not in f"{fault.cause}{fault.remedy}"
    assert fault.remedy
    assert isinstance(caught.value, ServiceDownError) != (code in ABOUT_WHAT_IS_ASKED)


def test_a_run_that_has_ended_is_cancelled_without_a_failure(server: Server) -> None:
    flow_run_id = client.create_flow_run("a-run", 1)
    for _ in range(2):
        client.cancel_flow_run(flow_run_id)
    assert server.api.get(f"/flow_runs/{flow_run_id}")["state"]["type"] == "CANCELLED"


@pytest.mark.parametrize("url", ["http://ann:hush@127.0.0.1:9/api", "http://ann:hush@nowhere.invalid/api"])
def test_a_password_in_the_address_is_not_told(url: str) -> None:
    with PrefectApi(url, {}) as api, pytest.raises(ServiceDownError, match="PH311") as away:
        api.check()
    assert "hush" not in str(away.value.fault.model_dump())
