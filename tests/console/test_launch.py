"""The form that launches a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import update
from textual.containers import VerticalScroll
from textual.widget import AwaitMount, Widget
from textual.widgets import Input

from console.app import PilothouseApp
from console.places import Place
from metadata import tables
from metadata.database import Database, next_change
from metadata.documents import read_text
from metadata.revisions import apply
from metadata.rows.runs import find_run
from metadata.settings import settings
from tests.console.looking import screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]


async def test_a_launch_form_fills_in_nothing_that_a_terminal_would_obey(database: Database, make_app: MakeApp) -> None:
    with database.write() as connection:
        connection.execute(update(tables.run).values(bindings={"month": "\x1b]0;owned\x07x", "full": True}))
        next_change(connection)
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", "12"))
        await until_seen(pilot, "#12", "13 of 13")
        await pilot.press("l")
        await until_seen(pilot, "launch flights", "month", "true")
        assert "\x1b" not in seen(app)
        assert all(field.value.isprintable() for field in app.screen.query(Input))


async def test_a_launch_form_that_is_left_while_it_is_made_is_left(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = VerticalScroll.mount_all

    def left_meanwhile(fields: VerticalScroll, widgets: Sequence[Widget]) -> AwaitMount:
        mounted = made(fields, widgets)
        fields.screen.action_leave()  # type: ignore[attr-defined]
        return mounted

    monkeypatch.setattr(VerticalScroll, "mount_all", left_meanwhile)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        await pilot.press("l")
        await until_seen(pilot, "launch which pipeline?", "weather", "flights")
        await pilot.press("escape")
        await until_seen(pilot, "PIPELINES 3")


async def test_launching_asks_for_the_parameters_and_keeps_what_was_typed(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        await pilot.press("l")
        await until_seen(pilot, "launch weather", "as_of", " now, or 2024-05-04T06:00Z ", " the instant it speaks for")
        await pilot.press("escape")
        await until_seen(pilot, "launch which pipeline?", "weather", "flights")
        await pilot.press("escape")
        app.go(Place("run", "12"))
        await until_seen(pilot, "#12", "13 of 13")
        await pilot.press("l")
        await until_seen(pilot, "launch flights", "month", "full", "as_of")
        await pilot.press(*"2013-02", "tab", "ctrl+u", *"maybe", "enter")
        await until_seen(pilot, "PH509", "2013-02", "maybe")
        await pilot.press("ctrl+u", *"true", "tab", *"2013-02-02", "enter")
        await until(pilot, lambda: screen_name(app) == "run" and "#18" in seen(app))
        run = find_run(database, 18)
        assert run.bindings == {"month": "2013-02", "full": True}
        assert run.as_of.isoformat() == "2013-02-02T00:00:00+00:00"
        await until_seen(pilot, "queued")


LONG = "what it is for and why it matters"


def many_parameters(database: Database, count: int) -> None:
    """A pipeline with so many."""
    lines = [f"      par{at:02}: {{type: int, default: {at}, description: {LONG}}}" for at in range(count)]
    task = "      t: {kind: transform, to: b.many, sql: 'SELECT * FROM bronze.flights'}"
    head = ("datasets:", "  b.many: {storage: {mode: overwrite}}", "pipelines:", "  many:", "    parameters:")
    document = "\n".join((*head, *lines, "    tasks:", task))
    apply(database, read_text(document, "x").blueprint, author="a", note="", settings=settings())


@pytest.mark.parametrize("count", [3, 20])
async def test_what_is_wrong_is_told_in_full_beside_any_number_of_parameters(
    database: Database, make_app: MakeApp, count: int
) -> None:
    many_parameters(database, count)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", "pipeline many"))
        await until_seen(pilot, "many", "l launch")
        await pilot.press("l")
        await until_seen(pilot, "launch many", "par00", "tab next field")
        await pilot.press("tab", "ctrl+u", *"maybe", *["tab"] * count, "enter")
        await until_seen(pilot, "PH509", "'maybe'", "remedy", "press    enter launch again", "esc another pipeline")
        await until(pilot, lambda: app.focused is not None and app.focused.name == "par01")
        assert "par01" in seen(app)
