"""What nobody could write down is never taken for done; and text of any kind can be written down."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flows import pulse as module
from flows.execution import Execution, TaskFailedError
from flows.pulse import Pulse, task_logger
from flows.run_pipeline import _conclude
from metadata.database import waiting_at_most
from metadata.errors import Fault
from metadata.rows.logs import read_lines
from metadata.rows.runs import get_run, new_attempt, set_run_state
from metadata.rows.task_runs import OvertakenError, finish_task, start_task, tasks_of
from metadata.states import State
from tests.flows.homes import until
from tests.flows.warehouse import Warehouse


@pytest.fixture
def house(tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path, None)
    take = {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "bronze.x"}
    clean = {"kind": "transform", "to": "silver.x", "sql": "SELECT * FROM bronze.x"}
    made.define(
        datasets={"bronze.x": {}, "silver.x": {}}, pipelines={"flow": {"tasks": {"take": take, "clean": clean}}}
    )
    return made


def test_a_log_that_takes_no_lines_stops_no_heart(house: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.05)
    run = house.start()
    with house.database.write() as connection:
        words = "BEFORE INSERT ON task_log WHEN NEW.message = 'odd' BEGIN SELECT RAISE(ABORT, 'refused'); END"
        connection.exec_driver_sql(f"CREATE TRIGGER refuses {words}")
    pulse = Pulse(house.database, run.id, 1, 100)
    log = task_logger(pulse, run.id, "take")
    log.info("odd")
    pulse.start()
    first = until(lambda: get_run(house.database, run.id).heartbeat_at, 5, "beaten")
    until(lambda: get_run(house.database, run.id).heartbeat_at != first, 5, "beaten again")
    log.info("even")
    until(lambda: [line.message for line in read_lines(house.database, run.id)] == ["even"], 5, "written")
    pulse.close()


def test_lines_wait_for_a_database_that_is_away(house: Warehouse) -> None:
    run = house.start()
    pulse = Pulse(house.database, run.id, 1, 100)
    task_logger(pulse, run.id, "take").info("kept")
    with closing(sqlite3.connect(Path(house.settings.home) / "metadata.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with waiting_at_most(0.1):
            pulse.close()
    pulse.close()
    assert [line.message for line in read_lines(house.database, run.id)] == ["kept"]


@pytest.mark.parametrize("began", [False, True])
def test_a_run_whose_task_left_no_word_has_failed(house: Warehouse, began: bool) -> None:
    run = house.start()
    if began:
        start_task(house.database, tasks_of(house.database, run.id)[0].id)
    execution = Execution(run, house.plan, house.settings, house.database, Pulse(house.database, run.id, 1, 100), {})
    with pytest.raises(TaskFailedError):
        _conclude(execution)
    now = get_run(house.database, run.id)
    assert (now.state, now.fault.code if now.fault else None) == (State.FAILED, "PH511")
    assert [task.state for task in tasks_of(house.database, run.id)] == [State.LOST, State.BLOCKED]


def test_a_process_whose_run_was_called_lost_leaves_the_newer_attempt_alone(house: Warehouse) -> None:
    run = house.start()
    rows = {row.task_key: row for row in tasks_of(house.database, run.id)}
    pulse = Pulse(house.database, run.id, 1, 100)
    execution = Execution(run, house.plan, house.settings, house.database, pulse, rows)
    set_run_state(house.database, run.id, State.LOST, detail="no sign of life")
    new_attempt(house.database, run.id, "all", "ada")
    with pytest.raises(OvertakenError):
        execution.execute("take")
    assert execution.cancelled.is_set()
    assert _conclude(execution) == State.QUEUED
    now = get_run(house.database, run.id)
    assert (now.attempt, now.state) == (2, State.QUEUED)
    assert [task.state for task in tasks_of(house.database, run.id)] == [State.QUEUED, State.QUEUED]


def test_a_fault_with_text_that_no_database_takes_is_written(house: Warehouse) -> None:
    run = house.start()
    row = tasks_of(house.database, run.id)[0]
    fault = Fault(code="PH235", thing="x\0y", cause="caf\udce9.csv is odd", remedy="mend it", detail="\ud800")
    finish_task(house.database, row.id, State.FAILED, detail=fault.cause, fault=fault)
    assert tasks_of(house.database, run.id)[0].fault == fault
    assert fault.cause == "caf?.csv is odd"


def test_a_log_line_with_text_that_no_database_takes_is_written(house: Warehouse) -> None:
    run = house.start()
    pulse = Pulse(house.database, run.id, 1, 100)
    task_logger(pulse, run.id, "take").log(logging.INFO, "%s", "caf\udce9\0")
    pulse.close()
    assert [line.message for line in read_lines(house.database, run.id)] == ["caf?\N{REPLACEMENT CHARACTER}"]
