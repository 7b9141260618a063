"""Services that were started from another program: they are told, nothing changes under them, and they give way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from flows import client
from flows.services import process, program, records, standing
from flows.services.process import Identity
from metadata.database import Database
from metadata.errors import PilothouseError
from metadata.migrations import VERSION_TABLE, VERSIONS, ensure, upgrade
from metadata.rows import runs
from metadata.settings import settings
from metadata.states import State
from tests.flows.homes import OTHER_PROGRAM, at_home, from_another_program
from tests.metadata.earlier import up_to, version_of
from tests.metadata.test_runs import create


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """That of an empty home."""
    with at_home(tmp_path / "home"), closing(Database.of(settings())) as found:
        yield found


@pytest.fixture
def earlier(database: Database) -> Database:
    """It, with the schema that the program before had."""
    up_to(database, VERSIONS[-2])
    return database


@pytest.fixture
def service(database: Database) -> Iterator[Identity]:
    """A process that lives, as one of another program."""
    with from_another_program() as identity:
        yield identity


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rooms with a module each, of which this program is."""
    for room in ("metadata", "flows", "console"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "a.py").write_text("a = 1\n")
    monkeypatch.setattr(program, "ROOT", tmp_path)
    return tmp_path


def test_a_program_is_told_by_what_services_load_of_it(checkout: Path) -> None:
    before = program.installed()
    (checkout / "console" / "a.py").write_text("a = 2\n")
    (checkout / "flows" / "a.txt").write_text("2\n")
    assert program.installed() == before
    (checkout / "flows" / "a.py").write_text("a = 2\n")
    assert program.installed() != before


def test_what_an_editor_puts_beside_it_and_what_goes_away_while_it_is_read_is_no_fault(checkout: Path) -> None:
    before = program.installed()
    (checkout / "flows" / ".#a.py").symlink_to("ada@home.1234")
    assert program.installed() == before
    (checkout / "flows" / "b.py").symlink_to("not there")
    assert program.installed() != before


def test_a_process_is_of_the_program_that_was_there_when_it_first_looked_whatever_services_there_were(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.ours.cache_clear()
    try:
        assert {one.state for one in client.status()} == {"down"}
        with monkeypatch.context() as patched:
            patched.setattr(program, "installed", lambda: OTHER_PROGRAM)
            assert program.ours() != OTHER_PROGRAM
    finally:
        program.ours.cache_clear()


def test_records_of_an_earlier_and_of_a_later_program_are_read(database: Database, service: Identity) -> None:
    path = records.file(settings().state, records.WORKER)
    fields = json.loads(path.read_text())
    del fields["program"]
    path.write_text(json.dumps({**fields, "colour": "red"}))
    found = records.load(settings().state, records.WORKER)
    assert found is not None
    assert (found.identity, found.program) == (service, "")
    worker = next(one for one in client.status() if one.name == records.WORKER)
    assert (worker.state, worker.detail) == ("up", "started from another program (an earlier one)")


def test_what_another_program_started_is_told_and_given_nothing_to_do(database: Database, service: Identity) -> None:
    found = {one.name: one.other_program for one in client.status()}
    assert found == dict.fromkeys(found, "") | dict.fromkeys((records.SUPERVISOR, records.WORKER), OTHER_PROGRAM)
    ensure(database)
    for attempt in (
        lambda: client.launch("orders", {}, None, "ada"),
        lambda: client.again("1", "failed", "ada"),
        lambda: client.repeat("1", "ada"),
    ):
        with pytest.raises(PilothouseError, match=r"PH349.*supervisor, worker.*\(0\.0\.9.*pilothouse up"):
            attempt()
    assert service.alive()


def test_no_schema_changes_under_services_of_another_program_before_they_gave_way(
    earlier: Database, service: Identity
) -> None:
    for change in (ensure, upgrade):
        with pytest.raises(PilothouseError, match="PH349"):
            change(earlier, client.refuse_others)
    assert version_of(earlier) == VERSIONS[-2]
    said: list[str] = []
    assert client.retire(said.append)
    assert said == [f"Services of another program ({OTHER_PROGRAM}) are taken down: supervisor, worker."]
    assert not service.alive()
    assert {one.state for one in client.status()} == {"down"}
    assert not client.retire()
    ensure(earlier, client.refuse_others)
    assert version_of(earlier) == VERSIONS[-1]


def test_who_waits_for_another_that_takes_services_down_is_told_for_what_and_not_kept_for_ever(
    database: Database, service: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "RETIRE_SECONDS", 1.5)
    said: list[str] = []
    late = pytest.raises(PilothouseError, match=r"PH349.*supervisor, worker.*another process.*in 1.5 s")
    with process.lock(settings().state / "retire.lock"), late:
        client.ensure_up(say=said.append)
    assert len(said) == 1
    assert "1.5 s at most" in said[0]
    assert f"({OTHER_PROGRAM}) down" in said[0]
    assert service.alive()
    assert client.retire()


def test_services_of_another_program_stay_while_runs_are_under_way_which_are_named(
    database: Database, service: Identity
) -> None:
    ensure(database)
    run = create(database)
    runs.set_run_state(database, run.id, State.RUNNING)
    note = settings().state / "flow-runs" / "00000000-0000-0000-0000-000000000001"
    note.parent.mkdir()
    note.write_text(str(process.ourselves()))
    with pytest.raises(
        PilothouseError, match=f"PH349.*under way on them: run 1 of {run.pipeline_key}.*pilothouse down"
    ):
        client.ensure_up()
    assert service.alive()


BUSY = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
print("there", flush=True)
time.sleep(60)
"""


def test_a_worker_that_does_not_end_is_asked_once_for_a_run_that_it_starts_may_not_be_noted_yet(
    database: Database, service: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(database)
    monkeypatch.setattr(standing, "IDLE_SECONDS", 0.3)
    record = records.load(settings().state, records.WORKER)
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as worker:
        identity = process.identify(worker.pid)
        assert worker.stdout is not None
        assert record is not None
        assert identity is not None
        assert worker.stdout.readline() == "there\n"
        records.save(settings().state, replace(record, pid=identity.pid, started=identity.started))
        with pytest.raises(PilothouseError, match=r"PH349.*the worker goes on.*pilothouse down"):
            client.ensure_up()
        worker.kill()
        assert worker.stdout.read() == "asked\n"
    assert service.alive()


def test_an_older_program_leaves_the_services_of_a_newer_one_alone(database: Database, service: Identity) -> None:
    ensure(database)
    with database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(PilothouseError, match=r"PH302.*9999"):
        client.ensure_up()
    assert service.alive()


def test_a_process_whose_program_is_not_installed_any_more_starts_nothing(
    database: Database, service: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(database)
    assert program.ours() == program.installed()
    monkeypatch.setattr(program, "installed", lambda: OTHER_PROGRAM)
    with pytest.raises(PilothouseError, match=r"PH349.*this one is not installed any more.*open it again"):
        client.ensure_up()
    assert service.alive()
