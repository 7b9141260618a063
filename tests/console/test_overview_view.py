"""The first screen as it is drawn: what a person needs fits."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, get_args

import pytest

from console import drafts, narrow, needing, overview_view
from console.app import PilothouseApp
from console.overview_view import ATTENTION
from console.places import ROOMS, TABS
from console.screens.keys import own_bindings
from console.widgets.cells import widths
from console.widgets.rows import Rows
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.rows.attention import Attention, Remedy
from metadata.rows.overview import Overview
from metadata.rows.paging import Page
from metadata.rows.staged import stage_removal
from metadata.settings import settings
from tests.console.looking import seen, until, until_seen
from tests.metadata.rows import add_run


def test_every_remedy_fits_beside_its_key() -> None:
    keys = {"see why": "enter"}
    told = [f"{keys.get(remedy, 'r')} {remedy}" for remedy in get_args(Remedy)]
    assert [words for words in told if len(words) > ATTENTION[-1].width] == []


async def test_what_is_not_shown_is_counted_and_found(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    task = {"tasks": {"t": {"kind": "transform", "to": "silver.more", "sql": "SELECT * FROM bronze.flights"}}}
    more = {
        "datasets": {"silver.more": {"storage": {"mode": "overwrite"}}},
        "pipelines": {f"p{at:03}": task for at in range(70)},
    }
    apply(database, Blueprint.model_validate(more), author="tests", note="", settings=settings())
    app = make_app()
    async with app.run_test(size=(100, 90)) as pilot:
        await until_seen(pilot, "PIPELINES 50 of 73", "ATTENTION 4", "weather", "backfill_2012", "p000")
        assert "p069" not in seen(app)
        await pilot.press("slash", *"p069", "enter")
        await until_seen(pilot, "PIPELINES 1", "p069", "never", "Nothing matches 'p069'")
        await until(pilot, lambda: "weather" not in seen(app))


NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILED = Attention("failed", "flights #13", "too cold", "r", "run again", NOW, "run", "13", "uid13")
STALE = Attention("stale", "silver.flights", "old", "L", "lineage", NOW, "dataset", "silver.flights", "uid2")
HELD = Attention("hold", "hold_when_broken", "worse", "a", "release", NOW, "decision", "6", "uid6")
NONE: Page[Any] = Page((), None, 0, False)


def shown(needed: tuple[Attention, ...], words: str = "") -> tuple[str, list[str]]:
    """The title of what needs a person, and the first cells of its rows."""
    seen = Overview(needed, NONE, NONE, NONE)
    section = overview_view.sections(seen, NOW, words=words, wanted=narrow.matcher(words))[0]
    return section.title, [str(row.cells[0])[2:] for row in section.rows]


def test_a_long_key_is_whole_where_the_terminal_is_wide_and_others_stand_below_it() -> None:
    long = replace(STALE, thing="silver.arrivals_of_scheduled_flights")
    some = overview_view.sections(Overview((long, FAILED), NONE, NONE, NONE), NOW)
    keys = [widths(section.columns, 160)[0] for section in some]
    assert keys == [len("! silver.arrivals_of_scheduled_flights")] * 4
    assert [widths(section.columns, 80)[0] for section in some] == [22, 22, 26, 26]


@pytest.mark.parametrize(
    ("words", "there"),
    [
        ("/flights*", ["flights #13"]),
        ("/silver.*", ["silver.flights"]),
        ("/hold*", ["hold_when_broken"]),
        ("!/flights*", ["silver.flights", "hold_when_broken"]),
    ],
)
def test_what_needs_a_person_is_found_by_its_name(words: str, there: list[str]) -> None:
    assert shown((FAILED, STALE, HELD), words) == (f"ATTENTION {len(there)}", there)


def test_of_what_needs_a_person_no_more_is_made_than_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Attention] = []
    row = overview_view._attention
    monkeypatch.setattr(overview_view, "_attention", lambda one: (made.append(one), row(one))[1])
    title, rows = shown((HELD,) * 1_000)
    assert (title, len(rows)) == ("ATTENTION 50 of 1,000", 50)
    assert len(made) == 50
    assert shown((HELD,) * 60, "hold")[0] == "ATTENTION 50 of 60"


def test_a_change_set_that_waits_needs_its_author() -> None:
    for edits, told in ((1, "1 edit of yours waits to be applied"), (1_200, "1,200 edits of yours wait to be applied")):
        section = overview_view.sections(Overview((STALE,), NONE, NONE, NONE), NOW, staged=edits)[0]
        assert [str(cell) for cell in section.rows[-1].cells] == ["! change set", told, "P review"]
        assert section.title == "ATTENTION 2"


async def test_the_change_set_is_opened_by_its_key_from_every_main_screen(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 40)) as pilot:
        await until_seen(pilot, "ATTENTION 4")
        stage_removal(database, getpass.getuser(), load_blueprint(database).schedules["weather_hourly"].uid)
        await until_seen(pilot, "ATTENTION 5", "change set", "1 edit of yours waits to be applied", "P review")
        await pilot.press("2", "P")
        await until_seen(pilot, "Blueprint ▸ change set", "weather_hourly", "1 edit")
        screens = [getattr(import_module(ROOMS[tab].module), ROOMS[tab].name) for tab in TABS]
        assert all("P" in [one.key for one in own_bindings(screen)] for screen in screens)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_the_line_of_keys_has_those_of_the_row_under_the_cursor(
    database: Database, make_app: Callable[[], PilothouseApp], size: tuple[int, int]
) -> None:
    draft = drafts.begin(settings(), "dataset", "silver.flights", "datasets:\n  silver.flights: {}\n")
    drafts.write(draft, "datasets:\n  silver.flights: {owner: me}\n")
    drafts.release(draft)
    stage_removal(database, getpass.getuser(), load_blueprint(database).schedules["weather_hourly"].uid)
    always = "  / filter  : jump  ? keys  q quit"
    wanted = {
        "attention failed": "L lineage  l launch  x cancel  r run again",
        "attention hold": "e definition  L lineage  a release",
        "attention stale": "e definition  L lineage",
        "change set": "P review",
        "kept ": "e go on  L lineage",
        "pipeline flights": "L lineage  l launch  x cancel  r run again",
        "pipeline backfill_2012": "L lineage  l launch  x cancel  r run again",
        "model late_arrival": "e definition  L lineage",
        "dataset silver.flights": "e definition  L lineage",
    }
    app, told = make_app(), {}
    async with app.run_test(size=size) as pilot:
        await until_seen(pilot, "ATTENTION 6", "change set", "not applied, ")
        rows = app.screen.query_one(Rows)
        last = None
        while rows.row is not None and rows.row.key != last:
            last = rows.row.key
            await pilot.pause()
            told[last] = seen(app).splitlines()[-1].strip()
            await pilot.press("j")
    for begin, keys in wanted.items():
        found = {line for key, line in told.items() if key.startswith(begin)}
        assert found == {keys + always}, (begin, told)


async def test_the_tab_tells_how_much_needs_a_person_whatever_the_overview_is_filtered_by(
    database: Database, make_app: Callable[[], PilothouseApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needing, "AFTER_CHANGE_SECONDS", 0.0)
    app = make_app()
    async with app.run_test(size=(100, 40)) as pilot:
        await until_seen(pilot, "ATTENTION 4", "1 Overview 4!")
        await pilot.press("slash", *"kind:dataset", "enter")
        await until_seen(pilot, "ATTENTION 1", "1 Overview 4!")
        add_run(database, load_blueprint(database).pipelines["backfill_2012"].uid, "backfill_2012", "failed")
        await until_seen(pilot, "1 Overview 5!", "ATTENTION 1")


def test_what_is_more_than_is_counted_says_so() -> None:
    many: Page[Any] = Page((), None, 10_000, True)
    titles = [section.title for section in overview_view.sections(Overview((), many, NONE, NONE), NOW)]
    assert titles == ["ATTENTION", "PIPELINES 0 of 10,000+", "MODELS", "FRESHNESS"]
