"""Answers that come while a filter or a place is typed: none takes the next letter."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from console.app import PilothouseApp
from metadata.database import Database
from metadata.definitions import load_blueprint
from tests.console.looking import held_up, screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]


async def test_what_would_open_waits_until_nothing_is_typed(
    database: Database, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, opened = tmp_path / "editor.sh", tmp_path / "opened"
    script.write_text(f"sed -i 's/one file a month/a file every month/' $1; touch {opened}", encoding="utf-8")
    monkeypatch.setenv("VISUAL", f"sh {script}")
    monkeypatch.setattr(PilothouseApp, "suspend", lambda _app: contextlib.nullcontext())
    app = make_app()

    def answered() -> bool:
        return not app._deeds.under_way

    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "Flights as landed")
        await pilot.press("c")
        await until(pilot, lambda: screen_name(app) == "NoteScreen")
        with held_up(app) as go_on:
            await pilot.press("end", *"_b", "enter")
            await until(pilot, lambda: screen_name(app) == "blueprint")
            await pilot.press("slash", *"fl")
            go_on()
            await until(pilot, answered)
            await pilot.press("i")
            assert not opened.exists()
        await pilot.press("escape")
        await until(pilot, opened.exists)
        await until_seen(pilot, "created dataset bronze.flights_b")
        await pilot.press("escape")
        await until_seen(pilot, "the text is kept")
        with held_up(app) as go_on:
            await pilot.press("e")
            await until_seen(pilot, "checking …")
            await pilot.press("slash", *"bronze.fl")
            go_on()
            await until(pilot, answered)
            await pilot.press("y")
            assert "/bronze.fly" in seen(app)
            await pilot.press("backspace", "enter")
        await until_seen(pilot, "changed dataset bronze.flights", "y apply")
        await pilot.press("escape")
        await until_seen(pilot, "the text is kept", "▸ bronze.fl")
        with held_up(app) as go_on:
            await pilot.press("e")
            await until(pilot, lambda: screen_name(app) == "Ask")
            await pilot.press("e")
            await until_seen(pilot, "checking …")
            await pilot.press("colon", *"sil")
            go_on()
            await until(pilot, answered)
            await pilot.press("x", "enter")
        await until_seen(pilot, "changed dataset bronze.flights", "y apply")
    assert "one file a month" in load_blueprint(database).datasets["bronze.flights"].description
