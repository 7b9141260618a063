"""The blueprint's screen: kinds, definitions, and what is said of one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from console import blueprint_panes
from console.app import PilothouseApp
from console.definition_rows import nothing
from console.places import Place
from console.widgets.lines import Lines
from console.widgets.rows import Rows
from metadata.database import Database
from metadata.documents import read, read_text
from metadata.revisions import apply
from metadata.settings import settings
from tests.console import seed
from tests.console.looking import reads_held_up, screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]


def at(app: PilothouseApp, which: str = "list") -> str:
    """The key under the cursor of a list."""
    row = app.screen.query_one(f"#{which}", Rows).row
    return row.key if row else ""


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
async def test_a_definition_is_found_by_its_kind_and_read(
    database: Database, make_app: MakeApp, size: tuple[int, int]
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "datasets", "silver.flights", "7 of 7")
        await pilot.press("escape", "j", "j")
        await until_seen(pilot, "late_arrival", "1 of 1", "Blueprint ▸ models")
        await pilot.press("enter")
        assert app.focused is app.screen.query_one("#list")
        await pilot.press("enter")
        await until_seen(pilot, "late_arrival:", "seed: 7")
        await pilot.press("right")
        await until_seen(pilot, "Used by", "monitor late_arrival_watch")
        await pilot.press("escape", "escape", "g")
        await until_seen(pilot, "all", "Blueprint ▸ definitions", "connection landing", "roc_auc")
        await pilot.press("slash", *"layer:gold storage:merge !/pred*", "enter")
        await until_seen(pilot, "1 of 1", "dataset features.flight_context")


async def test_keys_do_nothing_to_rows_of_the_kind_before(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "Blueprint ▸ datasets", "bronze.flights", "7 of 7")
        await pilot.press("escape", "j")
        await until_seen(pilot, "Blueprint ▸ feature sets", "1 of 1")
        with reads_held_up(app):
            await pilot.press("k", "tab", "m", "d")
            await until_seen(pilot, "Blueprint ▸ datasets", "there is no definition under the cursor")
            assert "marked" not in seen(app)
        await until_seen(pilot, "bronze.flights", "7 of 7")


async def test_among_the_kinds_no_key_acts_on_a_row_that_nobody_chose(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "7 of 7")
        await pilot.press("escape", *"jjjjj")
        await until_seen(pilot, "Blueprint ▸ pipelines", "3 of 3")
        for key in ("space", *"efdmRcltLAy"):
            app.screen.say("")  # type: ignore[attr-defined]
            await pilot.press(key)
            await until_seen(pilot, "choose a row first (tab)", "Blueprint ▸ pipelines")
        await pilot.press("question_mark")
        await until_seen(pilot, "launch the pipeline under the cursor  (choose a row first (tab))")
        await pilot.press("escape", "tab", "space")
        await until_seen(pilot, "switched off in the change set")


async def test_rows_are_shown_before_they_are_counted(database: Database, make_app: MakeApp) -> None:
    app, gate = make_app(), threading.Event()
    async with app.run_test(size=(120, 24)) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "1–7 of 7")
        app.session.store.count(app, "gate", lambda _database: gate.wait())
        try:
            app.screen.first_page()  # type: ignore[attr-defined]
            app.screen.page_size = 3  # type: ignore[attr-defined]
            app.screen.reload()  # type: ignore[attr-defined]
            await until_seen(pilot, "1–3 of 4+", "bronze.flights")
            await pilot.press("slash", *"layer:bronze")
            await until_seen(pilot, "datasets ▸ layer:bronze")
        finally:
            gate.set()
        await until(pilot, lambda: "+" not in seen(app).splitlines()[2])


async def test_columns_and_history_are_panes(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place("blueprint", "dataset silver.flights"))
        await until_seen(pilot, "YAML", "has_aircraft")
        assert at(app) == "silver.flights"
        await pilot.press("right", "right")
        await until_seen(pilot, "287,650 rows, version 12")
        await pilot.press("right", "right", "right")
        await until_seen(pilot, "revision 1", "made", "first blueprint")


async def test_a_pane_that_has_nothing_for_a_kind_gives_way_to_the_definition(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place("blueprint", "dataset silver.flights"))
        await until_seen(pilot, "has_aircraft")
        await pilot.press("right", "right")
        await until_seen(pilot, "287,650 rows, version 12")
        await pilot.press("5")
        await until_seen(pilot, "late_arrival")
        await pilot.press("e")
        await until_seen(pilot, "late_arrival:", "seed: 7", "YAML  Used by  History")
        await pilot.press("right", "right")
        await until_seen(pilot, "first blueprint")
        await pilot.press("left", "left", "left", "left")
        await until_seen(pilot, "monitor late_arrival_watch")


async def test_a_change_elsewhere_leaves_the_pane_where_it_was(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 24)) as pilot:
        app.go(Place("blueprint", "pipeline flights"))
        await until_seen(pilot, "pipelines:", "flights:")
        pane = app.screen.query_one("#pane", Lines)
        await pilot.press("tab", "G")
        await until(pilot, lambda: pane.scroll_offset.y > 0)
        offsets: set[float] = set()
        lines: set[int] = set()
        reads: list[object] = []
        read = app.session.store.read
        app.session.store.read = lambda who, job, query: (reads.append(job), read(who, job, query))[1]  # type: ignore[method-assign]
        seed.go_on(database, 14, "predict")

        def looked() -> bool:
            offsets.add(pane.scroll_offset.y)
            lines.add(pane.virtual_size.height)
            return "detail" in reads

        await until(pilot, looked)
        await pilot.pause(0.3)
        looked()
        assert len(offsets) == len(lines) == 1, (offsets, lines)


async def test_a_cursor_that_runs_down_a_list_has_one_read_under_way(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 24)) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "7 of 7", "Flights as landed")
        reads: list[str] = []
        read = app.session.store.read
        app.session.store.read = lambda who, job, query: (reads.append(job), read(who, job, query))[1]  # type: ignore[method-assign]
        gate = threading.Event()
        read(app, "gate", lambda _database: gate.wait())
        try:
            await pilot.press("j", "j", "j", "j", "j", "j")
            await until(pilot, lambda: at(app) == "silver.flights")
            await pilot.pause(5)
            assert "db●" in seen(app), "the database is not away"
            assert reads.count("detail") == 1
        finally:
            gate.set()
        await until_seen(pilot, "has_aircraft")


async def test_the_pane_begins_at_its_top_for_another_definition(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 24)) as pilot:
        app.go(Place("blueprint", "pipeline flights"))
        await until_seen(pilot, "pipelines:", "flights:")
        await pilot.press("tab", "G")
        await until(pilot, lambda: "pipelines:" not in seen(app))
        await pilot.press("tab", "tab", "j")
        await until_seen(pilot, "pipelines:", "weather:")


async def test_enter_keeps_the_filter(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "7 of 7")
        await pilot.press("slash", *"owner:bi", "enter")
        await until_seen(pilot, "1 of 1", "▸ owner:bi")
        await pilot.press("enter")
        await until_seen(pilot, "gold.delay_by_hour:")
        assert "▸ owner:bi" in seen(app)


async def test_keys_lead_to_the_launch_form_and_to_lineage(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("blueprint", "dataset silver.flights"))
        await until_seen(pilot, "has_aircraft")
        assert "l launch" not in seen(app)
        await pilot.press("L")
        await until_seen(pilot, "Lineage ▸ silver.flights")
        app.go(Place("blueprint", "pipeline weather"))
        await until_seen(pilot, "Weather alone", "l launch")
        await pilot.press("l")
        await until(pilot, lambda: screen_name(app) == "LaunchScreen")


async def test_an_empty_blueprint_says_how_to_fill_it(empty_database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "No datasets yet: n makes one, or pilothouse blueprint apply FILE")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("kind:dataset", ": here are only feature sets; all, at the left, holds every kind"),
        ("Kind:dataset,model x", ": here are only feature sets; all, at the left, holds every kind"),
        ("kind:data*", ": here are only feature sets; all, at the left, holds every kind"),
        ("!kind:feature_set", ": here are only feature sets; all, at the left, holds every kind"),
        ("kind:feature_set x", ""), ("kind:f*,model x", ""), ("!kind:dataset x", ""), ("x", ""), ('kind:dataset "', ""),
    ],
)  # fmt: skip
def test_a_filter_for_another_kind_than_the_list_has_is_told_where_that_is(words: str, hint: str) -> None:
    assert nothing("feature_set", words) == f"Nothing matches '{words}'{hint}. esc takes the filter back."
    assert nothing("", words) == f"Nothing matches '{words}'. esc takes the filter back."


async def test_the_list_of_all_kinds_keeps_the_filter_that_another_has_nothing_for(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("blueprint", "pipeline weather"))
        await until_seen(pilot, "Weather alone")
        await pilot.press("slash", *"kind:dataset", "enter")
        await until_seen(pilot, "here are only pipelines; all, at the left,")
        await pilot.press("tab", "tab", "g")
        await until_seen(pilot, "definitions ▸ kind:dataset", "dataset bronze.flights", "of 7")


def many(database: Database, folder: Path) -> None:
    """More definitions than a list holds."""
    lines = ["datasets:", *(f"  bronze.d{at:04}: {{columns: {{a: long}}}}" for at in range(620))]
    path = folder / "many.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    apply(database, read(path).blueprint, author="operator", settings=settings())


async def test_a_definition_is_found_however_many_there_are(
    empty_database: Database, make_app: MakeApp, tmp_path: Path
) -> None:
    many(empty_database, tmp_path)
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        for number, trail in ((300, "500 of 620"), (610, "▸ key:bronze.d0610")):
            await pilot.press("colon", *f"dataset bronze.d{number:04}", "enter")
            await until_seen(pilot, f"bronze.d{number:04}:", trail)
            assert at(app) == f"bronze.d{number:04}"
            app.screen.reload()  # type: ignore[attr-defined]
            await pilot.pause(0.5)
            assert at(app) == f"bronze.d{number:04}"
        await pilot.press("escape")
        await until_seen(pilot, "of 620")
        app.go(Place("blueprint", "dataset bronze.nowhere"))
        await until_seen(pilot, "there is no dataset bronze.nowhere in the blueprint")


async def test_a_key_that_has_no_room_beside_the_panes_is_cut_and_not_left_out(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(112, 30)) as pilot:
        app.go(Place("blueprint", "dataset features.flight_context"))
        await until_seen(pilot, "History", "features.")
        line = next(each for each in seen(app).splitlines() if "YAML" in each)
        assert "…" in line.partition("History")[2] or "features.flight_context" in line.partition("History")[2]


async def test_of_a_long_history_the_newest_is_read_and_a_key_leads_to_the_rest(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blueprint_panes, "MOST_EDITS", 2)
    for words in ("third", "fourth", "fifth"):
        said = f"datasets:\n  bronze.flights: {{description: {words}}}\n"
        apply(database, read_text(said).blueprint, author="ada", settings=settings())
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place("blueprint", "dataset bronze.flights"))
        await until_seen(pilot, "bronze.flights:")
        await pilot.press("left")
        await until_seen(pilot, "revision 5", "revision 4", "and more: A lists every one")
        assert "revision 3" not in seen(app)
        await pilot.press("A")
        await until_seen(pilot, "key:bronze.flights", "4 of 4")
