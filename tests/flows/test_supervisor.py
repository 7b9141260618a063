"""Services come up, come back whatever is killed, and leave nothing behind. All of it on real processes."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from flows import client
from flows.services import process, program, records
from flows.services.prefect_api import PrefectApi
from flows.services.process import Identity
from flows.services.watch import FIRST_DELAY, LONGEST_DELAY, delay
from metadata.errors import ServiceDownError
from metadata.settings import settings
from tests.conftest import NewHome
from tests.flows.homes import OTHER_PROGRAM, fresh_home, identity_of, members, until, up

EMBEDDED = (records.PREFECT, records.PROJECTOR, records.WORKER)
ALL = (records.SUPERVISOR, *EMBEDDED)
RECOVERY_SECONDS = 120
"""More than the 30 s that an idle host needs: a busy one must not fail the test."""

IMPATIENT = """
from flows.services import catalog, supervisor, watch

watch.MISSES, catalog.PrefectServer.probe_seconds = 2, 0.2
supervisor.main()
"""
"""A supervisor that looks sooner at a server that does not answer, and less often, before it starts another one."""


def test_restarts_wait_longer_each_time_up_to_a_limit() -> None:
    delays = [delay(failures) for failures in range(1, 100)]
    assert delays[0] == FIRST_DELAY
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY


@pytest.fixture(scope="module")
def home(new_home: NewHome) -> Iterator[Path]:
    """A home whose services are up, Spark aside, which is given by a URL where nothing listens."""
    folder = new_home("supervisor")
    with fresh_home(folder, SPARK_REMOTE="sc://127.0.0.1:9/;token=of-that-spark-server"):
        client.ensure_up()
        up(*ALL)
        yield folder


def _kill(identity: Identity) -> None:
    os.kill(identity.pid, signal.SIGKILL)
    assert not process.wait([identity], 5)


@pytest.mark.slow
@pytest.mark.parametrize("name", EMBEDDED)
def test_a_killed_service_is_started_again_at_its_address(home: Path, name: str) -> None:
    up(*ALL)
    before, url = identity_of(name), client.prefect_api()[0]
    _kill(before)
    until(lambda: identity_of(name) != before, RECOVERY_SECONDS)
    up(*ALL, seconds=RECOVERY_SECONDS)
    assert client.prefect_api()[0] == url


@pytest.mark.slow
def test_who_calls_while_the_server_restarts_waits_and_does_not_fail(home: Path) -> None:
    up(*ALL)
    with PrefectApi(*client.prefect_api(), seconds=RECOVERY_SECONDS) as api:
        _kill(identity_of(records.PREFECT))
        assert api.post("/flows/", {"name": "patient"}) is not None


@pytest.mark.slow
def test_a_new_supervisor_takes_over_what_goes_on_without_one_and_starts_again_what_hangs(home: Path) -> None:
    up(*ALL)
    before = {name: identity_of(name) for name in EMBEDDED}
    _kill(identity_of(records.SUPERVISOR))
    assert {one.state for one in client.status() if one.name in EMBEDDED} == {"up"}
    env = process.environment(settings().home, records.SUPERVISOR)
    process.spawn([sys.executable, "-P", "-c", IMPATIENT], env, home, home / "impatient.log")
    up(*ALL, seconds=RECOVERY_SECONDS)
    assert {name: identity_of(name) for name in EMBEDDED} == before
    server = before[records.PREFECT]
    os.kill(server.pid, signal.SIGSTOP)
    until(lambda: identity_of(records.PREFECT) != server, RECOVERY_SECONDS, "another server")
    up(*ALL, seconds=RECOVERY_SECONDS)
    assert not server.alive()


@pytest.mark.slow
def test_all_killed_at_once_comes_back_and_who_got_an_id_or_port_of_theirs_is_neither_trusted_nor_killed(
    home: Path,
) -> None:
    up(*ALL)
    port = urlsplit(client.prefect_api()[0]).port or 0
    killed = members()
    for identity in killed:
        process.send(identity, signal.SIGKILL)
    process.wait(killed, 5)
    assert {one.state for one in client.status() if one.name in ALL} == {"down"}
    me = process.ourselves()
    for name in ALL:
        record = records.load(settings().state, name)
        assert record is not None
        records.save(settings().state, replace(record, state="up", pid=me.pid, started=me.started - 1))
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        client.ensure_up()
        up(*ALL, seconds=RECOVERY_SECONDS)
    assert urlsplit(client.prefect_api()[0]).port != port
    assert me.pid not in {identity_of(name).pid for name in ALL}


@pytest.mark.slow
def test_a_process_that_no_record_names_is_ended_by_the_next_supervisor(home: Path) -> None:
    up(*ALL)
    stray = identity_of(records.PROJECTOR)
    _kill(identity_of(records.SUPERVISOR))
    records.file(settings().state, records.PROJECTOR).unlink()
    client.ensure_up()
    up(*ALL, seconds=RECOVERY_SECONDS)
    assert not stray.alive()


@pytest.mark.slow
def test_a_second_supervisor_gives_way(home: Path) -> None:
    up(*ALL)
    first = identity_of(records.SUPERVISOR)
    env = process.environment(settings().home, records.SUPERVISOR)
    second = process.spawn(process.module("flows.services.supervisor"), env, home, home / "second.log")
    assert second.wait(20) == 0
    assert identity_of(records.SUPERVISOR) == first
    up(*ALL, seconds=1)


@pytest.mark.slow
def test_services_of_another_program_are_replaced_by_whoever_starts_services(home: Path) -> None:
    up(*ALL)
    before = {name: identity_of(name) for name in ALL}
    record = records.load(settings().state, records.SUPERVISOR)
    assert record is not None
    assert record.program == program.installed()
    records.save(settings().state, replace(record, program=OTHER_PROGRAM))
    client.ensure_up()
    up(*ALL, seconds=RECOVERY_SECONDS)
    assert not [name for name in ALL if identity_of(name) == before[name]]
    assert {one.other_program for one in client.status()} == {""}


@pytest.mark.slow
def test_the_server_listens_on_loopback_and_asks_who_calls(home: Path) -> None:
    up(*ALL)
    url, headers = client.prefect_api()
    assert httpx.get(f"{url}/work_pools/pilothouse").status_code == 401
    assert httpx.post(f"{url}/flows/", json={"name": "x"}, headers=headers).status_code == 403
    with PrefectApi(url, {"Authorization": "Basic bm86"}) as stranger, pytest.raises(ServiceDownError, match="PH312"):
        stranger.get("/work_pools/pilothouse")
    listening = [
        connection.laddr.ip
        for identity in members()
        for connection in psutil.Process(identity.pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


@pytest.mark.slow
def test_no_password_stands_in_arguments(home: Path) -> None:
    up(*ALL)
    token = client.prefect_api()[1]["Authorization"]
    secret = records.secret(settings().state, "prefect")
    sparks = client.spark_remote().partition("token=")[2].partition(";")[0]
    assert sparks == "of-that-spark-server"
    for identity in members():
        arguments = " ".join(process.command(identity))
        assert not [word for word in (secret, token, sparks) if word in arguments]


@pytest.mark.slow
def test_down_leaves_no_process_behind_also_without_a_supervisor(home: Path) -> None:
    up(*ALL)
    _kill(identity_of(records.SUPERVISOR))
    time.sleep(0.2)
    client.down()
    assert members() == []
