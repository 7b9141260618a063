"""The history of the blueprint: what each revision did, what differs since, and the ways back."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from textual.content import Content

from console.app import PilothouseApp
from console.places import Place
from console.screens import acting, history
from console.screens.review import change_lines
from metadata.changes import Change, differences
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.kinds import Blueprint
from metadata.revision_log import newest_revision
from metadata.revisions import apply
from metadata.rows.history import changes_between
from metadata.settings import settings
from tests.console.looking import held_up, screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]
SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])


def describe(database: Database, words: str, note: str = "", author: str = "ada") -> None:
    document = load_blueprint(database)
    dataset = document.datasets["bronze.flights"].model_copy(update={"description": words})
    changed = document.model_copy(update={"datasets": {**document.datasets, "bronze.flights": dataset}})
    apply(database, changed, author=author, note=note, settings=settings())


def description(database: Database) -> str:
    return load_blueprint(database).datasets["bronze.flights"].description


@SIZES
async def test_u_shows_what_is_taken_back_and_y_does_it_and_ctrl_r_does_it_again(
    database: Database, make_app: MakeApp, size: tuple[int, int]
) -> None:
    before = description(database)
    describe(database, "other words")
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "bronze.flights")
        await pilot.press("u")
        await until_seen(
            pilot, "Undo revision 3", "changed dataset bronze.flights", "other words", "y apply", "esc leave"
        )
        assert "e edit again" not in seen(app)
        await pilot.press("escape")
        await until_seen(pilot, "left: nothing was changed")
        assert description(database) == "other words"
        await pilot.press("u")
        await until_seen(pilot, "y apply")
        await pilot.press("y")
        await until_seen(pilot, "revision 4 is applied: undo revision 3")
        assert description(database) == before
        await pilot.press("ctrl+r")
        await until_seen(pilot, "Do revision 3 again", "y apply")
        await pilot.press("y")
        await until_seen(pilot, "revision 5 is applied: do revision 3 again")
        assert description(database) == "other words"
        await pilot.press("ctrl+r")
        await until_seen(pilot, "PH347", "nothing was undone since the last change")


@pytest.mark.parametrize(("place", "looks"), [("blueprint", "(H)"), ("history", "(enter)")])
async def test_an_undo_that_was_overtaken_does_not_lead_to_an_undo_of_what_somebody_else_did(
    database: Database, make_app: MakeApp, place: str, looks: str
) -> None:
    describe(database, "other words")
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place(place))
        await until_seen(pilot, "bronze.flights")
        await pilot.press("u")
        await until_seen(pilot, "Undo revision 3 of ada", "y apply")
        describe(database, "last words", author="bea")
        await pilot.press("y")
        await until_seen(pilot, "PH303", "revision 4 of bea is the newest by now", f"look at what it did {looks}")
        assert "u undo" not in seen(app).partition("PH303")[2].partition("──")[0]
        await pilot.press("escape", "u")
        await until_seen(pilot, "Undo revision 4 of bea")
    assert description(database) == "last words"


async def test_the_note_of_what_was_overtaken_stands_there_again(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe(database, "other words")
    monkeypatch.setenv("PILOTHOUSE_NOTES", "required")
    settings.cache_clear()
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("history"))
        await until_seen(pilot, "newest first")
        await pilot.press("G", "b")
        await until_seen(pilot, "Go back to revision 1", "y apply")
        await pilot.press("y")
        await until_seen(pilot, "Why?")
        describe(database, "last words", note="needed")
        await pilot.press(*"because", "enter")
        await until_seen(pilot, "PH303", "press    b back to it")
        await pilot.press("escape", "b")
        await until_seen(pilot, "Go back to revision 1", "y apply")
        await pilot.press("y")
        await until_seen(pilot, "Why?", "because")


async def test_keys_while_something_is_checked_are_answered_and_open_no_second_question(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe(database, "other words")
    describe(database, "last words")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("history"))
        await until_seen(pilot, "newest first")
        with held_up(app) as go_on:
            await pilot.press("j", "b", "u")
            await until_seen(pilot, "still checking what was asked for last; esc drops it")
            go_on()
            await until_seen(pilot, "y apply")
        await pilot.press("escape")
        await until_seen(pilot, "left: nothing was changed")
        with held_up(app):
            await pilot.press("u", "escape")
            await until_seen(pilot, "left: nothing was changed")
            assert not app.prepares(app.screen)
            monkeypatch.setattr(acting, "LONG_SECONDS", 0.5)
            await pilot.press("u")
            await until_seen(pilot, "checking for 1 s … esc drops it")
        await until_seen(pilot, "y apply")
        assert "checking" not in seen(app)
        await pilot.press("escape")
        await pilot.pause(0.5)
        assert screen_name(app) == "history"


@SIZES
async def test_the_history_tells_what_each_revision_did_and_leads_back_to_it(
    database: Database, make_app: MakeApp, size: tuple[int, int]
) -> None:
    first = load_blueprint(database, 1)
    describe(database, "other words", note="they [b]asked[/b]")
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "bronze.flights")
        await pilot.press("H")
        await until_seen(pilot, "Blueprint ▸ history", "3 of 3", "dataset bronze.flights")
        await pilot.press("enter")
        await until_seen(pilot, "What it did", "by     ada", "they [b]asked[/b]", "other words")
        await pilot.press("escape", "G", "b")
        await until_seen(pilot, "Go back to revision 1", "y apply")
        await pilot.press("y")
        await until_seen(pilot, "revision 4 is applied: go back to revision 1")
    assert differences(load_blueprint(database), first) == ()


async def test_a_mark_compares_two_revisions_and_without_one_it_is_today(database: Database, make_app: MakeApp) -> None:
    for words in ("third", "fourth", "fifth"):
        describe(database, words)
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place("history"))
        await until_seen(pilot, "5 of 5")
        await pilot.press("j", "j", "right")
        await until_seen(pilot, "revision 3 → today", "description: third → fifth")
        await pilot.press("m", "k")
        await until_seen(pilot, "*3", "revision 3 → 4", "description: third → fourth")
        describe(database, "sixth")
        await until_seen(pilot, "6 of 6")
        await pilot.press("j", "m")
        await until_seen(pilot, "revision 3 → today", "description: third → sixth")


async def test_what_a_revision_did_is_drawn_once_and_not_where_keys_wait_for_it(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[threading.Thread] = []

    def told(change: Change) -> list[Content]:
        drawn.append(threading.current_thread())
        return change_lines(change)

    monkeypatch.setattr(history, "change_lines", told)
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place("history"))
        await until_seen(pilot, "2 of 2", "created schedule flights_monthly")
        described = len(drawn)
        describe(database, "third")
        await until_seen(pilot, "3 of 3")
        await pilot.press("k")
        await until_seen(pilot, "description: Flights")
        assert len(drawn) == described + 1
    assert threading.main_thread() not in drawn


def answers_late(monkeypatch: pytest.MonkeyPatch, *late: threading.Event) -> list[int]:
    """What two revisions differ in is told when these are set, one after another; gives the older one of each look."""
    looks: list[int] = []

    def answered_late(database: Database, older: int, newer: int | None = None) -> tuple[Change, ...]:
        found = changes_between(database, older, newer)
        looks.append(older)
        late[min(len(looks), len(late)) - 1].wait()
        return found

    monkeypatch.setattr(history, "changes_between", answered_late)
    return looks


async def test_what_differs_today_is_read_once_more_where_something_was_applied_meanwhile(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = threading.Event()
    looks = answers_late(monkeypatch, late)
    describe(database, "third")
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place("history"))
        await until_seen(pilot, "3 of 3")
        await pilot.press("right")
        await until(pilot, lambda: bool(looks))
        describe(database, "fourth")
        await until_seen(pilot, "4 of 4", "revision 3 → today")
        late.set()
        await until_seen(pilot, "description: third → fourth")


async def test_what_differs_today_is_told_though_something_comes_before_it_is_read(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [threading.Event(), threading.Event()]
    looks = answers_late(monkeypatch, *late)
    describe(database, "third")
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place("history"))
        await until_seen(pilot, "3 of 3")
        await pilot.press("j", "right")
        await until(pilot, lambda: len(looks) == 1)
        describe(database, "fourth")
        await until_seen(pilot, "4 of 4", "revision 2 → today")
        late[0].set()
        try:
            await until_seen(pilot, "description: Flights", "→ third")
        finally:
            late[1].set()
        await until_seen(pilot, "→ fourth")


async def test_of_much_that_was_changed_the_first_is_told_and_the_command_that_tells_all(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_CHANGES", 2)
    many = {"datasets": {f"x.{name}": {} for name in "abc"}}
    apply(database, Blueprint.model_validate(many), author="bea", settings=settings())
    describe(database, "other words")
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place("history"))
        await until_seen(pilot, "changed dataset bronze.flights")
        assert "and more" not in seen(app)
        await pilot.press("j")
        await until_seen(pilot, "created dataset x.a", "x.b", "and more: pilothouse blueprint log 3 tells all of it")
        assert "x.c" not in seen(app)
        await pilot.press("j", "right")
        await until_seen(pilot, "and more: pilothouse blueprint diff --from 2 tells all of it")
        await pilot.press("m", "k")
        await until_seen(pilot, "and more: pilothouse blueprint diff --from 2 --to 3 tells all of it")


async def test_the_history_of_one_definition_is_a_filter(database: Database, make_app: MakeApp) -> None:
    apply(database, Blueprint.model_validate({"datasets": {"x.y": {}}}), author="bea", settings=settings())
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "ATTENTION")
        await pilot.press("colon", *"history key:x.*", "enter")
        await until_seen(pilot, "history ▸ key:x.*", "1 of 1", "dataset x.y")
        await pilot.press("escape")
        await until_seen(pilot, "3 of 3")
        await pilot.press("escape")
        await until(pilot, lambda: screen_name(app) == "overview")


async def test_an_empty_history_says_how_it_begins(empty_database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("history"))
        await until_seen(pilot, "No revision yet: pilothouse blueprint")
        await pilot.press("b")
        await until_seen(pilot, "there is no revision under the cursor")
        await pilot.press("u")
        await until_seen(pilot, "PH347", "no revision is left that is not undone")
    assert newest_revision(empty_database) == 0
