"""Definitions that are made and not applied yet: they stand above those of their kind."""

from __future__ import annotations

import getpass
from collections.abc import Callable

import pytest
from sqlalchemy import event

from console.app import PilothouseApp
from console.places import Place
from console.screens import listing, paging
from metadata.database import Database
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.rows.staged import apply_staged, load_staged, stage
from metadata.settings import settings
from tests.console.looking import screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]
ME = getpass.getuser()


async def test_what_is_made_and_not_applied_stands_at_the_top_of_its_kind_and_leads_to_its_edit(
    database: Database, make_app: MakeApp
) -> None:
    stage(database, ME, Blueprint.model_validate({"datasets": {"x.y": {"owner": "ada"}}}))
    app = make_app()
    async with app.run_test(size=(140, 30)) as pilot:
        app.go(Place("blueprint", "dataset"))
        await until_seen(pilot, "+ x.y", "It is not applied yet", "bronze.flights")
        assert app.screen.copied() == "x.y"  # type: ignore[attr-defined]
        assert seen(app).index("+ x.y") < seen(app).index("bronze.flights")
        await pilot.press("tab", "g", "c")
        await until_seen(pilot, "it is not applied yet: P leads to it")
        await pilot.press("slash", *"flights")
        await until(pilot, lambda: "+ x.y" not in seen(app))
        await pilot.press("enter", "escape")
        await until_seen(pilot, "+ x.y")
        await pilot.press("g", "P")
        await until_seen(pilot, "change set of", "+ created dataset x.y")
        assert app.screen.subject == "dataset x.y"
        await pilot.press("escape", "enter")
        await until(pilot, lambda: screen_name(app) == "changes")


async def test_what_is_made_is_found_by_a_filter_however_much_there_is_of_it(
    database: Database, make_app: MakeApp
) -> None:
    made = {"datasets": {f"made.d{at:02}": {"owner": "ada"} for at in range(60)}}
    stage(database, ME, Blueprint.model_validate(made))
    app = make_app()
    asked: list[str] = []
    engine = app.session.store.database.engine
    event.listen(engine, "before_cursor_execute", lambda _one, _two, sql, *_rest: asked.append(sql))
    async with app.run_test(size=(140, 70)) as pilot:
        app.go(Place("blueprint", "dataset"))
        await until_seen(pilot, "+ made.d49", "50 of 60 not applied · 1–7 of 7")
        read = [sql for sql in asked if sql.startswith("SELECT staged_item.kind")]
        assert read
        assert all("LIMIT" in sql for sql in read)
        assert "+ made.d50" not in seen(app)
        await pilot.press("slash", *"made", "enter")
        await until_seen(pilot, "+ made.d49", "50 of 60 not applied · 0, by key")
        await pilot.press("slash", "ctrl+u", *"d57", "enter")
        await until_seen(pilot, "+ made.d57")
        assert "+ made.d49" not in seen(app)
        assert "not applied ·" not in seen(app)


@pytest.mark.parametrize(("shown", "key"), [("dataset", "x.y"), ("all", "dataset x.y")])
async def test_the_cursor_goes_with_what_is_applied_meanwhile(
    database: Database, make_app: MakeApp, shown: str, key: str
) -> None:
    stage(database, ME, Blueprint.model_validate({"datasets": {"x.y": {"owner": "ada"}}}))
    app = make_app()
    async with app.run_test(size=(140, 40)) as pilot:
        app.go(Place("blueprint", shown))
        await until_seen(pilot, "+ ", "x.y", "It is not applied yet")
        apply_staged(database, ME, load_staged(database, ME), author=ME, settings=settings())
        await until(pilot, lambda: app.screen.row is not None and app.screen.row.key == key)  # type: ignore[attr-defined]


async def test_one_comes_back_from_the_next_page_to_the_row_that_one_left(
    empty_database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (listing, paging):
        monkeypatch.setattr(module, "MOST", 150)
    many = {"datasets": {f"bronze.d{at:03}": {"layer": "bronze"} for at in range(160)}}
    apply(empty_database, Blueprint.model_validate(many), author="ada", settings=settings())
    made = {"datasets": {f"made.d{at}": {"owner": "ada"} for at in range(3)}}
    stage(empty_database, ME, Blueprint.model_validate(made))
    app = make_app()
    async with app.run_test(size=(140, 30)) as pilot:
        app.go(Place("blueprint", "dataset"))
        await until_seen(pilot, "+ made.d0", "1–100 of 160")
        await pilot.press("G")
        await until_seen(pilot, "1–150 of 160")
        await pilot.press("G", "j")
        await until_seen(pilot, "151–160 of 160", "bronze.d150")
        await pilot.press("k")
        await until_seen(pilot, "1–150 of 160")
        assert app.screen.copied() == "bronze.d149"  # type: ignore[attr-defined]
