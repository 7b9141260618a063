"""Keys that arrive together, as a slow line and a key held down send them: each is answered once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update
from textual import events
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Input

from console.app import PilothouseApp
from console.ears import PATIENCE_SECONDS
from console.edit import Review
from console.places import Place
from console.screens.ask import Ask
from console.screens.help import HelpScreen
from console.screens.note import NoteScreen
from console.screens.review import ReviewScreen
from console.screens.services import ServicesScreen
from console.widgets.rows import Rows
from metadata import tables
from metadata.database import Database
from metadata.rows.runs import find_run
from tests.console.looking import on_flights, reads_held_up, screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]


def send(app: PilothouseApp, *keys: str) -> None:
    """Keys that are there before the first of them is looked at."""
    for key in keys:
        app.post_message(events.Key(key, None))


async def settled(pilot: Pilot[None]) -> None:
    """Everything that was sent is done."""
    for _ in range(5):
        await pilot.pause()


ASKING: list[tuple[Callable[[PilothouseApp], ModalScreen[Any]], str, object]] = [
    (lambda _app: Ask("really ?", [("y", "do it")]), "y", "y"),
    (lambda _app: Ask("really ?", [("y", "do it")]), "escape", ""),
    (lambda _app: ReviewScreen(Review(None, 1, None, ())), "y", "y"),
    (lambda _app: ReviewScreen(Review(None, 1, None, ())), "e", "e"),
    (lambda _app: ReviewScreen(Review(None, 1, None, ())), "escape", ""),
    (lambda app: ServicesScreen(app.session), "escape", False),
    (lambda app: ServicesScreen(app.session), "enter", False),
    (lambda _app: HelpScreen("here", []), "q", None),
]


@pytest.mark.parametrize(("ask", "key", "answer"), ASKING)
async def test_a_question_is_answered_once(
    empty_database: Database,
    make_app: MakeApp,
    ask: Callable[[PilothouseApp], ModalScreen[Any]],
    key: str,
    answer: object,
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES")
        answers: list[object] = []
        app.push_screen(ask(app), answers.append)
        await settled(pilot)
        send(app, key, key)
        await settled(pilot)
        assert answers == [answer]
        assert screen_name(app) == "overview"


async def test_the_screen_below_a_question_stays(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        app.go(Place("run", "12"))
        await until_seen(pilot, "#12", "13 of 13")
        await pilot.press("r")
        await until_seen(pilot, "run again")
        send(app, "escape", "escape")
        await settled(pilot)
        assert screen_name(app) == "run"


async def test_what_the_palette_finds_is_done_once(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        went: list[Place] = []
        monkeypatch.setattr(app, "go", went.append)
        await pilot.press("ctrl+p", *"go to Runs")
        await until_seen(pilot, "one of the six screens")
        await pilot.press("down")
        send(app, "enter", "enter")
        await until(pilot, lambda: bool(went))
        await settled(pilot)
        assert went == [Place("runs")]
        assert screen_name(app) == "overview"


async def test_a_pipeline_chosen_twice_has_its_fields_once(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        await pilot.press("l")
        await until_seen(pilot, "launch weather", "as_of")
        await pilot.press("escape")
        await until_seen(pilot, "launch which pipeline?", "flights")
        send(app, "enter", "enter")
        await until_seen(pilot, "as_of")
        await settled(pilot)
        names = [field.name for field in app.screen.query(Input)]
        assert len(names) == len(set(names))
        await pilot.press(*[key for _ in names[1:] for key in ["tab"]])
        send(app, *"2013-02-02", "enter", "0")
        await until(pilot, lambda: screen_name(app) == "run" and "#18" in seen(app))
        assert find_run(database, 18).as_of.isoformat() == "2013-02-02T00:00:00+00:00"


async def test_a_line_feed_is_enter(database: Database, make_app: MakeApp) -> None:
    """A terminal that is not the console's yet makes one of the enter that is typed ahead."""
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        await pilot.press("colon", *"services", "ctrl+j")
        await until_seen(pilot, "services of this home")
        await pilot.press("ctrl+j")
        await until_seen(pilot, "PIPELINES 3")
        await pilot.press("2", "slash", *"state:failed", "ctrl+j")
        await until_seen(pilot, "Runs ▸ state:failed")
        await pilot.press("ctrl+j")
        await until(pilot, lambda: screen_name(app) == "run")


async def test_enter_is_of_the_row_on_which_it_was_pressed(database: Database, make_app: MakeApp) -> None:
    with database.write() as connection:
        connection.execute(update(tables.dataset_state).values(columns={"origin": "string", "temp": "double"}))
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("lineage", "dataset silver.flights"))
        await until_seen(pilot, "▾ ← bronze.weather")
        send(app, "enter", "j")
        await until(pilot, lambda: screen_name(app) == "blueprint")
        app.go(Place("blueprint", "dataset silver.flights", "Columns"))
        await until_seen(pilot, "▸ origin", "▸ temp")
        await until(pilot, lambda: app.focused is app.screen.query_one("#table"))
        send(app, "enter", "j")
        await until_seen(pilot, "▾ origin", "▸ temp")


