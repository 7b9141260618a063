"""What stops pipelines, and services that die, on a real terminal: told with its key within 10 s, nothing half written.

And six seeded kills, one of each process: no row is lost, none doubled, nothing stays unfinished. It happens to real
services in a home that all tests here share.
"""

from __future__ import annotations

import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flows import client
from flows.batches import table_path
from flows.services import process, records
from metadata.definitions import load_blueprint
from metadata.rows.batches import open_batch_of, state_of
from metadata.rows.runs import Run, find_run, get_run
from metadata.settings import settings
from metadata.states import State
from tests.conftest import NewHome
from tests.console import faults
from tests.console.faults import CASES, FULL_DISK, GOOD, NARROW, NO_MATCH, pilothouse, soon
from tests.console.pty_terminal import Terminal
from tests.flows import kills
from tests.flows.homes import identity_of, until
from tests.flows.house import House, fresh_house_with_spark
from tests.flows.kills import VICTIMS, Kill

pytestmark = pytest.mark.slow


def jump(shown: Terminal, run: Run) -> None:
    """To a run by its number."""
    shown.send(":", f"run {run.number}", "enter")
    soon(shown, f"#{run.number}")


# What stops a pipeline


@pytest.fixture(scope="module")
def house(new_home: NewHome, jars: Path) -> Iterator[House]:
    """A home with real services, a Spark server of its own among them."""
    with fresh_house_with_spark(new_home("faults"), jars) as opened:
        yield opened


@pytest.fixture(scope="module")
def console(house: House) -> Iterator[Terminal]:
    """The console on it, as small as it may be."""
    with Terminal((sys.executable, "-c", "from console.app import run; run()"), size=NARROW) as shown:
        shown.until("PIPELINES", "q quit", "db●", "prefect●", "spark●")
        yield shown


@pytest.fixture(scope="module")
def stocked(house: House) -> House:
    """With files landed for every pipeline, and the pipelines."""
    house.apply(faults.blueprint("trouble", *CASES))
    for case in (GOOD, NO_MATCH):
        house.apply(faults.blueprint(case.name, case))
    for case in (GOOD, NO_MATCH, *CASES):
        for name, text in (case.files or {}).items():
            house.land(case.name, name, text)
    return house


@pytest.fixture(scope="module")
def failed(stocked: House, console: Terminal) -> Run:
    """A run of which every task has met a fault."""
    run = stocked.ended(stocked.launch("trouble"))
    soon(console, f"✗ trouble #{run.number}", "r run again")
    return run


def test_what_stops_a_task_is_told_with_its_key_and_leaves_nothing(
    house: House, failed: Run, console: Terminal
) -> None:
    jump(console, failed)
    console.send("g")
    tasks, datasets = house.tasks(failed), load_blueprint(house.database).datasets
    for case in CASES:
        console.send("j")
        task, dataset = tasks[case.name], datasets[f"bronze.{case.name}"]
        assert task.state == State.FAILED
        assert task.fault is not None
        told = (case.code, *case.words, task.fault.thing, task.fault.cause, task.fault.remedy)
        soon(console, *told, f"press {'e definition ' if task.fault.by_editing else ''}r run again")
        assert state_of(house.database, dataset.uid) is None
        assert open_batch_of(house.database, dataset.uid) is None
        assert list(Path(table_path(settings(), dataset)).glob("_delta_log/*.json")) == []


def test_the_key_mends_what_was_mended_at_its_source_and_then_nothing_new_is_no_failure(
    house: House, failed: Run, console: Terminal
) -> None:
    for case in CASES:
        for name, text in case.mended.items():
            house.land(case.name, name, text)
    jump(console, failed)
    soon(console, "press r run again")
    console.send("r")
    soon(console, "failed only")
    console.send("f")
    soon(console, "Runs ▸ trouble", "▶")
    run = house.ended(find_run(house.database, failed.number))
    assert (run.attempt, run.state) == (2, State.SUCCEEDED)
    soon(console, "✓ succeeded", f"✓ {len(CASES)} of {len(CASES)}")
    again = house.ended(house.launch("trouble"))
    jump(console, again)
    soon(console, "✓ succeeded", "– nothing was to be done", "nothing new at missing_column: 1 file read before")
    rows = " UNION ALL ".join(f"SELECT '{case.name}', id, place FROM bronze.{case.name}" for case in CASES)
    assert sorted(house.ask(rows)) == sorted((case.name, 1, "Rome") for case in CASES)


