"""Runs as people launch them: real orchestrator, worker, Spark and tables."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from flows import client, engine
from flows.context import attempt_tag
from flows.services.flow_process import noted
from metadata.errors import UsageError
from metadata.rows.logs import read_lines
from metadata.rows.pages import list_runs
from metadata.rows.runs import get_run
from metadata.settings import settings
from metadata.states import State
from tests.flows.burning import slow_pipeline
from tests.flows.homes import until
from tests.flows.house import House

pytestmark = pytest.mark.slow

SHOP = """
connections:
  till_{name}: {{kind: files, path: {name}}}
datasets:
  bronze.{name}:
    columns: {{id: long, shop: string, amount: double}}
  silver.{name}:
    storage: {{mode: merge, keys: [id]}}
    quality:
      positive: {{expect: amount > 0, otherwise: fail}}
  gold.{name}: {{storage: {{mode: overwrite}}}}
  gold.{name}_count: {{storage: {{mode: overwrite}}}}
pipelines:
  {name}:
    tasks:
      ingest: {{kind: ingest, from: {{connection: till_{name}, files: "*.csv"}}, to: bronze.{name}}}
      count:
        kind: transform
        to: gold.{name}_count
        sql: |
          SELECT count(*) AS sold FROM bronze.{name}
      clean:
        kind: transform
        to: silver.{name}
        sql: |
          SELECT id, shop, amount FROM bronze.{name}
      total:
        kind: transform
        to: gold.{name}
        sql: |
          SELECT shop, sum(amount) AS total FROM silver.{name} GROUP BY shop
"""


@pytest.fixture(scope="module", autouse=True)
def due(house: House) -> datetime:
    """When a pipeline runs by its schedule, which the last test sees to: a minute that the other tests fill."""
    house.apply(SHOP.format(name="nightly"))
    house.land("nightly", "1.csv", "id,shop,amount\n1,north,10\n")
    found = (datetime.now(UTC) + timedelta(seconds=75)).replace(second=0, microsecond=0)
    house.apply(f'schedules: {{soon: {{pipeline: nightly, cron: "{found:%-M %-H * * *}", timezone: UTC}}}}')
    return found


def test_a_run_goes_through_and_the_second_finds_nothing_new(house: House) -> None:
    house.apply(SHOP.format(name="sales"))
    house.land("sales", "1.csv", "id,shop,amount\n1,north,10\n2,south,5\n3,north,2.5\n")
    run = house.ended(house.launch("sales"))
    assert (run.state, run.fault) == (State.SUCCEEDED, None)
    assert sorted(house.ask("SELECT shop, total FROM gold.sales")) == [("north", 12.5), ("south", 5.0)]
    assert house.ask("SELECT sold FROM gold.sales_count") == [(3,)]
    assert house.tasks(run)["ingest"].rows_out == 3

    second = house.ended(house.launch("sales"))
    ingest = house.tasks(second)["ingest"]
    assert (second.state, ingest.state) == (State.SUCCEEDED, State.SKIPPED)
    assert "nothing new" in ingest.state_detail
    assert house.ask("SELECT count(*) FROM bronze.sales") == [(3,)]


def test_a_failure_has_four_parts_blocks_what_waits_and_failed_only_goes_on_from_there(house: House) -> None:
    house.apply(SHOP.format(name="returns"))
    house.land("returns", "1.csv", "id,shop,amount\n1,north,10\n2,south,-5\n")
    failed = house.ended(house.launch("returns"))
    assert failed.state == State.FAILED
    assert failed.fault is not None
    assert failed.fault.code.startswith("PH2")
    assert "positive" in failed.fault.cause
    assert failed.fault.remedy
    tasks = house.tasks(failed)
    assert tasks["total"].state == State.BLOCKED
    assert "clean" in tasks["total"].state_detail
    assert tasks["count"].state == State.SUCCEEDED
    assert any("positive" in line.message for line in read_lines(house.database, failed.id))

    again = house.ended(client.again(failed.id, "failed", "test"))
    assert (again.state, again.attempt) == (State.FAILED, 2)
    kept = house.tasks(again)
    assert (kept["ingest"].attempt, kept["count"].attempt, kept["clean"].attempt) == (1, 1, 2)

    off = SHOP.format(name="returns").replace("otherwise: fail", "otherwise: fail, enabled: false")
    house.apply(off.replace("to: gold.returns_count", "to: gold.returns_count\n        enabled: false"))
    run = house.ended(house.launch("returns"))
    assert (run.state, set(house.states(run))) == (State.SUCCEEDED, {"ingest", "clean", "total"})
    assert sorted(house.ask("SELECT shop, total FROM gold.returns")) == [("north", 10.0), ("south", -5.0)]
    house.apply(off.replace("  returns:\n    tasks", "  returns:\n    enabled: false\n    tasks"))
    for ask in (lambda: house.launch("returns"), lambda: client.again(failed.id, "failed", "test")):
        with pytest.raises(UsageError, match=r"PH521 pipeline returns: it is off"):
            ask()


def test_rows_that_were_set_aside_can_be_asked_for(house: House) -> None:
    house.apply("""
        connections: {odd: {kind: files, path: odd}}
        datasets:
          bronze.odd:
            columns: {id: long}
            quality: {positive: {expect: id > 0, otherwise: quarantine}}
        pipelines:
          odd: {tasks: {ingest: {kind: ingest, from: {connection: odd, files: "*.csv"}, to: bronze.odd}}}
    """)
    house.land("odd", "a.csv", "id\n1\n-2\n")
    run = house.ended(house.launch("odd"))
    assert run.state == State.SUCCEEDED
    assert house.ask("SELECT id, _reasons FROM quarantine.bronze.odd") == [(-2, ["positive"])]
    assert any("1 row written, 1 bad (positive: 1)" in line.message for line in read_lines(house.database, run.id))
    with pytest.raises(UsageError, match="PH591"):
        house.ask("SELECT * FROM quarantine.bronze.oddity")


def test_cancelling_stops_the_spark_job_and_leaves_nothing_half_written(house: House) -> None:
    slow_pipeline(house, "grid")
    run = house.launch("grid")
    house.running(run, "burn")
    client.cancel(run.id, "test")
    ended = house.ended(run, seconds=30)
    assert ended.state == State.CANCELLED
    assert house.states(ended)["ingest"] == State.SUCCEEDED
    assert house.states(ended)["burn"] == State.CANCELLED
    with pytest.raises(UsageError, match="PH592"):
        house.ask("SELECT * FROM gold.grid")


def test_a_task_that_takes_too_long_is_stopped(house: House) -> None:
    slow_pipeline(house, "patience", timeout="3 s")
    run = house.ended(house.launch("patience"))
    assert run.state == State.FAILED
    assert run.fault is not None
    assert run.fault.code == "PH506"


STUBBORN = """
connections:
  stubborn: {kind: files, path: stubborn}
