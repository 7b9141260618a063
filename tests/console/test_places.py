"""The way through places: in, back out, and back and forward through what was visited."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.app import PilothouseApp
from console.places import History, Place, Visit
from console.widgets.rows import Rows
from metadata.database import Database
from tests.console.looking import screen_name, until, until_seen

MakeApp = Callable[[], PilothouseApp]


def where(app: PilothouseApp) -> str:
    """The screen, and the tab that it is open in."""
    return f"{screen_name(app)}@{app.current_mode}"


async def test_esc_comes_back_with_the_cursor_where_it_was(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "#14")
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: screen_name(app) == "run")
        await until_seen(pilot, "predict")
        await pilot.press("escape")
        await until(pilot, lambda: screen_name(app) == "runs")
        row = app.screen.query_one(Rows).row
        assert row is not None and row.place == Place("run", "14")


@pytest.mark.parametrize(
    ("way", "back"),
    [
        (("j", "enter", "2"), ("run@overview", "overview@overview")),
        (("j", "enter", "L"), ("run@overview", "overview@overview")),
        (("j", "enter", "e"), ("run@overview", "overview@overview")),
        (("2", "j", "j", "j", "j", "enter", "L"), ("run@runs", "runs@runs", "overview@overview")),
        (("2", "3", "4"), ("blueprint@blueprint", "runs@runs", "overview@overview")),
        (("j", "enter", "e", ":run 14"), ("blueprint@blueprint", "run@overview", "overview@overview")),
        (("j", "enter", "2", ":run 14", "L"), ("run@runs", "runs@runs", "run@overview", "overview@overview")),
    ],
    ids=str,
)
async def test_esc_leads_out_of_wherever_one_has_gone(
    database: Database, make_app: MakeApp, way: tuple[str, ...], back: tuple[str, ...]
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION 4")
        for key in way:
            before = where(app)
            await pilot.press(*(("colon", *key[1:], "enter") if key.startswith(":") else (key,)))
            if key != "j":
                await until(pilot, lambda before=before: where(app) != before)  # type: ignore[misc]
                await pilot.pause(0.3)
        for place in back:
            before = where(app)
            await pilot.press(*["escape"] * (2 if before.startswith("blueprint") else 1))  # kinds, then out
            await until(pilot, lambda before=before: where(app) != before)  # type: ignore[misc]
            assert where(app) == place
        await pilot.press("escape")
        await pilot.pause(0.3)
        assert where(app) == "overview@overview"


async def test_back_and_forward_through_what_was_visited(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "#14")
        app.go(Place("run", "14"))
        await until(pilot, lambda: screen_name(app) == "run")
        await pilot.press("1")
        await until(pilot, lambda: screen_name(app) == "overview")
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: where(app) == "run@runs")
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: screen_name(app) == "runs")
        await pilot.press("right_square_bracket", "right_square_bracket")
        await until(pilot, lambda: screen_name(app) == "overview")


def test_history_forgets_what_lay_ahead() -> None:
    history = History()
    for name in ("overview", "runs", "models"):
        history.visit(Place(name))
    assert history.step(-1) == Visit(Place("runs"), "runs")
    history.visit(Place("runs"))
    history.visit(Place("decisions"))
    assert history.step(1) is None
    assert history.step(-1) == Visit(Place("runs"), "runs")
    assert history.step(-1) == Visit(Place("overview"), "overview")
    assert history.step(-1) is None


def test_leaving_a_place_is_a_step_back_and_what_was_left_lies_ahead() -> None:
    history = History()
    history.visit(Place("blueprint", "pipeline flights"))
    history.visit(Place("run", "14"), "blueprint")
    history.close(Place("blueprint"), "blueprint")
    assert history.step(-1) is None
    assert history.step(1) == Visit(Place("run", "14"), "blueprint")
