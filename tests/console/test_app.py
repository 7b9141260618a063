"""The grammar of the console: keys, places, filter, jump, palette, and what it says when something is not there."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from console import app as console_app
from console import needing
from console.app import PilothouseApp
from console.jump import find
from console.places import Place
from console.widgets.lines import Lines
from console.widgets.rows import Rows
from metadata import tables
from metadata.database import Database, next_change
from metadata.definitions import load_blueprint
from metadata.documents import read_text
from metadata.rows.runs import find_run
from metadata.rows.staged import stage, stage_rename
from metadata.states import State
from tests.console import seed
from tests.console.looking import screen_name, seen, until, until_seen
from tests.metadata.rows import add_run

MakeApp = Callable[[], PilothouseApp]


async def test_somebody_finds_the_failed_task_its_reason_and_the_key_that_mends_it(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "slash", *"state:failed", "enter")
        await until_seen(pilot, "1–2 of 2")
        await pilot.press("enter")
        await until_seen(pilot, "has_aircraft", "4.1 % of the rows break it", "r run again", "PH221")
        assert app.screen.query_one("#tasks", Rows).row.key == "clean"  # type: ignore[union-attr]
        assert "publish               ⊘ by clean" in seen(app)


async def test_a_run_moves_without_a_key_being_pressed(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", "14"))
        await until_seen(pilot, "6 of 13")
        seed.go_on(database, 14, "predict")
        await until_seen(pilot, "7 of 13")


async def test_a_key_that_is_off_stays_and_says_why(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", "13"))
        await until_seen(pilot, "x cancel", "#13", "PH221")
        await pilot.press("x")
        await until_seen(pilot, "run 13 is failed already")
        assert screen_name(app) == "run"


async def test_cancel_asks_by_name_and_esc_leaves_it(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", "14"))
        await until_seen(pilot, "6 of 13")
        await pilot.press("x")
        await until_seen(pilot, "run 14 of flights")
        await pilot.press("escape")
        assert find_run(database, 14).state is State.RUNNING
        await pilot.press("x")
        await until_seen(pilot, "run 14 of flights")
        await pilot.press("y")
        await until(pilot, lambda: find_run(database, 14).state is State.CANCELLING)
        await until_seen(pilot, "cancelling")


async def test_run_again_asks_what_to_do_again(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("run", "13"))
        await until_seen(pilot, "#13", "PH221")
        await pilot.press("r")
        await until_seen(pilot, "failed only", "all tasks: full ones anew, incremental ones what is new")
        await pilot.press("f")
        await until(pilot, lambda: find_run(database, 13).attempt == 2)
        await until_seen(pilot, "queued")


async def test_the_filter_is_pushed_down_and_its_errors_are_said(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "1–17 of 17")
        await pilot.press("slash", *"pipeline:weather !state:lost", "enter")
        await until_seen(pilot, "1–3 of 3")
        await pilot.press("escape")
        await until_seen(pilot, "1–17 of 17")
        await pilot.press("slash", *"stat:failed", "enter")
        await until_seen(pilot, "PH306", "did you mean state")


async def test_jump_completes_and_names_the_nearest(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("colon", *"run 1", "enter")
        await until_seen(pilot, "backfill_2012", "#1")
        await pilot.press("colon", *"rnu 14", "enter")
        await until_seen(pilot, "nothing is named 'rnu 14'", "run 14")
        await pilot.press("colon", *"ru", "tab", "enter")
        await until(pilot, lambda: screen_name(app) == "runs")


@pytest.mark.parametrize("typed", ["run 13", "run 013", "#13", "#0013"])
def test_a_number_is_that_of_a_run_however_it_is_written(typed: str) -> None:
    assert find(typed) == Place("run", "13")


@pytest.mark.parametrize(
    ("typed", "leads"),
    [
        ("pipelines", Place("blueprint", "pipeline")),
        *((typed, Place("blueprint", "feature_set")) for typed in ("feature-sets", "feature sets", "Feature Set")),
        ("all", Place("blueprint", "all")),
        ("task", Place("blueprint", "pipeline")),
        ("model", Place("models")),
        ("dec", Place("decisions")),
        *((f"blueprint {typed}", Place("blueprint", "decision")) for typed in ("decisions", "decision", "dec")),
        ("Blueprint models", Place("blueprint", "model")),
        ("blueprint feature sets", Place("blueprint", "feature_set")),
        ("blueprint all", Place("blueprint", "all")),
        ("run", Place("runs")),
        ("runs state:failed", Place("runs", "state:failed")),
        ("o", Place("overview")),
    ],
)
def test_a_word_leads_to_the_screen_or_the_kind_of_that_name(typed: str, leads: Place) -> None:
    assert find(typed) == leads


async def test_a_beginning_leads_where_its_only_word_does_and_several_are_named(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("colon", *"pip", "enter")
        await until_seen(pilot, "Blueprint ▸ pipelines", "backfill_2012")
        await pilot.press("colon", *"e", "enter")
        await until_seen(pilot, "nothing is named 'e'")
        await pilot.press("colon", *"d", "enter")
        await until_seen(pilot, "d is how several begin: datasets, decisions")
        await pilot.press("colon", *"sch", "enter")
        await until_seen(pilot, "Blueprint ▸ schedules")
        await pilot.press("colon", *"datasets silver.flights", "enter")
        await until_seen(pilot, "Blueprint ▸ datasets", "silver.flights")
        await pilot.press("colon", *"all", "enter")
        await until_seen(pilot, "Blueprint ▸ definitions", "18 of 18")
        await pilot.press("colon", *"blueprint models", "enter")
        await until_seen(pilot, "Blueprint ▸ models", "late_arrival")
        await pilot.press("colon", *"feature set fl")
        await until_seen(pilot, ":feature set flight_context")
        await pilot.press("tab", "enter")
        await until_seen(pilot, "Blueprint ▸ feature sets", "flight_context")


async def test_a_key_of_any_kind_is_completed_and_leads_there_where_it_is_the_only_one_that_begins_so(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("colon", *"bronze.w")
        await until_seen(pilot, ":bronze.weather")
        await pilot.press("tab", "enter")
        await until_seen(pilot, "Blueprint ▸ datasets", "bronze.weather")
        await pilot.press("colon", *"retrain", "enter")
        await until_seen(pilot, "Blueprint ▸ decisions", "retrain_when_worse")
        await pilot.press("colon", *"bronze.", "enter")
        await until_seen(pilot, "bronze. is how several begin: dataset bronze.flights, dataset bronze.weather")


async def test_a_key_that_only_the_change_set_has_is_completed_and_leads_there_and_one_of_several_kinds_is_said_to_be(
    database: Database, make_app: MakeApp
) -> None:
    owner, there = getpass.getuser(), load_blueprint(database)
    text = "datasets: {silver.fares: {layer: silver}, weather: {layer: gold}, planes: {layer: gold}}"
    stage(database, owner, read_text(text).blueprint)
    stage_rename(database, owner, there.datasets["bronze.weather"].uid, "bronze.winds")
    stage(database, "ada", read_text("datasets: {silver.fowl: {layer: silver}}").blueprint)
    app = make_app()

    def chosen() -> str:
        row = app.screen.query_one("#list", Rows).row
        return str(row.cells[1]) if row is not None else ""

    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION 5")
        await pilot.press("colon", *"silver.fa")
        await until_seen(pilot, ":silver.fares")
        await pilot.press("tab", "enter")
        await until(pilot, lambda: screen_name(app) == "changes" and chosen() == "dataset silver.fares")
        await pilot.press("colon", *"dataset bronze.wi", "enter")
        await until(pilot, lambda: chosen() == "dataset bronze.winds")
        await pilot.press("colon", *"plane", "enter")
        await until(pilot, lambda: chosen() == "dataset planes")
        await pilot.press("colon", *"silver.fo", "enter")
        await until_seen(pilot, "nothing is named 'silver.fo'")
        for typed in ("weather", "weathe"):
            await pilot.press("colon", *typed, "enter")
            await until_seen(pilot, f"{typed} is how several ", ": dataset weather, pipeline weather")
        await pilot.press("colon", *"pipeline weather", "enter")
        await until_seen(pilot, "Blueprint ▸ pipelines")


@pytest.mark.parametrize("typed", ["run ²", "²", "run 99999999999999999999", "#99999999999999999999", "run ١٢"])
async def test_what_is_no_number_of_a_run_leads_nowhere(database: Database, make_app: MakeApp, typed: str) -> None:
    assert find(typed) is None
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("colon", *typed, "enter")
        await until_seen(pilot, "nothing is named")
        assert screen_name(app) == "overview"


async def test_help_lists_the_keys_and_why_one_is_off(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 50)) as pilot:
        app.go(Place("run", "13"))
        await until_seen(pilot, "#13", "PH221")
        await pilot.press("question_mark")
        await until_seen(pilot, "run 13 is failed already", "Everywhere", "Signs", "skipped")


async def test_help_scrolls_by_its_own_keys(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION 4")
        await pilot.press("question_mark")
        await until_seen(pilot, "Keys")
        assert "skipped" not in seen(app)
        await pilot.press("G")
        await until_seen(pilot, "Signs", "skipped")
        await pilot.press("g", "j", "j", "j")
        await until(pilot, lambda: app.screen.query_one(Lines).scroll_offset.y == 3)
        await pilot.press("question_mark")
        await until(pilot, lambda: screen_name(app) == "overview")


async def test_untrusted_text_is_shown_as_it_is(database: Database, make_app: MakeApp) -> None:
    with database.write() as connection:
        connection.execute(
            update(tables.task_run)
            .where(tables.task_run.c.id == seed.uid("task_run", "13", "clean"))
            .values(
                fault={
                    "code": "PH221", "thing": "[red]thing[/]", "cause": "\x1b[2J\x1b[Hgone [link=x]",
                    "remedy": "[/]", "detail": "",
                },
                changed=next_change(connection),
            )
        )  # fmt: skip
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("run", "13"))
        await until_seen(pilot, "[red]thing[/]", "gone [link=x]")
        assert "\x1b" not in seen(app)


def say_line(database: Database, *messages: str) -> None:
    """A task of run 14 says something."""
    row = {"run_id": seed.uid("run", "14"), "attempt": 1, "task_key": "predict", "at": seed.NOW, "level": "WARNING"}
    with database.write() as connection:
        connection.execute(tables.task_log.insert(), [{**row, "message": message} for message in messages])
        next_change(connection)


async def test_the_first_line_takes_the_place_of_what_is_said_instead(database: Database, make_app: MakeApp) -> None:
    with database.write() as connection:
        connection.execute(tables.task_log.delete())
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("run", "14"))
        await until_seen(pilot, "6 of 13")
        await pilot.press("g", "o")
        await until_seen(pilot, "said nothing; lines appear here")
        say_line(database, "the first line")
        await until_seen(pilot, "the first line")
        assert "said nothing" not in seen(app)


async def test_what_is_no_log_begins_at_its_top(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("run", "14"))
        await until_seen(pilot, "6 of 13", "▶ stage 2 of 3  6 of 9")
        await pilot.press("o", "right", "right")
        await until_seen(pilot, "pipeline  flights", "plan ")
        await pilot.press("G")
        await until(pilot, lambda: "pipeline  flights" not in seen(app))
        seed.go_on(database, 14, "watch")
        await pilot.pause(2.5)
        assert "pipeline  flights" not in seen(app)
        await pilot.press("left", "left")
        await until_seen(pilot, "predict begins")


async def test_logs_are_plain_and_follow(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("run", "14"))
        await until_seen(pilot, "6 of 13")
        await pilot.press("g", "o")
        await until_seen(pilot, "[bold red]not markup[/] not red")
        say_line(database, "the newest line")
        await until_seen(pilot, "the newest line")
        await pilot.press("escape")
        await until_seen(pilot, "TASK")


@pytest.mark.parametrize("count", [2_500, 12_000])
async def test_a_log_that_grew_while_it_was_not_looked_at_is_there_to_its_end(
    database: Database, make_app: MakeApp, count: int
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("run", "14"))
        await until_seen(pilot, "6 of 13")
        await pilot.press("g", "o", "question_mark")
        await until(pilot, lambda: screen_name(app) == "HelpScreen")
        say_line(database, *(f"line {at} of many" for at in range(1, count + 1)))
        await until(pilot, lambda: app.session.change == newest_change(database))
        await pilot.press("escape")
        await until_seen(pilot, f"line {count} of many", f"line {count - 5} of many")


def newest_change(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(tables.counter.c.value)).scalar_one())


async def test_an_unknown_run_is_said(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("run", "999"))
        await until_seen(pilot, "there is no such run")


async def test_reasons_of_runs_have_room_on_a_wide_screen(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "no heartbeat for 20 s; its process is gone", "BY          TRIGGER")
        row = next(line for line in seen(app).splitlines() if "#13 " in line)
        assert "operator" in row and "manual" in row


async def test_services_say_since_when_what_is_known_of_them(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION 4", "db●")
        await pilot.press("colon", *"services", "enter")
        await until_seen(pilot, "metadata database  up ")
        assert "up for" not in seen(app)


async def test_empty_screens_name_the_key(empty_database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "No runs yet. l launches a pipeline")
        await pilot.press("l")
        await until_seen(pilot, "There is no pipeline to launch", "esc leave")
        assert "enter choose" not in seen(app)
        await pilot.press("escape", "5")
        await until_seen(pilot, "No models yet", "─ Models ─")


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (160, 48)])
async def test_every_size_has_room_for_the_keys_that_leave(
    database: Database, make_app: MakeApp, size: tuple[int, int]
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("2")
        await until_seen(pilot, "? keys", "q quit", "#14")


async def test_the_overview_says_what_needs_a_person_and_which_key_mends_it(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION 4", "r run again", "a release", "L lineage")
        await until_seen(pilot, "flights #13", "4.1 %", "predict", "6 of 13", "PIPELINES 3", "late_arrival v2")


async def test_the_overview_acts_on_what_needs_a_person(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION 4")
        await pilot.press("j", "r")
        await until_seen(pilot, "run 13 of flights", "failed only")
        await pilot.press("escape", "j", "a")
        await until_seen(pilot, "release what hold_when_broken #6 holds ?")
        await pilot.press("y")
        await until_seen(pilot, "ATTENTION 3")


async def test_what_needs_a_person_is_seen_first_unless_one_comes_back(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needing, "AFTER_CHANGE_SECONDS", 0.0)
    app = make_app()
    async with app.run_test(size=(80, 14)) as pilot:
        await until_seen(pilot, "ATTENTION 4", "1 Overview 4!")
        await pilot.press("G", "2")
        await until_seen(pilot, "1 Overview 4!", "#14")
        await pilot.press("1")
        await until_seen(pilot, "ATTENTION 4")
        await pilot.press("G", "enter")
        await until(pilot, lambda: screen_name(app) == "blueprint")
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: screen_name(app) == "overview")
        await until_seen(pilot, "FRESHNESS")
        assert "ATTENTION" not in seen(app)
        await pilot.press("2")
        await until_seen(pilot, "#14")
        uid = load_blueprint(database).pipelines["backfill_2012"].uid
        add_run(database, uid, "backfill_2012", "failed")
        await until_seen(pilot, "1 Overview 5!")
        await pilot.press("escape")
        await until_seen(pilot, "ATTENTION 5", "backfill_2012 #18")


async def test_what_needs_a_person_is_counted_once_at_a_time(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needing, "AFTER_CHANGE_SECONDS", 0.0)
    monkeypatch.setattr(needing, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(console_app, "LOOK_SECONDS", 0.05)
    gate, asked = threading.Event(), list[str]()
    monkeypatch.setattr(console_app, "needed", lambda _database, settings: gate.wait() and 7)
    app = make_app()
    survey = app.session.store.survey
    monkeypatch.setattr(
        app.session.store, "survey", lambda who, job, query: (asked.append(job), survey(who, job, query))
    )
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "PIPELINES 3")
        await pilot.press("2")
        try:
            await until(pilot, lambda: "needed" in asked)
            await pilot.pause(0.5)
            assert asked.count("needed") == 1
        finally:
            gate.set()
        await until_seen(pilot, "1 Overview 7!")
        await until(pilot, lambda: asked.count("needed") > 1)


async def test_an_empty_overview_says_what_would_be_there(empty_database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "Nothing needs you", "No pipelines yet", "No data yet", "No models yet")


async def test_a_tab_that_was_open_is_painted_when_one_goes_to_it_and_not_50_ms_later(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        for key, words in (("2", "newest first"), ("3", "by key")):
            await pilot.press(key)
            await until_seen(pilot, words)
        app.go(Place("runs"))
        assert app.current_mode == "runs"
        assert not app._batch_count
        app.go(Place("models"))  # a screen that is made now is not shown half
        assert app._batch_count
        await until_seen(pilot, "Models", "1 of 1")
