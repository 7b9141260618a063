"""Definitions of any kind are switched off and on again: in the change set, then in lists, lineage and launches."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path

import pytest

from console import store
from console.app import PilothouseApp
from console.places import EVERY_KIND, Place
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.rows.staged import load_staged
from tests.console import faults
from tests.console.looking import seen, until, until_seen
from tests.console.running import Commands

MakeApp = Callable[[], PilothouseApp]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
async def test_a_monitor_and_a_pipeline_are_switched_off_and_on_again_by_keys_alone(
    database: Database, make_app: MakeApp, size: tuple[int, int]
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        app.go(Place("blueprint", "monitor late_arrival_watch"))
        await until_seen(pilot, "1–1 of 1", "space on/off")
        await pilot.press("space")
        await until_seen(pilot, "1 monitor: enabled true → false", "PH174 (1 of 2)", "y into the change set")
        await pilot.press("escape")
        await until_seen(pilot, "left: nothing was changed")
        assert not load_staged(database, getpass.getuser()).items
        await pilot.press("space")
        await until_seen(pilot, "PH174 (1 of 2)", "y into the change set")
        await pilot.press("y")
        await until_seen(pilot, "1 edit is in the change set", "late_arrival_watch ±", "±1")
        app.go(Place("blueprint", "pipeline flights"))
        await until_seen(pilot, "of 3")
        await pilot.press("space")
        await until_seen(pilot, "1 pipeline switched off in the change set", "±2")
        await pilot.press("P")
        await until_seen(pilot, "2 edits")
        await pilot.press("a")
        await until_seen(pilot, "~ changed monitor late_arrival_watch", "~ disabled", "Impact", "y apply")
        await pilot.press("y")
        await until_seen(pilot, "Why? It stands in the history.")
        await pilot.press("enter")
        await until_seen(pilot, "revision 3 is applied")
        app.go(Place("blueprint", "pipeline flights"))
        await until_seen(pilot, "flights (off)", "10 tasks", "of 3")
        await pilot.press("l")
        await until_seen(pilot, "it is off: space enables it, P applies that")
        await pilot.press("slash", *"enabled:false", "enter")
        await until_seen(pilot, "flights (off)", "1–1 of 1")
        await pilot.press("4")
        await until_seen(pilot, "→ gold.delay_by_hour (off)", "monitor late_arrival_watch (off)", "off, temp PSI")
        assert "connection landing (off)" not in seen(app)
        await pilot.press("1")
        await until_seen(pilot, "flights (off)")
        app.go(Place("blueprint", "monitor late_arrival_watch"))
        await until_seen(pilot, "late_arrival_watch (off)")
        await pilot.press("space")
        await until_seen(pilot, "1 monitor: enabled false → true", "PH168 (1 of 3)")
        await pilot.press("y")
        await until(pilot, lambda: "±1" in seen(app))
    assert not load_blueprint(database).monitors["late_arrival_watch"].enabled
    assert load_staged(database, getpass.getuser()).working.blueprint.monitors["late_arrival_watch"].enabled


async def test_among_all_kinds_space_switches_the_row_under_the_cursor(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", EVERY_KIND))
        await until_seen(pilot, "definitions")
        await pilot.press("slash", *"key:flights kind:pipeline", "enter")
        await until_seen(pilot, "1–1 of 1", "pipeline flights", "space on/off")
        await pilot.press("space")
        await until_seen(pilot, "1 pipeline: enabled true → false", "y into the change set")
        await pilot.press("y")
        await until_seen(pilot, "pipeline flights ±", "±1")
    assert not load_staged(database, getpass.getuser()).working.blueprint.pipelines["flights"].enabled


async def test_what_is_not_switched_while_the_database_is_locked_is_named_with_the_key_that_does_it_again(
    database: Database, make_app: MakeApp, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.5)
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("blueprint", "schedule flights_monthly"))
        await until_seen(pilot, "1–2 of 2", "space on/off")
        for again in ("space", "escape"):
            with faults.locked(home / "metadata.db"):
                await pilot.press("space")
                await until_seen(pilot, "switching flights_monthly …")
                await until_seen(
                    pilot, "PH301", "flights_monthly was not switched: another process", "press    space on/off"
                )
            await pilot.press(again)
            await until(pilot, lambda: "PH301" not in seen(app))
    assert not load_staged(database, getpass.getuser()).working.blueprint.schedules["flights_monthly"].enabled


def test_the_command_line_says_what_it_switches_off_and_refuses_what_could_not_run(
    database: Database, run: Commands
) -> None:
    refused = run("blueprint", "set", "enabled=false", "--kind", "connection", "--yes")
    assert (refused.code, "it needs connection landing, which is off" in refused.err) == (1, True)
    dry = run("blueprint", "set", "enabled=false", "--kind", "monitor", "--dry-run")
    assert dry.out.startswith("1 monitor: enabled true → false\n~ monitor late_arrival_watch\n    ~ disabled\n")
    assert "decision retrain_when_worse\n            monitor late_arrival_watch is off" in dry.out
    assert run("blueprint", "set", "enabled=false", "--kind", "pipeline", "--filter", "key:flights", "--yes").code == 0
    assert "10 tasks (off)" in run("blueprint", "list", "--filter", "enabled:false").out
    launched = run("run", "launch", "flights")
    assert (launched.code, "PH521 pipeline flights" in launched.err) == (2, True)
    assert "features (off)" in run("lineage", "silver.flights").out
    assert "enabled: false" in run("blueprint", "export").out
    assert "enabled: true" not in run("blueprint", "export").out
