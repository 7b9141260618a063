"""The palette: every action of the screen and everything by name, each as the text that it is."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from console import drafts
from console.app import PilothouseApp
from console.places import Place
from metadata import tables
from metadata.database import Database, next_change
from metadata.kinds import Blueprint
from metadata.rows.staged import stage
from metadata.settings import Settings
from metadata.values import utc_now
from tests.console.looking import screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]
ME = getpass.getuser()


async def test_the_palette_finds_actions_and_things(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+p")
        await until_seen(pilot, "launch a pipeline")
        await pilot.press(*"run 13")
        await until(pilot, lambda: seen(app).count("run 13") > 1)  # what was typed, and what was found
        await pilot.press("enter")
        await until(pilot, lambda: screen_name(app) == "run")
        await pilot.press("ctrl+p", *"carrier hour")
        await until_seen(pilot, "pipeline flights", ".sql: carrier")
        await pilot.press("ctrl+u", *"silver fli")
        await until_seen(pilot, "dataset silver.flights")
        await pilot.press("enter")
        await until_seen(pilot, "Blueprint ▸ datasets", "silver.flights")


async def test_the_palette_finds_what_only_the_change_set_has(database: Database, make_app: MakeApp) -> None:
    stage(database, ME, Blueprint.model_validate({"datasets": {"gold.tolls": {"owner": "ada"}}}))
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+p", *"tolls")
        await until_seen(pilot, "dataset gold.tolls", "not applied: it waits in the change set")
        await pilot.press("enter")
        await until(pilot, lambda: screen_name(app) == "changes")
        assert app.screen.subject == "dataset gold.tolls"


async def test_no_key_waits_while_kept_texts_are_looked_through(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def kept(_settings: Settings) -> list[drafts.Kept]:
        threads.append(threading.current_thread())
        return [drafts.Kept("dataset", "silver.flights", Path("x"), utc_now())]

    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        await pilot.press("2")
        await until_seen(pilot, "newest first")
        monkeypatch.setattr(drafts, "kept", kept)
        await pilot.press("ctrl+p")
        await until_seen(pilot, "kept edit of dataset silver.flights")
    assert threading.main_thread() not in threads


async def test_an_author_in_a_reason_is_text(database: Database, make_app: MakeApp) -> None:
    """Whoever shares the database calls himself as he likes."""
    author = "anna[/] [reverse]x[/] \x1b[2J\\[/]"
    with database.write() as connection:
        connection.execute(update(tables.decision).values(released_by=author, released_at=utc_now(), waits=False))
        next_change(connection)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("decisions"))
        await until_seen(pilot, "hold_when_broken")
        await pilot.press("ctrl+p")
        await until_seen(pilot, "the run in which it was decided")
        await pilot.press(*"release")
        await until_seen(pilot, "not now: released by anna[/] [reverse]x[/] \\[/]")
        assert "\x1b" not in seen(app)
