"""The smallest terminal: what is said below it, and that there is room for all that is needed in it."""

from __future__ import annotations

from collections.abc import Callable

from console.app import PilothouseApp
from console.form_state import FormState
from console.places import Place
from console.screens.ask import Ask
from console.screens.form import FormScreen
from console.screens.help import HelpScreen
from console.screens.too_small import LEAST, TooSmall
from metadata.database import Database
from metadata.forms import subject_of
from tests.console.looking import reads_held_up, screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]
RULE = "decisions: {late: {description: What it is for, after: drift, when: 'psi.temp >', cooldown: soon}}"


async def test_a_form_with_an_open_rule_has_room_in_the_smallest_terminal_and_below_it_that_is_said(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(LEAST.width, LEAST.height)) as pilot:
        await until_seen(pilot, "ATTENTION", "q quit")
        form = FormState.of(subject_of(RULE))
        app.push_screen(FormScreen(app.session, form, lambda _text: None, ""))
        await until_seen(pilot, "decision late  form", "PH170")
        await pilot.press("slash")
        await until_seen(pilot, "To which field?", "description", "esc leave it")
        await pilot.press("escape", "j", "j", "enter")
        await until_seen(pilot, "psi.temp >", "esc done", "ctrl+s review")
        await pilot.press("1")
        await pilot.resize_terminal(LEAST.width - 1, LEAST.height)
        await until_seen(pilot, "needs at least 50x14, this is 49x14")
        assert "psi.temp" not in seen(app)
        await pilot.press("2")
        await pilot.resize_terminal(LEAST.width, LEAST.height)
        await until_seen(pilot, "psi.temp >1")
        await pilot.press("3", "escape")
        await until(pilot, lambda: form.now.at(("when",)) == "psi.temp >13")


async def test_what_to_do_about_a_rule_that_can_never_decide_is_told_whole_in_80x24(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION", "q quit")
        rule = "decisions: {late: {after: flights, then: {alert: warning}, when: 'rows > \"5\"'}}"
        form = FormState.of(subject_of(rule))
        app.push_screen(FormScreen(app.session, form, lambda _text: None, "", at=("when",)))
        await until_seen(pilot, "PH170", "operation is not", " 0.7 ")


async def test_a_console_that_is_opened_in_too_small_a_terminal_comes_when_there_is_room(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 9)) as pilot:
        await until_seen(pilot, "needs at least 50x14, this is 80x9")
        await pilot.resize_terminal(80, 24)
        await until_seen(pilot, "ATTENTION 4")
        app.go(Place("runs"))
        await until(pilot, lambda: screen_name(app) == "runs")


async def test_the_answers_to_a_question_are_in_view_however_long_its_reason_is(
    empty_database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "PIPELINES")
        app.push_screen(Ask("release what it holds ?", [("y", "release it")], "it is so " * 400))
        await until_seen(pilot, "release what it holds ?", "it is so it is so", "y  release it", "esc  leave it")


async def test_a_question_of_more_lines_than_the_terminal_has_is_gone_through_to_its_last_answer(
    empty_database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(LEAST.width, LEAST.height)) as pilot:
        await until_seen(pilot, "PIPELINES")
        answers = [(str(at), f"go on with the text of {at} minutes ago: owner: ops") for at in range(1, 10)]
        answered: list[str | None] = []
        question = Ask("An edit was not applied", [*answers, ("d", "throw all away")], "~/a.yaml")
        app.push_screen(question, answered.append)
        await until_seen(pilot, "An edit was not applied", "1  go on with")
        assert "esc  leave it" not in seen(app)
        await pilot.press(*["down"] * 20)
        await until_seen(pilot, "d  throw all away", "esc  leave it")
        await pilot.press(*["k"] * 20)
        await until_seen(pilot, "An edit was not applied")
        await pilot.press("9")
        assert answered == ["9"]


async def test_nothing_comes_above_what_says_that_there_is_no_room(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await until_seen(pilot, "ATTENTION")
        with reads_held_up(app):
            await pilot.press("colon", *"gold.delay_by_hour", "enter")
            await pilot.resize_terminal(40, 10)
            await until_seen(pilot, "needs at least")
            await pilot.press("ctrl+p")
        await until(pilot, lambda: app.current_mode == "blueprint")
        await until_seen(pilot, "needs at least")
        assert isinstance(app.screen, TooSmall)
        app.push_screen(HelpScreen("help", []))
        app.go(Place("run", "14"))
        await until(pilot, lambda: len(app.screen_stack) > 2 and isinstance(app.screen, TooSmall))
        await pilot.resize_terminal(100, 30)
        await until_seen(pilot, "#14")
        assert not any(isinstance(one, TooSmall) for one in app.screen_stack)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