datasets:
  bronze.stubborn: {columns: {n: long}}
  gold.stubborn: {storage: {mode: overwrite}}
pipelines:
  stubborn:
    tasks:
      ingest: {kind: ingest, from: {connection: stubborn, files: "*.csv"}, to: bronze.stubborn}
      refuse:
        kind: transform
        to: gold.stubborn
        retries: 2
        retry_delay: 1 s
        sql: SELECT CAST(raise_error('no') AS INT) AS n FROM bronze.stubborn
"""


def test_a_task_is_tried_again_as_often_as_it_says(house: House) -> None:
    house.apply(STUBBORN)
    house.land("stubborn", "1.csv", "n\n1\n")
    run = house.ended(house.launch("stubborn"))
    assert run.state == State.FAILED
    tasks = house.tasks(run)
    assert (tasks["ingest"].tries, tasks["refuse"].tries, tasks["refuse"].state) == (1, 3, State.FAILED)


def test_a_killed_flow_process_is_lost_with_a_reason_and_can_be_run_again(house: House) -> None:
    slow_pipeline(house, "fragile", timeout="20 s")
    run = house.launch("fragile")
    house.running(run, "burn")
    flow_run_id = get_run(house.database, run.id).flow_run_id
    assert flow_run_id is not None
    identity = noted(settings().state, UUID(flow_run_id))
    assert identity is not None
    until(lambda: house.tasks(run)["burn"].progress, 30, "work at Spark")
    os.kill(identity.pid, signal.SIGKILL)
    lost = house.ended(run, seconds=60)
    assert lost.state == State.LOST
    assert lost.fault is not None
    assert not any(not state.final for state in house.states(lost).values())
    left = engine.interrupt_from_outside(client.spark_remote(), client.spark_session_id(), attempt_tag(run.id, 1))
    assert left == 0, "its Spark work went on without it"
    again = client.again(run.id, "failed", "test")
    house.running(again, "burn")
    assert house.tasks(again)["ingest"].attempt == 1
    client.cancel(run.id, "test")
    assert house.ended(again, seconds=30).state == State.CANCELLED


def test_an_unknown_pipeline_is_refused_with_the_nearest_name(house: House) -> None:
    house.apply(SHOP.format(name="orders"))
    with pytest.raises(UsageError) as caught:
        house.launch("order")
    assert "orders" in caught.value.fault.remedy


def test_a_schedule_fires_without_anybody_asking(house: House, due: datetime) -> None:
    run = until(lambda: list_runs(house.database, "pipeline:nightly").items, 150, "scheduled run")[0]
    ended = house.ended(run)
    assert (ended.state, ended.trigger, ended.as_of) == (State.SUCCEEDED, "schedule", due), ended.fault
