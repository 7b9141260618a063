"""One run on screen: what is said of it agrees, and all of a failure is a key away."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from console import app as console_app
from console import overview_view, run_panes, run_view
from console.app import PilothouseApp
from console.places import Place
from console.widgets.chrome import Service
from flows import client
from metadata import tables
from metadata.database import Database, next_change
from metadata.errors import Fault
from metadata.rows.logs import LogLine
from metadata.rows.overview import overview
from metadata.rows.run_detail import run_detail
from metadata.states import State
from metadata.values import utc_now
from tests.console import seed
from tests.console.looking import seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in New York."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


def change(database: Database, number: int, task_key: str, **values: object) -> None:
    with database.write() as connection:
        task = tables.task_run
        changed = update(task).where(task.c.id == seed.uid("task_run", str(number), task_key))
        connection.execute(changed.values(**values, changed=next_change(connection)))


def test_a_task_without_a_heartbeat_is_lost_in_every_place(database: Database) -> None:
    change(database, 14, "predict", heartbeat_at=utc_now() - timedelta(seconds=41))
    detail, now = run_detail(database, 14), utc_now()
    row = next(row for row in run_view.task_rows(detail, now, 40) if row.key == "predict")
    assert str(row.cells[1]) == "? no heartbeat"
    assert "╸" not in str(row.cells[4])
    reason = run_view.reason(detail, "predict", now)
    assert str(reason).startswith("? last heard of 41 s ago: it is settled")
    change(
        database, 14, "predict", heartbeat_at=utc_now() - timedelta(days=1), started_at=utc_now() - timedelta(days=1)
    )
    detail = run_detail(database, 14)
    row = next(row for row in run_view.task_rows(detail, utc_now(), 40) if row.key == "predict")
    assert str(row.cells[3]).startswith("0")
    down = [Service("worker", "down", "not started")]
    assert str(run_view.reason(detail, "predict", utc_now(), down)).endswith("ago: the worker is down (U)")


def test_the_overview_says_which_service_a_run_waits_for_that_nothing_is_heard_of(database: Database) -> None:
    now, run = utc_now(), tables.run
    with database.write() as connection:
        heard = {"heartbeat_at": now - timedelta(seconds=47), "changed": next_change(connection)}
        connection.execute(update(run).where(run.c.number == 14).values(**heard))
    down = [Service("worker", "down", None, "not started")]
    rows = overview_view.sections(overview(database), now, services=down)[1].rows
    live = next(row for row in rows if row.key == "live flights")
    assert str(live.cells[-1]) == "last heard of 47 s ago: the worker is down (U)"


async def test_of_a_run_that_nothing_is_heard_of_times_stop_and_it_is_said_why(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = (Service("prefect", "up"), Service("worker", "down", None, "not started"))
    monkeypatch.setattr(console_app, "_look_at_services", lambda: services)
    monkeypatch.setattr(client, "cancel", lambda *_: None)
    now, run = utc_now(), tables.run
    with database.write() as connection:
        heard = {"started_at": now - timedelta(seconds=67), "heartbeat_at": now - timedelta(seconds=47)}
        connection.execute(update(run).where(run.c.number == 14).values(**heard, changed=next_change(connection)))
    change(database, 14, "predict", **heard)
    app = make_app()
    async with app.run_test(size=(160, 40)) as pilot:
        await until_seen(pilot, "? silent", " 0:20 ", "? predict", "last heard of ")
        app.go(Place("runs"))
        await until_seen(pilot, "? silent         0:20", " s ago: the worker is down (U)")
        app.go(Place("run", "14"))
        await until_seen(
            pilot, "? silent 0:20", "? 6 of 13", "? no heartbeat", "? last heard of ", " s ago: the worker is down (U)"
        )
        await pilot.press("x", "y")
        await until_seen(pilot, "run 14 is being cancelled as soon as services are up (U)")


@pytest.mark.parametrize(("tries", "told"), [(1, "(2/3)"), (2, "(3/3)"), (3, "(4)")])
def test_a_task_that_is_tried_again_says_which_try_of_how_many(database: Database, tries: int, told: str) -> None:
    """Beyond its own tries it is tried again when a service was away."""
    change(database, 14, "clean", state=State.RETRYING, tries=tries)
    detail = run_detail(database, 14)
    uid = next(task.task_uid for task in detail.tasks if task.task_key == "clean")
    assert detail.tries_of == {uid: 1 + 2}
    row = next(row for row in run_view.task_rows(detail, utc_now(), 40) if row.key == "clean")
    assert str(row.cells[1]) == f"↻ retrying {told}"


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
@pytest.mark.parametrize("keys", ["D", "gD"], ids=["of its task", "of the run"])
async def test_all_of_a_failure_is_one_key_away(
    database: Database, make_app: MakeApp, size: tuple[int, int], keys: str
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        app.go(Place("run", "7"))
        await until_seen(pilot, "PH214")
        await pilot.press(*keys)
        await until_seen(pilot, "Failure", "at scala.Predef$.require", "PH214", "mend the file")
        assert app.focused is app.screen.query_one("#pane")
        app.go(Place("run", "6"))
        await until_seen(pilot, "#6")
        await pilot.press("D")
        await until_seen(pilot, "nothing failed under the cursor")
        assert "Failure" not in seen(app)


async def test_a_fault_of_the_whole_run_is_told_in_full(database: Database, make_app: MakeApp) -> None:
    fault = Fault(code="PH777", thing="run 6", cause="why", remedy="what", detail="Traceback\n  at the engine")
    with database.write() as connection:
        changed = update(tables.run).where(tables.run.c.number == 6)
        connection.execute(changed.values(fault=fault.model_dump(), changed=next_change(connection)))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("run", "6"))
        await until_seen(pilot, "PH777")
        await pilot.press("g", "D")
        await until_seen(pilot, "Traceback", "at the engine")


def line(at: datetime) -> LogLine:
    return LogLine("r", 1, "t", at, "INFO", "said")


def test_a_log_says_its_day_and_zone_where_they_begin(new_york: None) -> None:
    first = datetime(2013, 11, 3, 3, 59, tzinfo=UTC)
    times = [first, first + timedelta(minutes=1), first + timedelta(hours=1), first + timedelta(hours=3)]
    told = [str(one) for one in run_panes.log_lines([line(at) for at in times], False)]
    assert told == [
        "2013-11-02 EDT", "23:59:00 said", "2013-11-03 EDT", "00:00:00 said", "00:59:00 said", "2013-11-03 EST",
        "01:59:00 said",
    ]  # fmt: skip
    later = [line(times[-1] + timedelta(hours=1))]
    assert [str(one) for one in run_panes.log_lines(later, False, line(times[-1]))] == ["02:59:00 said"]


async def test_bars_of_a_run_that_has_ended_follow_the_width(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("run", "12"))
        await until_seen(pilot, "13 of 13", "━")
        narrow = seen(app).count("━")
        await pilot.resize_terminal(119, 24)
        await until(pilot, lambda: seen(app).count("━") > narrow + 20, seconds=5)


async def test_overview_and_run_count_the_same_tasks(database: Database, make_app: MakeApp) -> None:
    for task, state in (("clean", State.FAILED), ("features", State.BLOCKED)):
        change(database, 14, task, state=state)
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await until_seen(pilot, "PIPELINES", "of 13")
        (told,) = re.findall(r"\d+ of 13", seen(app))
        app.go(Place("run", "14"))
        await until_seen(pilot, "whole run", told)


async def test_times_in_utc_say_so(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("run", "13"))
        await until_seen(pilot, "2013-11-02 06:00 UTC")
        for key in ("2", "6"):
            await pilot.press(key)
            await until_seen(pilot, "AS OF (UTC)")