def test_the_command_line_fails_when_a_run_does(stocked: House, console: Terminal) -> None:
    command = pilothouse("run", "launch", NO_MATCH.name, "--wait")
    told = command.communicate(timeout=120)[1]
    assert command.returncode == 1
    assert all(word in told for word in (NO_MATCH.code, "connection no_match", "cause", *NO_MATCH.words, "next"))
    console.send("1")
    soon(console, f"✗ {NO_MATCH.name}", "no file matches")


def test_a_full_disk_under_a_table_is_told_and_the_run_goes_on_once_there_is_room(
    house: House, console: Terminal
) -> None:
    house.apply(faults.blueprint(FULL_DISK.name, FULL_DISK))
    house.land(FULL_DISK.name, "a.csv", faults.much())
    dataset = load_blueprint(house.database).datasets[f"bronze.{FULL_DISK.name}"]
    table = Path(table_path(settings(), dataset))
    with faults.small_disk(table, 1):
        run = house.ended(house.launch(FULL_DISK.name))
        jump(console, run)
        soon(console, FULL_DISK.code, "task full_disk", *FULL_DISK.words, "Free some space", "press r run again")
        assert state_of(house.database, dataset.uid) is None
        faults.enlarge(table, 64)
        console.send("r")
        soon(console, "failed only")
        console.send("f")
        soon(console, "▶")
        assert house.ended(get_run(house.database, run.id)).state == State.SUCCEEDED
        soon(console, "✓ succeeded")
        assert house.ask(f"SELECT count(*), count(DISTINCT id) FROM bronze.{FULL_DISK.name}") == [(100_000, 100_000)]


# Services that die


SEED = 20130101


@pytest.mark.parametrize("kill", kills.kills(SEED, len(VICTIMS)), ids=lambda kill: kill.victim)
def test_what_is_killed_changes_nothing_in_the_tables(house: House, kill: Kill, request: pytest.FixtureRequest) -> None:
    tries = getattr(request.node, "execution_count", 1)
    kills.check(house, f"{kill.victim.replace(' ', '_')}_{tries}", kill, kills.undisturbed())


def test_dead_services_and_a_taken_port_are_told_and_runs_wait_for_what_the_key_starts_again(
    stocked: House, console: Terminal
) -> None:
    house = stocked
    client.ensure_up(wait=True)  # where an earlier try has left them down
    house.land(GOOD.name, "b.csv", "id,place\n2,Oslo\n")
    port, scratch = _kill_spark_for_good(house)
    with _squatting(port):
        try:
            console.send("1")
            soon(console, "✗ spark is down", "U start", "spark")
            waits = house.launch(GOOD.name)
            jump(console, waits)
            until(lambda: house.states(waits)[GOOD.name] == State.RETRYING, 60, "a run that waits")
            soon(console, "↻ retry", "PH41", "U start services")
            console.send(":", "services", "enter")
            soon(console, "compute (spark)", "PH310", "times in a row", "it ends again and again", "spark.log")
            console.send("escape", "1")
            for name in (records.SUPERVISOR, records.PREFECT):
                process.send(identity_of(name), signal.SIGKILL)
            soon(console, "✗ supervisor is down", "✗ prefect is down", "U start")
            asked = pilothouse("status")
            assert "the process has ended" in asked.communicate(timeout=60)[0]
            assert asked.returncode == 4
            queued = house.launch(NO_MATCH.name)
            jump(console, queued)
            soon(console, "… queued", "waits for orchestrator (prefect), which is down")
            console.send("U")
            soon(console, "services are being started")
        finally:
            scratch.unlink()
        assert house.ended(queued).state == State.FAILED
        assert house.ended(waits).state == State.SUCCEEDED
    assert house.ask("SELECT count(*) FROM bronze.good") == [(2,)]
    soon(console, "prefect●", "spark●")
    console.send(":", "services", "enter")
    soon(console, f"port {port} was taken by another process: it is at")


def _kill_spark_for_good(house: House) -> tuple[int, Path]:
    """Kill Spark: the port that it had, and the file that must go before it can start again."""
    identity, port = identity_of(records.SPARK), urlsplit(client.spark_remote()).port
    scratch = house.home / "spark" / "scratch"
    shutil.rmtree(scratch)
    scratch.touch()
    process.send(identity, signal.SIGKILL)
    assert not process.wait([identity], 5)
    return port or 0, scratch


@contextmanager
def _squatting(port: int) -> Iterator[None]:
    """Another process listens there."""
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until(lambda: _bound(squatter, port), 30, f"port {port} to be had")
        squatter.listen()
        yield


def _bound(squatter: socket.socket, port: int) -> bool:
    try:
        squatter.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
