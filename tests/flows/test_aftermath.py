"""What services leave behind that were killed, or taken down after their worker was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from flows import client
from flows.services import aftermath, flow_process, process
from flows.services.process import Identity
from metadata import migrations, tables
from metadata.database import Database
from metadata.rows import runs
from metadata.rows.runs import Run
from metadata.rows.task_runs import start_task, tasks_of
from metadata.settings import settings
from metadata.states import State
from metadata.values import utc_now
from tests.flows.homes import at_home
from tests.metadata.test_runs import create

GONE = Identity(2**22 + 1, 1)
"""No process has so high a number."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """That of a home whose services are down."""
    with at_home(tmp_path):
        found = Database.of(settings())
        migrations.ensure(found)
        yield found
        found.close()


def _executed(database: Database, number: int, identity: Identity) -> Run:
    """A run that a process of this host executes, with its last heartbeat an hour ago."""
    run = create(database)
    flow_run = f"00000000-0000-0000-0000-{number:012}"
    runs.attach_flow_run(database, run.id, 1, flow_run)
    runs.set_run_state(database, run.id, State.RUNNING)
    start_task(database, tasks_of(database, run.id)[0].id)
    begun, beat = utc_now() - timedelta(hours=2), utc_now() - timedelta(hours=1)
    with database.write() as connection:
        for table in (tables.run, tables.task_run):
            of = table.c.id == run.id if table is tables.run else table.c.run_id == run.id
            connection.execute(
                update(table).where(of, table.c.started_at.is_not(None)).values(started_at=begun, heartbeat_at=beat)
            )
    folder = settings().state / "flow-runs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / flow_run).write_text(str(identity), encoding="utf-8")
    return run


def test_down_settles_what_a_killed_worker_left_and_the_outage_is_no_time_of_a_task(database: Database) -> None:
    died, goes_on = _executed(database, 1, GONE), _executed(database, 2, process.ourselves())
    cancelled = _executed(database, 3, GONE)
    runs.request_cancel(database, cancelled.id, "ada")
    client.down()
    found = runs.get_run(database, died.id)
    assert (found.state, found.fault and found.fault.code) == (State.LOST, "PH320")
    assert found.state_detail == "its process ended while no worker was there"
    task = tasks_of(database, died.id)[0]
    assert task.state == State.LOST
    for one in (found, task):
        assert one.started_at and one.ended_at
        assert round((one.ended_at - one.started_at).total_seconds()) == 3600
    assert runs.get_run(database, cancelled.id).state == State.CANCELLED
    assert runs.get_run(database, goes_on.id).state == State.RUNNING


def test_what_down_itself_has_ended_is_cancelled_and_a_paused_run_needs_no_process(database: Database) -> None:
    ended, paused = _executed(database, 1, GONE), _executed(database, 2, GONE)
    runs.set_run_state(database, paused.id, State.WAITING)
    aftermath.settle(settings(), {GONE})
    found = runs.get_run(database, ended.id)
    assert (found.state, found.state_detail) == (State.CANCELLED, "The services were taken down.")
    assert runs.get_run(database, paused.id).state == State.WAITING


def test_a_run_that_beats_goes_on_wherever_it_is(database: Database) -> None:
    run = _executed(database, 1, GONE)
    with database.write() as connection:
        connection.execute(update(tables.run).where(tables.run.c.id == run.id).values(heartbeat_at=utc_now()))
    client.down()
    assert runs.get_run(database, run.id).state == State.RUNNING
    aftermath.settle(settings(), {GONE})
    assert runs.get_run(database, run.id).state == State.CANCELLED


def test_with_a_database_url_that_is_none_down_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with at_home(tmp_path):
        folder = settings().state / "flow-runs"
        folder.mkdir(parents=True)
        (folder / "f-1").write_text(str(GONE), encoding="utf-8")
        monkeypatch.setenv("PILOTHOUSE_DATABASE_URL", "nonsense")
        settings.cache_clear()
        client.down()
        assert flow_process.all_noted(settings().state) == {"f-1": GONE}


def test_without_a_database_down_is_down(tmp_path: Path) -> None:
    with at_home(tmp_path):
        folder = settings().state / "flow-runs"
        folder.mkdir(parents=True)
        (folder / "f-1").write_text(str(GONE), encoding="utf-8")
        client.down()
        assert flow_process.all_noted(settings().state) == {"f-1": GONE}
        assert not (tmp_path / "metadata.db").exists()
