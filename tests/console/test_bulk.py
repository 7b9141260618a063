"""Bulk edits: rows are marked, a field is changed on all of them, they are removed or switched; `blueprint set`."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event
from textual import events
from textual.pilot import Pilot

from console.app import PilothouseApp
from console.bulk import review_edited
from console.edit import review_staged
from console.places import Place
from console.screens import bulk
from console.widgets.rows import Rows
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import UsageError
from metadata.kinds import Blueprint
from metadata.revision_log import edits_of, newest_revision
from metadata.revisions import apply
from metadata.rows.staged import load_staged, stage_removal
from metadata.settings import settings
from tests.console.looking import held_up, reads_held_up, seen, until, until_seen
from tests.console.running import Commands

MakeApp = Callable[[], PilothouseApp]
ME = getpass.getuser()


def waiting(database: Database) -> Blueprint:
    return load_staged(database, ME).working.blueprint


async def test_fields_are_changed_on_all_that_is_marked_and_taken_out_again(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", "dataset bronze.flights"))
        await until_seen(pilot, "1–7 of 7")
        await pilot.press("b")
        await until_seen(pilot, "nothing is marked: m marks a row, M all that the filter matches")
        await pilot.press("m", "m")
        await until_seen(pilot, "2 marked", "*bronze.flights", "*bronze.weather", "b change")
        await pilot.press("k", "m")
        await until_seen(pilot, "1 marked", " bronze.weather", "*bronze.flights")
        await pilot.press("escape")
        await until_seen(pilot, " bronze.flights")
        assert app.focused is app.screen.query_one("#list")
        await pilot.press("slash", *"owner:ops", "enter")
        await until_seen(pilot, "▸ owner:ops", "of 3")
        await pilot.press("M")
        await until_seen(pilot, "3 marked; esc lets go of them")

        await pilot.press("b")
        await until_seen(pilot, "Change a field on 3 datasets", "storage.mode", "enabled")
        await pilot.press(*"fresh", "enter")
        await until_seen(pilot, "fresh_within of 3 datasets", "Age at which it is called stale.")
        await pilot.press("ctrl+u", *"2 fortnights", "enter")
        await until_seen(pilot, "'2 fortnights' is no duration")
        await pilot.press(*["backspace"] * 10, "d", "enter")
        await until_seen(pilot, "3 datasets: fresh_within", "→ 2 d", "~ changed dataset bronze.flights")
        await pilot.press("y")
        await until_seen(pilot, "3 edits are in the change set", "Blueprint ±3", "owner:ops")
        assert "marked" not in seen(app)
        assert [waiting(database).datasets[key].fresh_within for key in ("bronze.flights", "silver.flights")] == [
            "2 d",
            "2 d",
        ]

        await pilot.press("M", "b")
        await until_seen(pilot, "Change a field on 3 datasets")
        await pilot.press(*"schema", "enter")
        await until_seen(pilot, "schema_drift of 3 datasets", "evolve")
        await pilot.press("enter")
        await until_seen(pilot, "nothing differs: all of them have schema_drift fail", "3 marked")

        await pilot.press("P")
        await until_seen(pilot, "3 edits", "dataset bronze.flights")
        await pilot.press("m", "m", "d")
        await until_seen(pilot, "Take 2 marked edits out of the change set? They are not kept.")
        await pilot.press("y")
        await until_seen(pilot, "1 edit", "Blueprint ±1")
    assert newest_revision(database) == 2
    assert [item.key for item in load_staged(database, ME).items] == ["silver.flights"]


async def test_all_that_is_marked_is_removed_or_switched_after_one_question(
    database: Database, make_app: MakeApp
) -> None:
    spare = {f"spare.d{number}": {"owner": "bi"} for number in range(3)}
    apply(database, Blueprint.model_validate({"datasets": spare}), author="ada", settings=settings())
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", "dataset bronze.flights"))
        await until_seen(pilot, "of 10")
        await pilot.press("slash", *"owner:bi", "enter")
        await until_seen(pilot, "▸ owner:bi", "of 4")
        await pilot.press("M", "d")
        await until_seen(pilot, "Remove 3 datasets?", "1 dataset stays, it is used: gold.delay_by_hour")
        await pilot.press("y")
        await until_seen(pilot, "kept in the change set", "±3", "1 marked")
        await pilot.press("d")
        await until_seen(pilot, "nothing can be removed: 1 dataset stays, it is used: gold.delay_by_hour")
        app.go(Place("blueprint", "schedule flights_monthly"))
        await until_seen(pilot, "1–2 of 2", "space on/off")
        await pilot.press("space")
        await until_seen(pilot, "1 schedule switched off in the change set", "±4")
        await pilot.press("M", "space")
        await until_seen(pilot, "1 schedule switched off in the change set", "±5")
        assert "marked" not in seen(app)
        await pilot.press("M", "space")
        await until_seen(pilot, "2 schedules switched on in the change set", "±3")
    assert not any(key in waiting(database).datasets for key in spare)
    assert "gold.delay_by_hour" in waiting(database).datasets


async def test_what_is_marked_and_not_in_view_is_named_before_a_key_reaches_it(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", "schedule flights_monthly"))
        await until_seen(pilot, "1–2 of 2")
        first, last = (row.key for row in app.screen.query_one("#list", Rows).rows)
        await pilot.press("g", "m", "slash", *last, "enter")
        await until(pilot, lambda: [row.key for row in app.screen.query_one("#list", Rows).rows] == [last])
        await pilot.press("space")
        await until_seen(pilot, "Switch 1 schedule, all that is marked?", f"{first} (1 not in")
        await pilot.press("escape", "d")
        await until_seen(pilot, f"Remove 1 schedule? {first} (1 not in", "It goes")
        await pilot.press("escape")
        assert not load_staged(database, ME).items
        await pilot.press("m", "space")
        await until_seen(pilot, "Switch 2 schedules, all that is marked?", f"{first},", f"{last} (1 not in")
        await pilot.press("y")
        await until_seen(pilot, f"2 schedules switched off in the change set: {first}, {last}; P")


async def test_marks_over_several_filters_are_changed_at_once_and_are_none_for_whoever_comes_for_another_one(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("blueprint", "dataset bronze.flights"))
        await until_seen(pilot, "1–7 of 7")
        for words, count in (("key:bronze.weather", 1), ("key:gold.*", 2)):
            await pilot.press("slash", "ctrl+u", *words, "enter")
            await until_seen(pilot, f"▸ {words}", "1–1 of 1")
            await pilot.press("M")
            await until_seen(pilot, f"{count} marked; esc lets go of them")
        app.go(Place("lineage"))
        await until_seen(pilot, "Lineage ▸")
        await pilot.press("3")
        await until_seen(pilot, "2 marked · ", "▸ key:gold.*")

        with reads_held_up(app):
            await pilot.press("colon", *"dataset silver.flights", "enter", "space")
            await until_seen(pilot, "looking for what was given")
        await until_seen(pilot, "2 are marked no more", "1–7 of 7")
        await pilot.press("d")
        await until_seen(pilot, "Remove dataset silver.flights?")
    assert not load_staged(database, ME).items


async def nothing_is_done_by(pilot: Pilot[None], early: list[events.Key], database: Database) -> None:
    """Keys of before a row came under the cursor are refused."""
    for key in early:
        pilot.app.post_message(key)
        await until_seen(pilot, "another row has come under the cursor just now: look, and press again")
        await pilot.press("question_mark", "escape")
    assert "marked" not in seen(pilot.app)
    assert not load_staged(database, ME).items


async def test_a_key_that_was_pressed_before_another_row_came_under_the_cursor_is_not_for_that(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", "schedule flights_monthly"))
        await until_seen(pilot, "1–2 of 2")
        rows = app.screen.query_one("#list", Rows)
        early = [events.Key("space", " "), events.Key("m", "m")]
        assert rows.row is not None
        gone, blueprint = rows.row.key, load_blueprint(database)
        left = {key: value for key, value in blueprint.schedules.items() if key != gone}
        less = blueprint.model_copy(update={"schedules": left})
        apply(database, less, author="ada", prune=True, settings=settings())
        await until(pilot, lambda: [row.key for row in rows.rows] == list(left))
        await nothing_is_done_by(pilot, early, database)
        await pilot.press("space")
        await until_seen(pilot, f"1 schedule switched off in the change set: {next(iter(left))}")


async def test_a_key_that_was_pressed_before_the_cursor_was_put_on_a_row_is_not_for_that(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", "schedule flights_monthly"))
        await until_seen(pilot, "1–2 of 2")
        rows = app.screen.query_one("#list", Rows)
        early = [events.Key("space", " "), events.Key("m", "m")]
        app.go(Place("blueprint", "schedule weather_hourly"))
        await until(pilot, lambda: rows.row is not None and rows.row.key == "weather_hourly")
        await nothing_is_done_by(pilot, early, database)


async def test_a_late_removal_lets_go_of_its_own_marks(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", "schedule flights_monthly"))
        await until_seen(pilot, "1–2 of 2")
        await pilot.press("M", "d")
        await until_seen(pilot, "Remove 2 schedules?")
        with held_up(app):
            await pilot.press("y")
            app.go(Place("blueprint", "dataset bronze.flights"))
            await until_seen(pilot, "1–7 of 7")
            await pilot.press("m")
            await until_seen(pilot, "1 marked")
        await until_seen(pilot, "kept in the change set", "±2", "1 marked")
        app.go(Place("blueprint", "schedule flights_monthly"))
        await until_seen(pilot, "1–2 of 2")
        assert "marked" not in seen(app)


def test_set_changes_a_field_of_what_a_filter_matches_as_one_revision(database: Database, run: Commands) -> None:
    dry = run("blueprint", "set", "owner=data", "--kind", "dataset", "--filter", "owner:ops", "--dry-run")
    assert dry.code == 3
    assert dry.out.startswith("3 datasets: owner ops → data\n~ dataset bronze.flights\n    ~ owner: ops → data\n")
    assert newest_revision(database) == 2
    for words_of_nothing in ("", " ", "!", '"', "key:"):
        blank = run("blueprint", "set", "owner=data", "--kind", "dataset", "--filter", words_of_nothing, "--yes")
        assert (blank.code, "PH306" in blank.err) == (2, True)
    refused = run("blueprint", "set", "cron=never", "--kind", "schedule", "--yes")
    assert (refused.code, refused.out) == (1, "")
    assert "error PH153" in refused.err
    assert "'never' has 1 field, not five" in refused.err
    wrong = run("blueprint", "set", "ovrlap=skip", "--kind", "schedule", "--yes")
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean overlap?" in wrong.err
    words = ("--kind", "dataset", "--filter", "owner:ops")
    made = run.told("blueprint", "set", "tags=+core", *words, "--yes", "-m", "core data")
    assert (made["changed"], made["revision"], made["staged"]) == (3, 3, False)
    assert {edit.change.key for edit in edits_of(database, 3)} == {"bronze.flights", "bronze.weather", "silver.flights"}
    assert edits_of(database, 3)[0].revision.note == "core data"
    kept = run.told("blueprint", "set", "owner=data", *words, "--stage")
    assert (kept["changed"], kept["revision"], kept["staged"]) == (3, None, True)
    assert waiting(database).datasets["silver.flights"].owner == "data"
    assert load_blueprint(database).datasets["silver.flights"].owner == "ops"
    asked = run("blueprint", "set", "owner=x", "--kind", "model", given=b"n\n")
    assert (asked.code, newest_revision(database)) == (1, 3)
    assert "Change 1 model?" in asked.out


def test_set_reads_no_more_of_the_blueprint_than_it_touches(database: Database, run: Commands) -> None:
    said: list[str] = []

    def execute(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", execute)
    try:
        for more in (["--dry-run"], ["--stage"]):
            words = ("--kind", "schedule", "--filter", "key:flights_monthly", *more)
            assert "schedule flights_monthly" in run("blueprint", "set", "owner=ada", *words).out
    finally:
        event.remove(Engine, "before_cursor_execute", execute)
    assert any("FROM definition" in statement for statement in said)
    assert not [statement for statement in said if statement.strip().endswith("FROM definition")]


def test_set_reaches_into_the_tasks_of_pipelines(database: Database, run: Commands) -> None:
    words = ("--kind", "pipeline", "--filter", "key:flights")
    made = run.told("blueprint", "set", "tasks.clean.enabled=false", *words, "--yes")
    assert (made["changed"], made["revision"]) == (1, 3)
    assert [edit.change.fields[0].path for edit in edits_of(database, 3)] == ["tasks.clean.enabled"]
    assert not load_blueprint(database).pipelines["flights"].tasks["clean"].enabled
    refused = run("blueprint", "set", "tasks.clean.enabled=true", "--kind", "pipeline", "--yes")
    assert (refused.code, refused.out) == (2, "")
    assert "has no such field" in refused.err
    none = run("blueprint", "set", "tasks.clean.enabled=true", "--kind", "pipeline", "--filter", "owner:nobody")
    assert "No pipeline matches 'owner:nobody'." in none.out


def test_what_the_own_change_set_removes_is_said_where_it_is_missed(database: Database) -> None:
    stage_removal(database, ME, load_blueprint(database).datasets["bronze.flights"].uid)
    _, review = review_staged(database, settings(), ME)
    missed = [each for each in review.errors if each.code == "PH110"]
    assert {each.cause for each in missed} == {
        "there is no dataset bronze.flights any more: your change set removes it"
    }
    assert missed[0].remedy == "name another, or keep it (P, d)"


def test_what_the_change_set_broke_before_is_not_told_of_another_edit(database: Database, run: Commands) -> None:
    stage_removal(database, ME, load_blueprint(database).datasets["bronze.weather"].uid)
    staged = run("blueprint", "set", "owner=ada", "--kind", "dataset", "--filter", "key:gold.delay_by_hour", "--stage")
    assert "PH110" not in staged.out
    assert "errors; --json tells all)" in staged.out


async def test_what_is_to_be_marked_is_waited_for_and_esc_lets_go_of_it(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("blueprint", "dataset bronze.flights"))
        await until_seen(pilot, "1–7 of 7")
        with reads_held_up(app):
            await pilot.press("M", "space")
            await until_seen(pilot, "all that matches is being marked")
            await pilot.press("escape")
        await until(pilot, lambda: app.session.store._reads._jobs.empty())
        await pilot.pause(0.1)
        assert "marked" not in seen(app).splitlines()[2]
        await pilot.press("M")
        await until_seen(pilot, "7 marked")
    assert waiting(database).datasets == load_blueprint(database).datasets


async def test_of_two_that_are_switched_at_once_the_one_that_was_not_is_named_and_stays_told(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    flights, switch = load_blueprint(database).schedules["flights_monthly"].uid, bulk.switch

    def refuse(database: Database, *given: Any) -> object:
        if flights in given[-1]:
            raise UsageError("PH301", "metadata database", "another process kept it locked", "wait")
        return switch(database, *given)

    monkeypatch.setattr(bulk, "switch", refuse)
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("blueprint", "schedule flights_monthly"))
        await until_seen(pilot, "1–2 of 2")
        with held_up(app):
            await pilot.press("space", "j", "space")
            await until_seen(pilot, "switching weather_hourly")
        await until_seen(pilot, "1 schedule switched off in the change set: weather_hourly")
        await until_seen(pilot, "flights_monthly was not switched: another process kept it locked", "space on/off")
        await pilot.press("M", "space")
        await until_seen(pilot, "flights_monthly, weather_hourly were not switched: another process")
        await pilot.press("k", "m", "space")
        await until_seen(pilot, "1 schedule switched on in the change set: weather_hourly")
        await until_seen(pilot, "flights_monthly, weather_hourly were not switched: another process")
        monkeypatch.setattr(bulk, "switch", switch)
        await pilot.press("M", "space")
        await until_seen(pilot, "2 schedules switched off in the change set: flights_monthly, weather_hourly")
        assert "PH301" not in seen(app)


async def test_of_two_that_are_switched_at_once_the_one_that_was_not_stays_told_when_the_other_is_asked_about(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    flights = load_blueprint(database).schedules["flights_monthly"].uid

    def ask(*given: Any) -> object:
        if flights in given[-1]:
            raise UsageError("PH309", "change set", "it is not there any more", "look at it again")
        return review_edited(*given, "enabled", "false")

    monkeypatch.setattr(bulk, "switch", ask)
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("blueprint", "schedule flights_monthly"))
        await until_seen(pilot, "1–2 of 2")
        with held_up(app):
            await pilot.press("space", "j", "space")
            await until_seen(pilot, "switching weather_hourly")
        await until_seen(pilot, "1 schedule: enabled true → false", "y into the change set")
        await pilot.press("escape")
        await until_seen(pilot, "left: nothing was changed", "PH309", "flights_monthly was not switched")
        await pilot.press("space")
        await until_seen(pilot, "y into the change set")
        await pilot.press("escape")
        await until_seen(pilot, "left: nothing was changed")
        assert "PH309" not in seen(app)
