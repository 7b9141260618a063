"""The decisions' screen: what each rule said, what it saw, what came of it; what it holds is released by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import insert, select
from textual.pilot import Pilot

from console.app import PilothouseApp
from console.places import Place
from console.screens import decisions
from metadata import tables
from metadata.database import Database, next_change
from metadata.rows.pages import list_decisions
from metadata.values import utc_now
from tests.console import seed
from tests.console.looking import reads_held_up, screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
async def test_a_decision_shows_its_rule_and_what_it_saw(
    database: Database, make_app: MakeApp, size: tuple[int, int]
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("6")
        await until_seen(pilot, "‖ waits", "! fired", "– held back", "? undecided", "6, newest first")
        await pilot.press("enter")
        await until_seen(pilot, "null_rate of temp 0.41 > 0.3", "worst(null_rate) > 0.3", "What it does", "publish")


async def test_what_fired_shows_the_tasks_that_it_brought(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place("decisions", "3"))
        await until_seen(pilot, "0.618 < 0.641 - 0.02", "What came of it", "retrain late_arrival")
        app.go(Place("decisions", "2"))
        await until_seen(pilot, "0.641 is not below 0.621", "What it would do")
        assert "What came of it" not in seen(app)
        await pilot.press("o")
        await until_seen(pilot, "Runs ▸ flights ▸ #10")


async def test_what_waits_is_released_by_name_and_only_once(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("6")
        await until_seen(pilot, "‖ waits  press a to release")
        await pilot.press("a")
        await until_seen(pilot, "release what hold_when_broken #6 holds ?")
        await pilot.press("escape")
        await until(pilot, lambda: "holds ?" not in seen(app))
        assert list_decisions(database, "").items[0].waits
        await pilot.press("a")
        await until_seen(pilot, "release what hold_when_broken #6 holds ?")
        await pilot.press("y")
        await until(pilot, lambda: not list_decisions(database, "").items[0].waits)
        await until_seen(pilot, "released  ")
        await pilot.press("a")
        await until_seen(pilot, "released by ")


def add_more(database: Database, count: int) -> None:
    """Newer decisions of the other rule, that nobody need look at."""
    table = tables.decision
    with database.write() as connection:
        newest = connection.execute(select(table).order_by(table.c.number.desc())).mappings().first()
        assert newest is not None
        for at in range(1, count + 1):
            more = {"id": seed.uid("more", str(at)), "number": newest["number"] + at, "attempt": 1000 + at}
            told = {
                "rule_key": "retrain_when_worse",
                "state": "quiet",
                "waits": False,
                "changed": next_change(connection),
            }
            connection.execute(insert(table).values(**{**newest, **more, **told}))


@pytest.mark.parametrize(("count", "trail"), [(150, "Decisions "), (600, "Decisions ▸ number:6")])
async def test_a_hold_under_attention_leads_to_that_decision_however_many_are_newer(
    database: Database, make_app: MakeApp, count: int, trail: str
) -> None:
    add_more(database, count)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION 4")
        await pilot.press("j", "j", "enter")
        await until_seen(pilot, trail, "hold_when_broken", "‖ waits")
        await pilot.press("a")
        await until_seen(pilot, "release what hold_when_broken #6 holds ?")
        await pilot.press("escape", "g", "G")
        await until(pilot, lambda: "holds ?" not in seen(app))
        await pilot.press("1", "6")
        await until_seen(pilot, trail)


async def test_what_came_of_each_decision_that_is_passed_is_not_read(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    aftermath = decisions._aftermath
    monkeypatch.setattr(decisions, "_aftermath", lambda *asked: (read.append(asked[1]), aftermath(*asked))[1])
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("6")
        await until_seen(pilot, "hold_when_broken", "in run ")
        read.clear()
        with reads_held_up(app):
            await pilot.press("j", "o", "j", "j", "j", "j")
        await until_seen(pilot, "performance.roc_auc is not there yet", "in run ")
        assert len(read) == 2
        await pilot.press("k", "k", "k", "k")
        await until_seen(pilot, "0.01 is not above 0.3", "in run ")
        app.screen.reload()  # type: ignore[attr-defined]
        await pilot.pause(1)
        assert screen_name(app) == "decisions", "the log was asked for of a decision that was left"


async def test_a_log_that_is_late_does_not_open_once_its_screen_was_left(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("6")
        await until_seen(pilot, "hold_when_broken", "in run ")
        with reads_held_up(app):
            await pilot.press("j", "o", "1")
            await until(pilot, lambda: screen_name(app) == "overview")
        await until_seen(pilot, "ATTENTION 4")
        await pilot.press("6")
        await until(pilot, lambda: screen_name(app) == "decisions")
        app.screen.reload()  # type: ignore[attr-defined]
        await pilot.pause(1)
        assert screen_name(app) == "decisions"


async def test_a_log_that_is_late_does_not_open_under_what_is_typed(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("6")
        await until_seen(pilot, "hold_when_broken", "in run ")
        with reads_held_up(app):
            await pilot.press("j", "o", "colon", "r")
        await pilot.pause(1)
        await pilot.press("u", "n")
        await until_seen(pilot, ":run")
        assert screen_name(app) == "decisions"


async def test_ages_of_decisions_grow(database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await until_seen(pilot, "3 h ago")
        later = utc_now() + timedelta(days=5)
        monkeypatch.setattr(decisions, "utc_now", lambda: later)
        await until_seen(pilot, "5 d ago", seconds=5)


async def test_a_decision_that_is_not_there_is_said_to_be_gone(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("decisions", "99"))
        await until_seen(pilot, "there is no decision 99", "hold_when_broken")


async def test_what_holds_nothing_cannot_be_released(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("decisions", "1"))
        await until_seen(pilot, "performance.roc_auc is not there yet")
        await pilot.press("a")
        await until_seen(pilot, "this decision holds nothing")


async def test_the_filter_narrows_to_a_state(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("6")
        await until_seen(pilot, "6, newest first")
        await pilot.press("slash", *"state:undecided", "enter")
        await until_seen(pilot, "1, newest first", "Decisions ▸ state:undecided")


async def test_without_decisions_it_says_what_takes_them(empty_database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("6")
        await until_seen(pilot, "No decisions yet", "decide task")


async def to_the_second_page(pilot: Pilot[None]) -> None:
    """Of 606 decisions: beyond the 500 that a list holds."""
    await pilot.press("6")
    await until_seen(pilot, "1–100 of 606, newest first", "606")
    for _ in range(4):
        await pilot.press("G")
        await pilot.pause(0.2)
    await until_seen(pilot, "1–500 of 606", "#")
    await pilot.press("G", "j", "j")
    await until_seen(pilot, "501–600 of 606", " 106 ")


async def test_the_caption_is_that_of_the_rows_until_a_filter_is_taken(database: Database, make_app: MakeApp) -> None:
    add_more(database, 600)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_the_second_page(pilot)
        with reads_held_up(app):
            app.screen.set_filter("stat:x")  # type: ignore[attr-defined]
            await until_seen(pilot, "▸ stat:x", "501–600 of 606", " 106 ")
        await until_seen(pilot, "PH306", "1–100 of 606", " 606 ")
        assert "▸" not in seen(app)


async def test_what_lies_beyond_what_a_list_holds_is_reached(database: Database, make_app: MakeApp) -> None:
    add_more(database, 600)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_the_second_page(pilot)
        await pilot.press("G")
        await until_seen(pilot, "501–606 of 606")
        await pilot.press("G")
        await until_seen(pilot, "undecided")
        await pilot.press("j", "g", "k", "k")
        await until_seen(pilot, "1–500 of 606", " 107 ")
        await pilot.press("slash", *"state:undecided", "enter")
        await until_seen(pilot, "1–1 of 1, newest first")
