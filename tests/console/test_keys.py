"""Keys that work on the thing under the cursor wherever that makes sense, and the mouse, which nothing needs."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from console.app import PilothouseApp
from console.narrow import HELP, matcher
from console.places import Place
from console.screens.base import BaseScreen
from console.screens.blueprint import BlueprintScreen
from console.screens.decisions import DecisionsScreen
from console.screens.models import ModelsScreen
from console.screens.run import FIELDS, RunScreen
from console.screens.runs import RunsScreen
from console.widgets.prompt import Prompt
from console.widgets.rows import Rows
from metadata.database import Database
from metadata.errors import UsageError
from metadata.rows.pages import list_decisions, list_definitions, list_models, list_runs
from tests.console.looking import reads_held_up, screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]
RUN = Place("run", "13")


async def opened(app: PilothouseApp, pilot: object, place: Place) -> None:
    """A place is open and its rows are there."""
    app.go(place)
    await until(pilot, lambda: screen_name(app) == place.screen and bool(app.screen.query(Rows).first().rows))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "keys", "leads_to", "words"),
    [
        (Place("runs", "state:failed"), "L", "lineage", "Lineage ▸ "),
        (RUN, "L", "lineage", "Lineage ▸ "),
        (Place("decisions"), "L", "lineage", "Lineage ▸ hold_when_broken"),
        (Place("overview"), "L", "lineage", "Lineage ▸ "),
        (Place("runs", "state:failed"), "e", "blueprint", "Blueprint ▸ pipelines"),
        (RUN, "e", "blueprint", "Blueprint ▸ datasets"),
        (Place("decisions"), "e", "blueprint", "Blueprint ▸ decisions"),
        (Place("overview"), "e", "blueprint", "Blueprint ▸ pipelines"),
        (Place("runs", "state:failed"), "o", "run", "Runs ▸ flights ▸ #13"),
        (Place("overview"), "jo", "run", "Runs ▸ flights ▸ #13"),
    ],
)
async def test_a_key_leads_from_what_is_under_the_cursor(
    database: Database, make_app: MakeApp, place: Place, keys: str, leads_to: str, words: str
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, place)
        await pilot.pause(0.3)
        await pilot.press(*keys)
        await until_seen(pilot, words)
        assert screen_name(app) == leads_to


@pytest.mark.parametrize(
    ("place", "keys"), [(Place("runs", "state:failed"), "o"), (Place("overview"), "jo"), (Place("decisions"), "o")]
)
async def test_o_shows_the_log_wherever_it_is_pressed(
    database: Database, make_app: MakeApp, place: Place, keys: str
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, place)
        await pilot.press(*keys)
        await until_seen(pilot, "Log  Outcome", " begins")
        assert app.focused is app.screen.query_one("#pane")
        await pilot.press("escape")
        await until_seen(pilot, "whole run")
        await pilot.press("escape")
        await until(pilot, lambda: screen_name(app) == place.screen)


@pytest.mark.parametrize(
    ("screen", "read"),
    [
        (RunsScreen, list_runs),
        (DecisionsScreen, list_decisions),
        (ModelsScreen, list_models),
        (BlueprintScreen, lambda database, words: list_definitions(database, "dataset", words)),
    ],
)
def test_what_help_says_of_filters_is_taken(
    database: Database, screen: type[BaseScreen], read: Callable[[Database, str], object]
) -> None:
    for word in screen.FILTER_HELP.split():
        read(database, word)


def test_what_help_says_of_filters_over_what_was_read_is_taken() -> None:
    assert matcher(HELP.partition(";")[0], elsewhere=True)("names and more", "some words")
    wanted = matcher(RunScreen.FILTER_HELP.partition(";")[0], FIELDS)
    assert wanted("names and more", "some words", {"state": "failed", "kind": "train"})
    assert not wanted("names and more", "some words", {"state": "failed", "kind": "infer"})
    with pytest.raises(UsageError, match="PH306.*here a filter takes state:"):
        matcher("owner:ops", FIELDS)


@pytest.mark.parametrize(
    ("place", "copied"),
    [
        (Place("runs", "state:failed"), "run 13"),
        (RUN, "clean"),
        (Place("overview"), "run 16"),
        (Place("decisions"), "hold_when_broken #6"),
        (Place("blueprint", "dataset silver.flights"), "silver.flights"),
        (Place("lineage", "dataset silver.flights"), "silver.flights"),
    ],
)
async def test_y_copies_the_name_under_the_cursor_to_the_clipboard_of_the_terminal(
    database: Database, make_app: MakeApp, place: Place, copied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, place)
        await pilot.pause(0.3)
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        await pilot.press("y")
        await until_seen(pilot, f"copied {copied}")
    assert f"\x1b]52;c;{base64.b64encode(copied.encode()).decode()}\x07" in "".join(written)


async def test_a_click_chooses_a_second_opens_and_tabs_and_keys_are_buttons(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await until_seen(pilot, "ATTENTION 4")
        line = seen(app).splitlines()[1]
        await pilot.click(offset=(line.index("Runs"), 1))
        await until_seen(pilot, "1–17 of 17")
        at = next(number for number, each in enumerate(seen(app).splitlines()) if "#13" in each)
        await pilot.click(offset=(20, at))
        row = app.screen.query_one(Rows).row
        assert row is not None and row.place == RUN
        keys = seen(app).splitlines()[-1]
        await pilot.click(offset=(keys.index("r run again"), 29))
        await until_seen(pilot, "run 13 of flights", "failed only")
        await pilot.press("escape")
        await pilot.click(offset=(20, at))
        await until_seen(pilot, "Runs ▸ flights ▸ #13")


@pytest.mark.parametrize(
    ("place", "typed", "there", "gone"),
    [
        (Place("overview"), "weather", "bronze.weather", "hold_when_broken"),
        (Place("run", "14"), "predict", "predict", "summarise"),
        (Place("lineage", "dataset silver.flights"), "drift", "silver.flights", "gold.delay_by_hour"),
        (Place("lineage", "dataset silver.flights"), "delay_by", "gold.delay_by_hour", "bronze.weather"),
        (Place("lineage", "dataset silver.flights"), "/gold.*", "gold.delay_by_hour", "bronze.weather"),
        (Place("lineage", "dataset silver.flights"), "layer:gold", "gold.delay_by_hour", "bronze.weather"),
        (Place("overview"), "kind:dataset layer:bronze", "bronze.weather", "hold_when_broken"),
        (Place("run", "14"), "kind:infer", "predict", "publish"),
    ],
)
async def test_a_filter_narrows_what_is_shown_and_esc_takes_it_back(
    database: Database, make_app: MakeApp, place: Place, typed: str, there: str, gone: str
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot, place)
        await until_seen(pilot, there, gone)
        await pilot.press("slash", *typed, "enter")
        await until(pilot, lambda: gone not in seen(app))
        await until_seen(pilot, there, f"▸ {typed}")
        await pilot.press("escape")
        await until_seen(pilot, there, gone)


async def test_esc_while_a_filter_is_typed_leaves_the_one_that_was_there(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "slash", *"state:failed", "enter")
        await until_seen(pilot, "1–2 of 2")
        await pilot.press("slash", "ctrl+u", *"/weath*")
        await until_seen(pilot, "1–4 of 4")
        await pilot.press("escape")
        await until_seen(pilot, "Runs ▸ state:failed", "1–2 of 2")
        await pilot.press("slash", "ctrl+u", "ctrl+u", "ctrl+w")
        await until_seen(pilot, "1–17 of 17")
        assert app.screen.query_one(Prompt).has_class("open")
        await pilot.press("backspace")
        await until_seen(pilot, "1–17 of 17", "? keys")


async def test_enter_leads_somewhere_once(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await until_seen(pilot, "ATTENTION 4")
        went: list[Place] = []
        monkeypatch.setattr(app, "go", went.append)
        await pilot.press("j", "enter")
        await until(pilot, lambda: bool(went))
        await pilot.pause(0.3)
        assert went == [RUN]


async def test_the_log_is_filtered_where_the_cursor_is_in_it(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(140, 40)) as pilot:
        await opened(app, pilot, RUN)
        await until_seen(pilot, "clean begins")
        await pilot.press("g", "o", "slash", *"error", "enter")
        await until(pilot, lambda: "clean begins" not in seen(app))
        await until_seen(pilot, "4.1 % of the", "ingest_weather", "▸ error")
        await pilot.press("escape")
        await until_seen(pilot, "clean begins")


async def test_help_tells_what_the_filter_takes_here(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 40)) as pilot:
        for key, words in (("1", "words !not /names*"), ("2", "state:failed,lost pipeline:flights")):
            await pilot.press(key, "question_mark")
            await until_seen(pilot, "Keys", words)
            await pilot.press("escape")


async def test_a_key_that_is_off_is_left_out_where_there_is_no_room_and_none_stands_without_its_words(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, Place("overview"))
        await until_seen(pilot, "L lineage  l launch  x cancel  r run again  / filter  : jump  ? keys  q quit")


async def test_a_field_where_there_are_none_is_refused(database: Database, make_app: MakeApp) -> None:
    with pytest.raises(UsageError, match="words and /globs"):
        matcher("state:failed")
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await until_seen(pilot, "ATTENTION 4")
        await pilot.press("slash", *"state:failed", "enter")
        await until_seen(pilot, "PH306", "ATTENTION 4")
        await until(pilot, lambda: "▸" not in seen(app).splitlines()[2])
        await until_seen(pilot, "PH306", "ATTENTION 4")
        await pilot.press("escape")
        await until(pilot, lambda: "PH306" not in seen(app))


async def test_a_filter_that_is_right_stays_when_what_was_typed_of_it_is_refused_late(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "1–17 of 17")
        await pilot.press("slash", *"state:faile")
        with reads_held_up(app):
            app.screen.reload()  # type: ignore[attr-defined]
            await pilot.press("d", "enter")
            await pilot.pause(0.2)
        await until_seen(pilot, "Runs ▸ state:failed", "1–2 of 2")
        await pilot.pause(0.5)
        assert "Runs ▸ state:failed" in seen(app)
        assert "PH306" not in seen(app)


async def test_a_filter_that_is_refused_leaves_the_one_that_was_there(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "slash", *"state:failed", "enter")
        await until_seen(pilot, "1–2 of 2")
        await pilot.press("slash", "ctrl+u", *"pipelin")
        await until_seen(pilot, "No run matches 'pipelin'")
        await pilot.press(*":x", "enter")
        await until_seen(pilot, "PH306", "Runs ▸ state:failed", "1–2 of 2", "#13")


async def test_a_filter_that_is_refused_after_what_was_typed_of_it_was_read_leaves_the_one_that_was_there(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "slash", *"state:failed", "enter")
        await until_seen(pilot, "1–2 of 2")
        await pilot.press("slash", "ctrl+u", *"pipeli")
        with reads_held_up(app):
            await pilot.press("n")
            await pilot.press(*":x", "enter")
        await until_seen(pilot, "PH306", "Runs ▸ state:failed", "1–2 of 2", "#13")


async def test_a_filter_that_is_refused_while_another_is_begun_is_dropped_and_told_when_that_is_left(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2", "slash", *"state:failed", "enter")
        await until_seen(pilot, "1–2 of 2")
        with reads_held_up(app):
            await pilot.press("slash", "ctrl+u", *"pipelin:x", "enter", "slash")
            await until(pilot, lambda: app.screen.typing)  # type: ignore[attr-defined]
        await pilot.pause(0.5)
        assert "PH306" not in seen(app)
        await pilot.press("escape")
        await until_seen(pilot, "PH306", "Runs ▸ state:failed", "1–2 of 2", "#13")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("", True),
        ("FLIGHTS", True),
        ("fli*ts 4.1", True),
        ("!flights", False),
        ("/run*", True),
        ("/x", False),
        ("[a]", False),
        (r"4.1\?%", False),
        (r"\#13", False),
        ("state:*", True),
        ("note:*", False),
        ("note:", True),
        (r"state:late\?", True),
        (r"state:l\*", False),
    ],
)
def test_words_of_a_filter(words: str, wanted: bool) -> None:
    known = {"state": "late?", "note": ""}
    assert matcher(words, known)("run 13", "flights #13 4.1 %", known) is wanted