async def test_a_place_that_is_left_at_once_changes_no_other_screen(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        send(app, "L", "2")
        await until_seen(pilot, "newest first")
        await settled(pilot)
        assert "▸" not in seen(app)


@pytest.mark.parametrize("key", ["d", "f", "m", "space"])
async def test_a_key_that_comes_with_one_that_leads_to_a_definition_does_nothing_to_another_one(
    database: Database, make_app: MakeApp, key: str
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        await pilot.press("5")
        await until_seen(pilot, "Models ▸ late_arrival")
        send(app, "e", key)
        await until_seen(pilot, "Blueprint ▸ models", "Will it arrive more than 15")
        await settled(pilot)
        assert screen_name(app) == "blueprint"
        if key in "df":
            await pilot.press(key)
            await until(pilot, lambda: screen_name(app) != "blueprint")
            await pilot.press("escape")
            await until(pilot, lambda: screen_name(app) == "blueprint")
        await pilot.press("escape", "colon", *"datasets", "enter")
        await until_seen(pilot, "Blueprint ▸ datasets")
        assert "marked" not in seen(app)


async def test_a_form_that_is_left_for_another_tab_is_there_when_one_comes_back(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        await pilot.press("f")
        await until(pilot, lambda: screen_name(app) == "FormScreen")
        app.go(Place("overview"))  # as a key does that was pressed before the form came
        await until_seen(pilot, "PIPELINES 3")
        await pilot.press("3")
        await until(pilot, lambda: screen_name(app) == "FormScreen")
        await pilot.press("escape")
        await until_seen(pilot, "left: nothing to apply")
        await pilot.press("f")
        await until(pilot, lambda: screen_name(app) == "FormScreen")


@pytest.mark.parametrize(
    ("keys", "opened"), [("n", "The key of the new dataset:"), ("c", "like bronze.weather:"), ("R", "bronze.weather:")]
)
async def test_what_is_typed_at_once_after_a_key_that_asks_is_typed_there(
    database: Database, make_app: MakeApp, keys: str, opened: str
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        send(app, "j", keys, "end", *"_ndj2")
        app.post_message(events.Paste("x:"))
        await until_seen(pilot, opened, "_ndj2x:")
        await pilot.press("escape")
        await until(pilot, lambda: screen_name(app) == "blueprint")
        assert app.screen.query_one("#list", Rows).row.key == "bronze.weather"  # type: ignore[union-attr]


async def test_what_is_typed_at_once_after_a_line_is_given_goes_where_that_leads(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        send(app, "slash", *"silver", "enter", "2")
        await until_seen(pilot, "newest first")
        await pilot.press("3")
        await until_seen(pilot, "▸ datasets ▸ silver ", "1–1 of 1")
        send(app, "slash", "ctrl+u", "enter")
        await until_seen(pilot, "1–7 of 7")
        send(app, "colon", *"dataset gold.delay_by_hour", "enter", "m", "m", "2")
        await until_seen(pilot, "newest first")
        await pilot.press("3")
        await until_seen(pilot, "*gold.delay_by_hour")
        assert "nothing is named" not in seen(app)


async def test_what_is_typed_after_enter_is_not_in_the_name_that_was_asked_for(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        send(app, "R", "end", "2", "enter", "3", "4")
        await until_seen(pilot, "renamed to bronze.flights2 ")


async def test_what_is_typed_while_a_definition_is_read_waits_for_what_is_asked_then(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        with reads_held_up(app):
            await pilot.press("j", "R", "end", *"_ndj2")
            assert screen_name(app) == "blueprint"
        await until_seen(pilot, "The new key of dataset bronze.weather:", "bronze.weather_ndj2")
        await pilot.press("escape")
        with reads_held_up(app):
            await pilot.press("k", "R", *"_nd", "escape")
            await until_seen(pilot, "left: nothing")
            await pilot.press("2")
            await until(pilot, lambda: app.current_mode == "runs")
        await until_seen(pilot, "newest first")
        assert screen_name(app) == "runs"


async def test_who_leaves_while_a_definition_is_read_has_the_keys_of_the_screen_one_is_on(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        with reads_held_up(app):
            await pilot.press("j", "R", "_")
            app.go(Place("runs"))  # as a click on its tab does
            await until(pilot, lambda: app.current_mode == "runs")
            await settled(pilot)
            await pilot.press("slash", "x")
            await until(pilot, lambda: app.screen.filtering)  # type: ignore[attr-defined]
        await pilot.press("escape", "3")
        await until_seen(pilot, "▸ datasets")
        assert screen_name(app) == "blueprint"


async def test_what_is_typed_at_once_after_the_key_of_a_form_is_typed_there(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        send(app, "f", "j", "enter", "end", "2", "enter")
        await until_seen(pilot, "dataset bronze.flights  form", "ops2")


@pytest.mark.parametrize(
    ("keys", "typed"),
    [
        (("f", "j", "enter", "ctrl+u", *"data"), "data"),
        (("f", "j", "enter", "end", *"xy", "backspace", "backspace", "2"), "ops2"),
        (("R", "ctrl+u", *"bronze.fleet"), "bronze.fleet"),
        (("slash", *"own:", "left", "delete", *"er:ops", "ctrl+a", "right", *"!"), "/!owner:ops"),
        (("slash", *"one two", "ctrl+w", *"three", "backspace", "e"), "/one three"),
    ],
    ids=["all", "letters", "key", "places", "word"],
)
async def test_keys_that_delete_are_done_before_the_letters_that_follow_them(
    database: Database, make_app: MakeApp, keys: tuple[str, ...], typed: str
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        send(app, *keys)
        await until(pilot, lambda: isinstance(app.focused, Input) and app.focused.value == typed)


@pytest.mark.parametrize("keys", [("f", "j", "enter"), ("R", "ctrl+u"), ("slash",)], ids=["field", "key", "filter"])
async def test_all_lines_of_what_is_pasted_into_a_line_are_in_it(
    database: Database, make_app: MakeApp, keys: tuple[str, ...]
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        send(app, *keys)
        await until(pilot, lambda: isinstance(app.focused, Input))
        app.post_message(events.Paste("one two\r\n\n   three\n"))
        await until(pilot, lambda: isinstance(app.focused, Input) and app.focused.value[-13:] == "one two three")


async def test_esc_and_a_key_that_come_together_are_both_where_nothing_is_typed(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("runs", "state:failed"))
        await until_seen(pilot, "▸ state:failed")
        await pilot.press("alt+4")
        await until(pilot, lambda: app.current_mode == "lineage")
        await pilot.press("2", "slash", "a", "alt+3")
        await until_seen(pilot, "newest first")
        assert app.current_mode == "runs"
        assert app.screen.filtering  # type: ignore[attr-defined]


async def test_a_question_that_one_letter_answers_is_seen_before_a_letter_answers_it(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        send(app, "d", "y")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await settled(pilot)
        assert isinstance(app.screen, Ask)
        await pilot.press("y")
        await until_seen(pilot, "an edit of it waits")


@pytest.mark.parametrize("size", [(80, 24), (120, 30)], ids=["80x24", "120x30"])
async def test_what_leads_elsewhere_says_that_a_form_is_left_first_and_what_is_typed_after_it_does_nothing(
    database: Database, make_app: MakeApp, size: tuple[int, int]
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        app.go(Place("blueprint", "dataset bronze.flights"))
        await until_seen(pilot, "1–7 of 7")
        await until(pilot, lambda: app.screen.definition() is not None)  # type: ignore[attr-defined]
        await pilot.press("f")
        await until_seen(pilot, "dataset bronze.flights  form")
        send(app, "j", "colon", *"datasets", "enter")
        await until_seen(pilot, "esc first, then :")
        await settled(pilot)
        assert not app.screen.state.changed  # type: ignore[attr-defined]
        send(app, "3")
        await until_seen(pilot, "esc first, then 3")
        send(app, "d")
        await until_seen(pilot, "owner is taken out")
        send(app, "colon", "u", "escape")
        await until_seen(pilot, "Leave the form?")
        send(app, "colon", "d", "2")
        await until_seen(pilot, "Leave the form?", "esc first, then :")
        await pilot.pause(PATIENCE_SECONDS)
        send(app, "d")
        await until_seen(pilot, "left: nothing is kept")


async def test_a_digit_is_an_answer_where_it_is_one_and_a_line_of_text_has_every_key(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        answers: list[object] = []
        app.push_screen(Ask("which ?", [("1", "one"), ("2", "two")]), answers.append)
        await settled(pilot)
        send(app, "3")
        await until_seen(pilot, "esc first, then 3")
        send(app, "2")
        await until(pilot, lambda: answers == ["2"])
        app.push_screen(NoteScreen("why ?"), answers.append)
        await settled(pilot)
        await pilot.press(*":3d", "enter")
        await until(pilot, lambda: answers == ["2", ":3d"])


async def test_esc_and_what_leads_elsewhere_that_come_together_leave_a_question_and_lead_there(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        app.push_screen(Ask("really ?", [("y", "do it")]))
        await settled(pilot)
        await pilot.press("alt+2")
        await until_seen(pilot, "newest first")
        app.push_screen(HelpScreen("here", []))
        await settled(pilot)
        send(app, "escape", "colon", *"datasets", "enter")
        await until_seen(pilot, "Blueprint ▸ datasets")
        app.push_screen(Ask("really ?", [("y", "do it")]))
        await settled(pilot)
        await pilot.press("2")
        await until_seen(pilot, "really ?", "esc first, then 2")
