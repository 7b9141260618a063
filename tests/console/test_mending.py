"""Which keys mend a fault, and how services that are away are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from console import mending, run_view, service_view
from console.app import PilothouseApp
from console.places import Place
from console.run_view import fault_place
from console.screens.base import BaseScreen
from console.store import Looked
from console.text import fault_content
from console.widgets.chrome import Service, Standing, stand
from metadata import tables
from metadata.database import Database, next_change
from metadata.errors import Fault
from metadata.revisions import moved
from metadata.states import State
from tests.console import seed
from tests.console.looking import screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = {"r": "run again", "e": "edit", "U": "start services", "x": "cancel"}
LOGS = Path("logs")


def fault(remedy: str = "mend it", code: str = "PH999", thing: str = "run 7") -> Fault:
    return Fault(code=code, thing=thing, cause="it broke", remedy=remedy)


@pytest.mark.parametrize(
    ("told", "again", "expected"),
    [
        (fault("mend the file, then run it again (r)"), "", "r run again"),
        (fault("press e on the definition"), "r", "e edit   r run again"),
        (fault("correct it (e), then run it again (r)"), "r", "r run again   e edit"),
        (fault("see what is there (3)"), "", ""),
        (fault("write press (z) for nothing"), "", ""),
        (fault(code="PH411"), "x", "x cancel   U start services"),
    ],
)
def test_keys_are_those_of_the_remedy_that_work_here(told: Fault, again: str, expected: str) -> None:
    assert mending.keys_for(told, LABELS, again) == expected


def test_a_cause_in_a_definition_is_mended_there_before_another_run() -> None:
    failed: Any = SimpleNamespace(run=SimpleNamespace(state=State.FAILED))
    assert run_view.keys_of(failed, fault("press e on the definition")) == "e definition   r run again"
    assert run_view.keys_of(failed, fault("correct it (e), then run it again (r)")) == "r run again   e definition"


def test_what_was_overtaken_names_the_key_that_looks_again_and_no_command() -> None:
    told = mending.by_key(moved(1, 2).fault, "a")
    assert told.remedy == "look at what changed (a), then apply again"
    assert mending.keys_for(told, {"a": "apply"}) == "a apply"
    assert mending.by_key(moved(1, 2).fault, "") == moved(1, 2).fault


def test_a_fault_too_long_for_the_screen_goes_on_below_itself_and_loses_nothing() -> None:
    long = Fault(
        code="PH430",
        thing="task ingest_of_a_pipeline_with_a_long_name: landing/a-file-with-a-long-name.csv",
        cause=" ".join(f"cause{number}" for number in range(30)),
        remedy=" ".join(f"remedy{number}" for number in range(20)),
    )
    told = fault_content(long, "r run again", 78).plain
    assert all(len(line) <= 78 for line in told.splitlines())
    flat = " ".join(told.split())
    for words in (long.thing.split()[-1][-20:], long.cause, long.remedy, "press r run again"):
        assert words in flat


@pytest.mark.parametrize("words", [30, 120, 600])
async def test_a_fault_is_told_with_its_remedy_and_key_however_long_its_cause(
    database: Database, make_app: MakeApp, words: int
) -> None:
    told = {
        "code": "PH221", "thing": "dataset silver.flights: quality rule has_aircraft", "detail": "",
        "cause": " ".join(f"w{number}" for number in range(words)),
        "remedy": " ".join(f"mend{number}" for number in range(35)) + " at last (r)",
    }  # fmt: skip
    with database.write() as connection:
        change = update(tables.task_run).where(tables.task_run.c.id == seed.uid("task_run", "13", "clean"))
        connection.execute(change.values(fault=told, changed=next_change(connection)))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("run", "13"))
        await until_seen(pilot, "PH221", "cause    w0 w1", "remedy", "at last (r)", "press    r run again")
        assert (" …" in seen(app)) is (words > 30)
        await pilot.press("2")
        await until_seen(pilot, "1–17 of 17")
        app.screen.tell(Fault(**told), "repeated")  # type: ignore[attr-defined]
        await until_seen(pilot, "cause    w0 w1", "at last (r)", "press    r run again", "#15")


async def test_faults_that_hold_are_all_told_one_after_the_other(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "1–17 of 17")
        screen = app.screen
        assert isinstance(screen, BaseScreen)
        screen.tell(fault(code="PH901"), "a")
        screen.tell(fault(code="PH902"), "b")
        await until_seen(pilot, "PH902")
        screen.say("something long " * 9)
        await until_seen(pilot, "something long something")
        await pilot.press("g")
        await until_seen(pilot, "something long something")
        await pilot.press("y")
        await until_seen(pilot, "PH902")
        await pilot.press("escape")
        await until_seen(pilot, "PH901")
        screen.say("something long " * 9)
        await until_seen(pilot, "something long something")
        screen.tell(fault(code="PH903"), "c")
        await until_seen(pilot, "PH903")
        screen.post_message(Looked(job="c"))
        await until_seen(pilot, "PH901")
        screen.post_message(Looked(job="a"))
        await until(pilot, lambda: "PH9" not in seen(app))
        assert screen_name(app) == "runs"


async def test_what_an_action_met_is_told_when_nothing_is_typed_any_more(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "1–17 of 17")
        screen = app.screen
        assert isinstance(screen, BaseScreen)
        await pilot.press("slash", "w")
        screen.tell(fault(code="PH901"), "cancelled")
        screen.tell(fault(code="PH902"), "released")
        screen.tell(fault(code="PH903"), "page")
        await pilot.press("e")
        await until_seen(pilot, "1–4 of 4")
        assert "PH9" not in seen(app)
        await pilot.press("enter")
        await until_seen(pilot, "PH902")
        await pilot.press("escape")
        await until_seen(pilot, "PH901")
        await pilot.press("escape")
        await until(pilot, lambda: "PH9" not in seen(app))


async def test_the_fault_that_came_last_is_shown_also_of_a_job_that_has_one(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "1–17 of 17")
        screen = app.screen
        assert isinstance(screen, BaseScreen)
        screen.tell(fault(code="PH901"), "cancelled")
        screen.post_message(Looked(job="elsewhere", fault=fault(code="PH902")))
        await until_seen(pilot, "PH902")
        screen.tell(fault(code="PH903"), "cancelled")
        screen.post_message(Looked(job="elsewhere", fault=fault(code="PH902")))
        await pilot.pause(0.2)
        await until_seen(pilot, "PH903")


async def test_a_page_that_cannot_be_read_is_closed_by_esc_and_stays_so_after_something_is_typed(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "1–17 of 17")
        good, app.session.store.database = app.session.store.database, Database("sqlite:////nowhere/at/all.db")
        app.screen.reload()  # type: ignore[attr-defined]
        await until_seen(pilot, "PH301", "db○ down")
        await pilot.press("escape")
        await pilot.pause(2.5)
        assert "PH301" not in seen(app)
        await pilot.press("colon")
        await pilot.pause(1.5)
        await pilot.press("escape")
        await pilot.pause(0.5)
        assert "PH301" not in seen(app)
        app.session.store.database = good
        await until_seen(pilot, "db●")


async def test_a_fault_that_holds_and_was_closed_is_not_told_again_until_it_is_another_one(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "1–17 of 17")
        good, app.session.store.database = app.session.store.database, Database("sqlite:////nowhere/at/all.db")
        await until_seen(pilot, "PH301")
        await pilot.press("escape")
        await pilot.pause(2.5)
        assert "PH301" not in seen(app) and "db○ down" in seen(app)
        app.session.store.database = good
        await until_seen(pilot, "db●")
        app.session.store.database = Database("sqlite:////nowhere/at/all.db")
        await until_seen(pilot, "PH301")
        app.session.store.database = good


def test_a_service_that_ends_again_and_again_says_so_and_names_its_log() -> None:
    once = Service("spark", "starting", NOW, "the process was killed by SIGKILL", 1)
    often = Service("spark", "down", NOW, "the process has ended: no Java", 5)
    assert service_view.fault_of(once, LOGS, True).remedy.startswith("it is started again by itself")
    assert service_view.fault_of(often, LOGS, True).cause == "the process has ended: no Java (5 times in a row)"
    assert "logs/spark.log" in service_view.fault_of(often, LOGS, True).remedy
    told = "\n".join(line.plain for line in service_view.lines([often], LOGS, NOW + timedelta(seconds=90), 78))
    for part in ("PH310", "compute (spark)", "no Java", "logs/spark.log", "for 1 min"):
        assert part in told


def test_one_word_tells_how_a_service_is_and_only_a_supervisor_starts_it_again() -> None:
    spark = Service("spark", "starting", NOW, "the process was killed by SIGKILL", 1)
    gone = Service("supervisor", "down", NOW, "the process has ended", 1)
    assert service_view.fault_of(spark, LOGS, False).remedy == "start it (U)"
    for services, again in (((spark, gone), False), ((spark, Service("supervisor", "up")), True)):
        told = "\n".join(line.plain for line in service_view.lines(services, LOGS, NOW, 78))
        assert "compute (spark)  down" in told and "starting" not in told
        assert ("started again by itself" in told) == again
    assert [Service("spark", "starting").word, Service("spark", "up").word] == ["starting", "up"]


def test_what_is_not_started_yet_is_not_away() -> None:
    assert not Service("spark", "down", None, "not started").away
    assert not Service("spark", "starting", NOW, "downloads delta.jar").away
    assert Service("spark", "starting", NOW, "the process was killed by SIGKILL", 1).away
    assert Service("spark", "down", NOW, "it does not answer").away


def test_what_was_there_and_was_taken_down_elsewhere_is_away_and_can_be_started() -> None:
    gone = (Service("worker", "down", None, "not started"),)
    begins = stand(Standing("local", "operator"), NOW, services=gone)
    assert begins.missing() == []
    up = stand(begins, NOW, services=(Service("worker", "up", NOW),))
    taken_down = stand(up, NOW, services=gone)
    later = stand(taken_down, NOW, services=gone)
    assert [one.name for one in later.missing()] == ["worker"]
    assert later.services[0].since == taken_down.services[0].since is not None
    assert service_view.fault_of(later.services[0], LOGS, True).remedy == "start it (U)"


def test_a_queued_run_waits_for_the_first_service_that_is_missing() -> None:
    services = [Service("worker", "starting"), Service("prefect", "down", NOW), Service("spark", "down", NOW)]
    assert service_view.waits_for(services) == services[1]
    assert service_view.waits_for([Service("prefect", "external"), Service("spark", "down", NOW)]) is None


def test_a_fault_leads_to_the_definition_that_it_names() -> None:
    assert fault_place(fault(thing="dataset silver.flights: quality rule x")) is not None
    assert fault_place(fault(thing="connection quay")).subject == "connection quay"  # type: ignore[union-attr]
    assert fault_place(fault(thing="task clean")) is None
    assert fault_place(fault(thing="metadata database")) is None
