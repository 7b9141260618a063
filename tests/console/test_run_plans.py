"""Plans of runs on screen: two runs compared, the plan of one, and a run once more on it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlalchemy import update

from console.app import PilothouseApp
from console.cli import plans
from console.places import Place
from console.screens.ask import Ask
from metadata import tables
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.rows.runs import find_run
from metadata.settings import settings
from tests.console.looking import screen_name, seen, until, until_seen
from tests.console.running import Commands

MakeApp = Callable[[], PilothouseApp]


def edit(database: Database, *, leaves: tuple[str, ...] = ()) -> None:
    """`clean` is tried more often from now on; or all that is left are the sections that it `leaves`."""
    body = load_blueprint(database).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    body["pipelines"]["flights"]["tasks"]["clean"]["retries"] = 7
    wanted = {name: each for name, each in body.items() if not leaves or name in leaves}
    apply(database, Blueprint.model_validate(wanted), author="ada", prune=True, settings=settings())


async def test_runs_are_compared_and_one_is_repeated_on_its_plan_by_keys_alone(
    database: Database, make_app: MakeApp
) -> None:
    edit(database)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "#12")
        await pilot.press(*"jjjjmjjm")
        await until_seen(pilot, "*#13", "*#11", "d compares #11 → #13")
        await pilot.press("g", "m")
        await until_seen(pilot, "*#17", "d compares #11 → #17")
        await pilot.press("m", "j", "j", "j", "d")
        await until_seen(pilot, "Runs ▸ #11 → #14", "1 difference", "as_of: 2013-09-02", "the same")
        await pilot.press("escape")
        await until_seen(pilot, "*#11")
        await pilot.press("j", "j", "j", "m", "d")
        await until_seen(pilot, "#11 → today", "tasks.clean.retries: 2 → 7")
        await pilot.press("escape")
        await until(pilot, lambda: screen_name(app) == "runs")
        await pilot.press("r")
        await until_seen(pilot, "p  a new run on its plan", "what its plan is made of was changed since revision 2")
        await pilot.press("p")
        await until_seen(pilot, "▸ #18", "queued", "2013-09-02")
        past, fresh = find_run(database, 11), find_run(database, 18)
        assert (fresh.plan_hash, fresh.as_of, fresh.trigger) == (past.plan_hash, past.as_of, "repeat")
        await pilot.press("p")
        await until_seen(pilot, f"plan {past.plan_hash[:12]}", "Not today's plan", "tasks.clean.retries: 2 → 7")
        assert app.focused is app.screen.query_one("#pane")
        await pilot.press("tab", "g", "j", "j", "j", "tab")
        await until_seen(pilot, "clean:", "retries: 2", "waits for", "Since then:")


async def test_runs_of_two_pipelines_differ_by_what_only_one_of_them_has(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 48)) as pilot:
        app.go(Place("difference", "13 15"))
        await until_seen(pilot, "These are two pipelines: flights and weather", "only in #13 pipeline flights")
        await until_seen(
            pilot, "only in #15 pipeline weather", "only in #13 model late_arrival", "feature set flight_context"
        )
        assert "deleted" not in seen(app) and "created" not in seen(app)


async def test_what_a_plan_needs_and_is_gone_is_told_where_it_is_asked_for(
    database: Database, make_app: MakeApp
) -> None:
    edit(database, leaves=("connections",))
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place("run", "1"))
        await until_seen(pilot, "backfill_2012")
        await pilot.press("p")
        await until_seen(pilot, "not in the blueprint any more")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await until_seen(pilot, "not there any more: dataset bronze.flights")
        await pilot.press("p")
        await until_seen(pilot, "PH845", "bronze.flights")
        app.go(Place("difference", "1 what"))
        await until_seen(pilot, "PH848")
        app.go(Place("difference", "1"))
        await until_seen(pilot, "PH847")
        assert "Traceback" not in seen(app)


def test_the_command_line_says_the_same(database: Database, run: Commands, capsys: pytest.CaptureFixture[str]) -> None:
    edit(database)
    shown = run("run", "show", "13", "--plan").out
    assert "It is not today's plan: pilothouse run diff 13 says what differs." in shown
    assert "ingest_flights        ingest     landing" in shown
    assert "  silver.flights:\n" in shown
    body = run.told("run", "show", "13", "--plan")
    assert body["plan"]["hash"] == body["run"]["plan_hash"] == find_run(database, 13).plan_hash
    assert [each["key"] for each in body["since"]["changes"]] == ["flights"]
    assert run.told("run", "diff", "13", "13")["plan"] == {"changes": [], "wiring": []}
    differs = run("run", "diff", "13")
    assert (differs.code, "    ~ tasks.clean.retries: 2 → 7" in differs.out) == (3, True)
    two = run("run", "diff", "13", "15").out
    assert (
        "two pipelines, flights and weather: - is only in run 13, + only in run 15." in two
        and "\n- pipeline flights\n" in two
    )
    assert "two pipelines" not in differs.out
    assert plans.repeated(13, quiet=False).number == 18
    said = capsys.readouterr().out
    assert said.startswith("Run 18 is queued: run 13 once more, on its plan ")
    assert "(pilothouse run diff 13 says how)" in said
    with database.write() as connection:
        body = run.told("run", "show", "13")["plan_fault"]
        connection.execute(update(tables.plan).values(body=tables.plan.c.body + " "))
    forged = run("run", "show", "13")
    assert (body, forged.code, "ingest_flights" in forged.out, "PH846 plan " in forged.err) == (None, 1, True, True)
    assert json.loads(run("run", "show", "13", "--json").out)["plan_fault"]["code"] == "PH846"
