"""The lineage's screen: a tree up and down, opened level by level."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import update

from console import jump
from console.app import PilothouseApp
from console.places import Place
from metadata.database import Database
from metadata.definitions import definition
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.rows.staged import stage
from metadata.settings import settings
from tests.console.looking import seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
async def test_what_a_dataset_comes_from_and_what_comes_of_it(
    database: Database, make_app: MakeApp, size: tuple[int, int]
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("4")
        await until_seen(
            pilot, "Lineage ▸ silver.flights", "← bronze.weather  clean", "→ gold.delay_by_hour", "26 h ago"
        )
        wide = size[0] >= 120
        await until_seen(pilot, "v2 champion · v3 challenger" if wide else "v2 · v3 challenger")
        await until_seen(
            pilot, "monitor late_arrival_watch", "temp PSI 3.8 > 0.4 !", "stale !" if wide else "stale, 26 h"
        )
        assert all(len(line.rstrip()) <= size[0] for line in seen(app).splitlines())


async def test_a_name_is_shortened_in_the_middle_however_deep_it_stands(database: Database, make_app: MakeApp) -> None:
    long = "silver.flights_of_the_whole_year_by_carrier_and_origin_v2"
    with database.write() as connection:
        connection.execute(update(definition).where(definition.c.key == "silver.flights").values(key=long))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("lineage", "dataset bronze.flights"))
        await until_seen(pilot, "silver.fl", "origin_v2")


async def test_a_task_of_several_pipelines_is_named_with_them(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("4")
        await until_seen(pilot, "ingest_weather in flights, weather", "ingest_flights in backfill_2012, flights")
        assert "bronze.flights  clean " in seen(app)


async def test_branches_open_and_close(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 48)) as pilot:
        app.go(Place("lineage", "connection landing"))
        await until_seen(pilot, "▾ → bronze.weather", "▸ → silver.flights")
        await pilot.press("j", "j", "right")
        await until_seen(pilot, "▾ → silver.flights", "gold.delay_by_hour  summarise")
        await pilot.press("left")
        await until(pilot, lambda: "gold.delay_by_hour" not in seen(app))
        await pilot.press("left", "left")
        await until_seen(pilot, "▸ → bronze.flights")


async def test_a_branch_that_is_closed_while_it_is_read_stays_closed(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 48)) as pilot:
        app.go(Place("lineage", "connection landing"))
        await until_seen(pilot, "▾ → bronze.weather", "▸ → silver.flights")
        await pilot.press("j", "j")
        gate = threading.Event()
        app.session.store.read(app, "gate", lambda _database: gate.wait())
        await pilot.press("right", "left")
        gate.set()
        await pilot.pause(1)
        await until_seen(pilot, "▸ → silver.flights")
        assert "gold.delay_by_hour" not in seen(app)


async def test_it_starts_anew_at_what_is_under_the_cursor_and_comes_back(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 48)) as pilot:
        await pilot.press("4")
        await until_seen(pilot, "← bronze.flights")
        await pilot.press("j", "L")
        await until_seen(pilot, "Lineage ▸ bronze.flights")
        await pilot.press("left_square_bracket")
        await until_seen(pilot, "Lineage ▸ silver.flights")
        await pilot.press("g", "j", "e")
        await until_seen(pilot, "Blueprint ▸ datasets", "Flights as landed")


async def test_what_is_not_there_is_said(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("lineage", "dataset nothing.here"))
        await until_seen(pilot, "dataset nothing.here: there is none")


async def test_why_there_is_none_stays(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("lineage", "dataset nothing.here"))
        await until_seen(pilot, "dataset nothing.here: there is none")
        await pilot.pause(1.5)
        await pilot.resize_terminal(100, 30)
        await pilot.pause(0.5)
        assert "Nothing yet" not in seen(app)
        await until_seen(pilot, "dataset nothing.here: there is none")


async def test_without_a_blueprint_it_says_what_would_be_here(empty_database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("4")
        await until_seen(pilot, "Nothing yet: pilothouse blueprint apply FILE")


def test_a_key_of_several_kinds_leads_to_the_lineage_of_the_dataset_or_of_the_kind_that_is_named(
    database: Database,
) -> None:
    more = {"connections": {"silver.flights": {"kind": "files", "path": "x"}}}
    apply(database, Blueprint.model_validate(more), author="ada", settings=settings())
    for typed, subject in (
        ("lineage silver.flights", "dataset silver.flights"),
        ("lineage connection silver.flights", "connection silver.flights"),
        ("lineage datasets silver.flights", "dataset silver.flights"),
        ("lineage conn silver.flights", "connection silver.flights"),
        ("lineage late_arrival", "model late_arrival"),
        ("lineage feature set flight_context", "feature_set flight_context"),
    ):
        assert jump.find_named(database, typed, "") == Place("lineage", subject)
    for wrong in ("model silver.flights", "conection silver.flights", "lineage silver.flights"):
        assert jump.find_named(database, f"lineage {wrong}", "") == f"nothing is named {wrong!r}"
    assert jump.complete(database, "lineage connection silv", "") == "lineage connection silver.flights"
    assert jump.complete(database, "lineage silver.fl", "") == "lineage silver.flights"


def test_lineage_is_completed_by_what_it_can_show(database: Database) -> None:
    stage(database, "ada", Blueprint.model_validate({"datasets": {"mine.only": {}}}))
    assert jump.complete(database, "dataset mine", "ada") == "dataset mine.only"
    assert jump.complete(database, "lineage mine", "ada") == ""
    assert jump.complete(database, "lineage dataset mine", "ada") == ""
