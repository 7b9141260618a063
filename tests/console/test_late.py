"""Answers that come late: none takes the screen that is in front, and what became of an action is always said."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, cast

import pytest
from sqlalchemy import insert, select

from console import drafts, run_view
from console.app import PilothouseApp
from console.deeds import Asker, Deed, Done
from console.places import Place
from console.screens import blueprint, editing, runs
from console.store import Answered, Glance
from console.widgets.rows import Row, Rows
from metadata import tables
from metadata.database import Database, next_change
from metadata.definitions import load_blueprint
from metadata.errors import UsageError
from metadata.kinds import Blueprint
from metadata.revision_log import newest_revision
from metadata.rows.pages import list_decisions
from metadata.rows.runs import find_run, get_run
from metadata.rows.staged import stage
from metadata.rows.task_runs import TaskRun
from metadata.settings import settings
from metadata.states import State
from metadata.values import utc_now
from tests.console.looking import held_up, on_flights, reads_held_up, screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]


def description(database: Database) -> str:
    return load_blueprint(database).datasets["bronze.flights"].description


def edits_by(folder: Path, monkeypatch: pytest.MonkeyPatch, words: str, others: str) -> None:
    """The editor writes others in the place of some words, and has no terminal."""
    script = folder / "editor.sh"
    script.write_text(f"sed -i 's/{words}/{others}/' $1", encoding="utf-8")
    monkeypatch.setenv("VISUAL", f"sh {script}")
    monkeypatch.setattr(PilothouseApp, "suspend", lambda _app: contextlib.nullcontext())


def stage_other_words(database: Database) -> None:
    dataset = load_blueprint(database).datasets["bronze.flights"].model_copy(update={"description": "other words"})
    stage(database, getpass.getuser(), Blueprint(datasets={"bronze.flights": dataset}))


async def test_a_late_review_waits_until_its_screen_is_seen_again(
    database: Database, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits_by(tmp_path, monkeypatch, "one file a month", "a file every month")
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "Flights as landed")
        with held_up(app) as go_on:
            await pilot.press("e")
            await until_seen(pilot, "checking …")
            app.go(Place("run", "14"))
            await until_seen(pilot, "6 of 13")
            await pilot.press("x")
            await until_seen(pilot, "run 14 of flights")
            go_on()
            await until_seen(pilot, "the edit of dataset bronze.flights is checked; 3 goes on with it")
        assert screen_name(app) == "Ask"
        await pilot.press("y")
        await until(pilot, lambda: find_run(database, 14).state is State.CANCELLING)
        assert "one file a month" in description(database)
        await pilot.press("3")
        await until_seen(pilot, "changed dataset bronze.flights", "y apply")
        await pilot.press("y")
        await until(pilot, lambda: "a file every month" in description(database))


@pytest.mark.parametrize("away", ["2", "1", "H"])
async def test_a_late_review_of_the_change_set_waits_there_whichever_key_leads_away(
    database: Database, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    edits_by(tmp_path, monkeypatch, "other words", "better words")
    stage_other_words(database)
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "ATTENTION")
        await pilot.press("P")
        await until_seen(pilot, "1 edit", "other words")
        with held_up(app) as go_on:
            await pilot.press("e")
            await until_seen(pilot, "checking …")
            await pilot.press(away)
            await until_seen(pilot, "still checking what was asked for last; esc drops it" if away == "1" else " by ")
            if away == "1":  # it led nowhere: nowhere was it visited
                assert app.session.history.visits[app.session.history.at].place == Place("changes")
            go_on()
            if away != "1":
                await until_seen(pilot, "the edit of dataset bronze.flights is checked; 1 goes on with it")
                await pilot.press("1")
        await until_seen(pilot, "better words", "s keep in the change set")
        await pilot.press("s")
        await until_seen(pilot, "kept in the change set")
        await pilot.press("1")
        await until(pilot, lambda: screen_name(app) == "overview")


@pytest.mark.parametrize("well", [True, False])
async def test_a_text_goes_with_its_edit_although_the_screen_was_left_and_stays_where_that_was_not_taken_in(
    database: Database, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, well: bool
) -> None:
    def refuse(*_given: object) -> NoReturn:
        raise UsageError("PH309", "change set", "it was edited elsewhere", "look again")

    edits_by(tmp_path, monkeypatch, "other words", "better words")
    if not well:
        monkeypatch.setattr(editing, "stage", refuse)
    stage_other_words(database)
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "ATTENTION")
        await pilot.press("P")
        await until_seen(pilot, "1 edit", "other words")
        await pilot.press("e")
        await until_seen(pilot, "better words", "s keep in the change set")
        with held_up(app) as go_on:
            await pilot.press("s", "1")
            await until(pilot, lambda: screen_name(app) == "overview")
            assert not drafts.kept(settings())
            go_on()
            await until_seen(pilot, "done: the edit is kept in the change set" if well else "it was edited elsewhere")
        assert [one.key for one in drafts.kept(settings())] == ([] if well else ["bronze.flights"])
        assert [*(settings().home / "drafts").iterdir()] == [] or not well


async def test_a_review_that_cannot_be_shown_is_told_and_the_next_edit_does_not_wait_for_it(
    database: Database, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object, **_named: object) -> NoReturn:
        raise OverflowError("cannot convert float infinity to integer")

    edits_by(tmp_path, monkeypatch, "one file a month", "a file every month")
    app = make_app()
    async with on_flights(app) as pilot:
        with monkeypatch.context() as patch:
            patch.setattr("console.screens.review.ReviewScreen.__init__", broken)
            await pilot.press("e")
            await until_seen(pilot, "OverflowError", "the text is kept, e goes on with it")
        await pilot.press("escape", "e")
        await until_seen(pilot, "An edit of dataset bronze.flights was not applied")
        await pilot.press("e")
        await until_seen(pilot, "a file every month", "y apply")


async def test_a_late_run_again_leads_nowhere_but_is_said(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", "13"))
        await until_seen(pilot, "PH221")
        with held_up(app) as go_on:
            await pilot.press("r")
            await until_seen(pilot, "failed only")
            await pilot.press("f", "2")
            await until_seen(pilot, "newest first")
            go_on()
            await until_seen(pilot, "done: run 13 of flights again")
        assert screen_name(app) == "runs"
        assert find_run(database, 13).attempt == 2


async def test_a_launch_whose_form_was_left_is_said_when_it_is_done_and_when_it_is_not(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        for month, full, told in (("2013-02", "true", "done: launch flights"), ("2013-03", "maybe", "PH509")):
            app.go(Place("run", "12"))
            await until_seen(pilot, "#12", "13 of 13")
            with held_up(app) as go_on:
                await pilot.press("l")
                await until_seen(pilot, "launch flights", "as_of")
                await pilot.press("ctrl+u", *month, "tab", "ctrl+u", *full, "enter")
                await until_seen(pilot, "launching …")
                await pilot.press("escape")
                await until(pilot, lambda: screen_name(app) == "run")
                go_on()
                await until_seen(pilot, told)
            assert screen_name(app) == "run"
            assert "#12" in seen(app)
        assert find_run(database, 18).bindings["month"] == "2013-02"


async def test_a_late_jump_closes_nothing_that_was_opened_meanwhile(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        await until(pilot, lambda: "db●" in seen(app) and app.session.store._reads._jobs.empty())
        await pilot.pause(0.1)  # what the first look at the database has read anew is there
        with reads_held_up(app):
            await pilot.press("colon", *"silver.flights", "enter", "n")
            await until(pilot, lambda: screen_name(app) == "NoteScreen")
        await until(pilot, lambda: app.session.store._reads._jobs.empty())
        await pilot.pause(0.1)
        assert screen_name(app) == "NoteScreen"
        await pilot.press("escape")
        with reads_held_up(app):
            await pilot.press("colon", *"gold.delay_by_hour", "enter", "2")
        await until(pilot, lambda: app.session.store._reads._jobs.empty())
        await until_seen(pilot, "newest first")
        await pilot.pause(0.1)
        assert screen_name(app) == "runs"


async def test_a_late_jump_does_not_lead_away_from_what_is_typed_meanwhile(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        await until(pilot, lambda: "db●" in seen(app) and app.session.store._reads._jobs.empty())
        with reads_held_up(app):
            await pilot.press("colon", *"gold.delay_by_hour", "enter", "slash", *"silver")
        await until(pilot, lambda: app.session.store._reads._jobs.empty())
        await pilot.press(*".fl", "enter")
        await until_seen(pilot, "Blueprint ▸ datasets ▸ silver.fl", "1–1 of 1")


async def test_keys_are_taken_again_where_what_was_to_be_edited_is_left(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", "false")
    app = make_app()
    async with on_flights(app) as pilot:
        with reads_held_up(app):
            await pilot.press("j", "e")
            app.go(Place("blueprint", "dataset gold.delay_by_hour"))
        await until(pilot, lambda: app.screen.query_one("#list", Rows).row.key == "gold.delay_by_hour")  # type: ignore[union-attr]
        await until_seen(pilot, "layer: gold")
        await pilot.press("2")
        await until_seen(pilot, "newest first")


async def test_no_key_acts_on_the_row_before_while_the_one_that_one_comes_for_is_looked_for(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        await until(pilot, lambda: "db●" in seen(app) and app.session.store._reads._jobs.empty())
        with reads_held_up(app):
            app.go(Place("blueprint", "dataset gold.delay_by_hour"))
            await until(pilot, lambda: app.screen._wanted == "gold.delay_by_hour")  # type: ignore[attr-defined]
            for keys in ("m", " ", "d", "R_nd2", "e", "f"):
                await pilot.press(*(key.replace(" ", "space") for key in keys))
                await until_seen(pilot, "looking for gold.delay_by_hour")
                await pilot.press("enter")
                assert screen_name(app) == "blueprint"
        await until_seen(pilot, "layer: gold")
        assert "marked" not in seen(app) and "±" not in seen(app)
        await pilot.press("R", "end", *"_2")
        await until_seen(pilot, "The new key of dataset gold.delay_by_hour:", "gold.delay_by_hour_2")


async def test_while_a_place_is_looked_for_that_takes_long_no_key_acts_on_the_row_before(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with on_flights(app) as pilot:
        await until(pilot, lambda: "db●" in seen(app) and app.session.store._reads._jobs.empty())
        with reads_held_up(app):
            await pilot.press("colon", *"gold.delay_by_hour", "enter", "d")
            await until_seen(pilot, "looking for what was given")
            assert screen_name(app) == "blueprint"
        await until_seen(pilot, "layer: gold")
        assert screen_name(app) == "blueprint"


async def test_what_could_not_be_read_is_read_again_for_a_key_that_needs_it(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_given: object) -> NoReturn:
        raise UsageError("PH301", "metadata database", "it is locked", "wait")

    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        with monkeypatch.context() as patch:
            patch.setattr(blueprint, "read_detail", locked)
            app.go(Place("blueprint", "dataset bronze.flights"))
            await until_seen(pilot, "PH301")
        await pilot.press("f")
        await until(pilot, lambda: screen_name(app) == "FormScreen")


async def test_leaving_waits_for_what_was_asked_for(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", "14"))
        await until_seen(pilot, "6 of 13")
        with held_up(app) as go_on:
            await pilot.press("x")
            await until_seen(pilot, "run 14 of flights")
            await pilot.press("y", "q")
            await until_seen(pilot, "leaving as soon as it is done: cancel run 14 of flights")
            go_on()
            await until(pilot, lambda: app._exit)
    assert find_run(database, 14).state is State.CANCELLING


async def test_leaving_does_not_wait_for_ever_and_says_what_was_not_done(
    database: Database, make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", "14"))
        await until_seen(pilot, "6 of 13")
        with held_up(app):
            await pilot.press("x")
            await until_seen(pilot, "run 14 of flights")
            await pilot.press("y", "q")
            await until(pilot, lambda: app._exit, seconds=10)
            app._print_error_renderables()
            assert "before this was done" in capsys.readouterr().err


async def test_each_of_several_holds_of_a_run_is_released_by_its_name(database: Database, make_app: MakeApp) -> None:
    (first, *_) = list_decisions(database, "").items
    decision = tables.decision
    with database.write() as connection:
        row = dict(connection.execute(select(decision).where(decision.c.id == first.id)).mappings().one())
        row.update(id="another", number=7, rule_uid="another", rule_key="another_rule", changed=next_change(connection))
        connection.execute(insert(decision).values(**row))
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", str(get_run(database, first.run_id).number)))
        await until_seen(pilot, "whole run")
        await pilot.press("a")
        await until_seen(pilot, "hold_when_broken #6", "another_rule #7")
        shown = next(line for line in seen(app).splitlines() if "another_rule #7" in line)
        await pilot.press("1" if " 1 " in shown else "2")
        await until(pilot, lambda: [one.number for one in list_decisions(database, "").items if one.waits] == [6])
        await pilot.press("a")
        await until_seen(pilot, "release what hold_when_broken #6 holds ?")


async def test_a_row_that_cannot_be_drawn_is_told_and_the_console_goes_on(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Row:
        raise OverflowError("cannot convert float infinity to integer")

    app, row = make_app(), runs.run_row
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "1–17 of 17")
        monkeypatch.setattr(runs, "run_row", broken)
        await until_seen(pilot, "PH802", "OverflowError: cannot convert float infinity", "the console goes on")
        await pilot.press("escape")
        await pilot.pause(1.5)
        assert "PH802" not in seen(app)
        monkeypatch.setattr(runs, "run_row", row)
        app.screen.reload()  # type: ignore[attr-defined]
        await until(pilot, lambda: not app.screen._broken)  # type: ignore[attr-defined]
        monkeypatch.setattr(runs, "run_row", broken)
        await until_seen(pilot, "PH802")
        monkeypatch.setattr(runs, "run_row", row)
        app.screen.reload()  # type: ignore[attr-defined]
        await until(pilot, lambda: "PH802" not in seen(app))


@pytest.fixture
def clean_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cells of one task cannot be made."""

    def broken(task: TaskRun, *_: object, **__: object) -> tuple[str, ...]:
        if task.task_key == "clean":
            raise OverflowError("cannot convert float infinity to integer")
        return (task.task_key, "", "", "", "")

    monkeypatch.setattr(run_view, "_cells", broken)


async def test_cells_that_cannot_be_made_when_they_are_looked_at_are_told_and_the_console_goes_on(
    database: Database, make_app: MakeApp, clean_cannot_be_drawn: None
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", "14"))
        await until_seen(pilot, "PH802", "OverflowError: cannot convert float", "ingest_flights", "predict")
        await pilot.press("escape")
        await pilot.resize_terminal(80, 24)
        await pilot.press("G", "g")
        await pilot.pause(2.5)
        assert "PH802" not in seen(app)
        await until_seen(pilot, "cannot be shown", "ingest_flights")


async def test_a_filter_shows_what_it_finds_although_a_row_cannot_be_drawn(
    database: Database, make_app: MakeApp, clean_cannot_be_drawn: None
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", "14"))
        await until_seen(pilot, "PH802", "ingest_flights", "predict")
        await pilot.press("escape", "slash", *"ingest", "enter")
        await until(pilot, lambda: "summarise" not in seen(app))
        await until_seen(pilot, "ingest_flights", "cannot be shown")


def lines() -> set[str]:
    """Threads of consoles that are still there."""
    return {one.name for one in threading.enumerate()} & {"reader", "actions", "looks", "glances"}


async def test_what_reads_much_holds_up_no_action(database: Database, make_app: MakeApp) -> None:
    app, gate, acted = make_app(), threading.Event(), threading.Event()
    async with app.run_test() as pilot:
        await until(pilot, lambda: bool(seen(app)))
        app.session.store.act(app, gate.wait, lambda value, _: Answered("gate", value), reads_much=True)
        app.session.store.act(app, acted.set, lambda value, _: Answered("gate", value))
        await until(pilot, acted.is_set)
        gate.set()


@pytest.mark.parametrize("keys", [("3", "u"), ("P", "a")])
async def test_a_run_is_cancelled_while_what_changes_the_blueprint_is_applied(
    database: Database, make_app: MakeApp, keys: tuple[str, str]
) -> None:
    stage_other_words(database)
    app, gate, before = make_app(), threading.Event(), newest_revision(database)
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "ATTENTION")
        await pilot.press(keys[0])
        await until_seen(pilot, "bronze.flights")
        await pilot.press(keys[1])
        await until_seen(pilot, "y apply")
        app.session.store.act(app, gate.wait, lambda value, _: Answered("gate", value), reads_much=True)
        await pilot.press("y", *(["enter"] if keys[1] == "a" else []))
        await until(pilot, lambda: bool(app._deeds.under_way))
        app.go(Place("run", "14"))
        await until_seen(pilot, "6 of 13")
        await pilot.press("x")
        await until_seen(pilot, "run 14 of flights")
        await pilot.press("y")
        await until(pilot, lambda: find_run(database, 14).state is State.CANCELLING)
        assert newest_revision(database) == before
        gate.set()
        await until(pilot, lambda: newest_revision(database) == before + 1)


async def test_a_tab_is_painted_once_it_has_rows_or_without_them_where_they_take_long(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        await until(pilot, lambda: app.session.store._reads._jobs.empty())
        with reads_held_up(app):
            await pilot.press("2")
            await until(pilot, lambda: not app._batch_count)
            assert "newest first" not in seen(app)
        await until_seen(pilot, "newest first")
        await pilot.press("3", "4", "1")
        await until(pilot, lambda: not app._batch_count)


async def test_no_screen_waits_for_the_first_one(database: Database, make_app: MakeApp) -> None:
    app, gate = make_app(), threading.Event()
    async with app.run_test(size=(100, 30)) as pilot:
        await until_seen(pilot, "ATTENTION 4")
        app.session.store.survey(app, "gate", lambda _database: gate.wait())
        await pilot.press("2")
        await until_seen(pilot, "newest first")
        gate.set()


async def test_what_nobody_waits_for_any_more_is_not_asked(database: Database, make_app: MakeApp) -> None:
    app, gate = make_app(), threading.Event()
    ran: list[int] = []
    async with app.run_test() as pilot:
        await until(pilot, lambda: bool(seen(app)))
        ask = app.session.store.ask
        first = asyncio.ensure_future(ask(lambda _database: gate.wait()))
        second = asyncio.ensure_future(ask(lambda _database: ran.append(2)))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        gate.set()
        await first
        await ask(lambda _database: ran.append(3))
        assert ran == [3]


@pytest.mark.parametrize("painted", [True, False])
async def test_the_threads_of_a_console_end_with_it_and_what_was_asked_for_is_done_first(
    database: Database, make_app: MakeApp, painted: bool
) -> None:
    app, done = make_app(), threading.Event()
    async with app.run_test(size=(80, 24)) as pilot:
        if painted:
            await until_seen(pilot, "ATTENTION 4")
            assert lines() == {"reader", "actions", "looks", "glances"}
            app.session.store.read(app, "slow", lambda _database: (time.sleep(0.5), done.set()))
    for _ in range(100):
        if not lines():
            break
        await asyncio.sleep(0.1)
    assert lines() == set()
    assert done.is_set() is painted


async def test_what_is_answered_when_the_screens_are_gone_is_let_go(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION")
        deed = Deed(cast("Asker", app.screen), "released", "it is released")
        app._deeds.begin(deed)
    assert not app.screen_stack
    app.on_done(Done(deed, None, None))
    assert not app._deeds.under_way
    app.on_answered(Answered("glance", Glance(1, 2, 3, 4, utc_now())))
    assert app.session.standing.waiting == 3


async def test_rows_come_although_the_first_screen_was_never_painted(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a key opens another one at once: what waits for the paint of the first is then never called."""
    monkeypatch.setattr(PilothouseApp, "call_after_refresh", lambda *_: True)
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", "14"))
        await until_seen(pilot, "6 of 13")
