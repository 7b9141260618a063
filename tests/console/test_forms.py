"""Forms at 80×24, by keys alone: filled in, checked beside the field, kept, reviewed, applied."""

from __future__ import annotations

import contextlib
import errno
import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from textual import events
from textual.pilot import Pilot

from console.app import PilothouseApp
from console.form_state import FormState
from console.places import Place
from console.screens import form
from console.screens.form import FormScreen
from console.widgets.chooser import Chooser
from console.widgets.code_field import CodeField
from console.widgets.rows import Rows
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.documents import dump_one
from metadata.errors import UsageError
from metadata.findings import Finding
from metadata.forms import Subject, examine, subject_of, with_findings
from metadata.rows.forming import findings_in
from metadata.rows.sources import keep_comments, load_sources
from metadata.rows.staged import load_staged, stage_rename
from metadata.settings import settings
from metadata.typed import read
from tests.console.looking import held_up, screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]
KEY = "bronze.flights"


def drafts() -> list[Path]:
    """Texts that are kept or edited."""
    return sorted((settings().home / "drafts").glob("*.yaml"))


async def typed(pilot: Pilot[None], text: str) -> None:
    """Type the first letter of a text, and paste the rest of it."""
    pilot.app.post_message(events.Key(text[0], text[0]))
    if text[1:]:
        pilot.app.post_message(events.Paste(text[1:]))
    await pilot.pause()


async def fill(pilot: Pilot[None], text: str, *path: str) -> None:
    """Type, or choose by it, what the line of that path says."""
    await go_to(pilot, *path)
    await pilot.press("enter")
    await typed(pilot, text)
    await pilot.press("enter")


async def go_to(pilot: Pilot[None], *path: str) -> None:
    """With the cursor keys to the line of that path."""
    lines, wanted = pilot.app.screen.query_one("#form", Rows), "\x1f".join(path)
    keys = [row.key for row in lines.rows]
    assert lines.row is not None
    assert wanted in keys, f"there is no line {path}:\n{seen(pilot.app)}"
    steps = keys.index(wanted) - keys.index(lines.row.key)
    key = "j" if steps > 0 else "k"
    for _ in range(abs(steps)):
        pilot.app.post_message(events.Key(key, key))
    await until(pilot, lambda: lines.row is not None and lines.row.key == wanted)


async def new_form(pilot: Pilot[None], kind: str, name: str) -> None:
    """A new definition of a kind, from its list."""
    app = pilot.app
    assert isinstance(app, PilothouseApp)
    app.go(Place("blueprint", kind))
    await until(pilot, lambda: screen_name(app) == "blueprint" and bool(app.screen.query_one("#list", Rows).rows))
    await until_seen(pilot, f"Blueprint ▸ {kind}")
    await pilot.press("n")
    await until_seen(pilot, f"The key of the new {kind}:")
    await typed(pilot, name)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, FormScreen))
    await until_seen(pilot, name)


async def open_form(pilot: Pilot[None]) -> None:
    """The form of a definition that is there, or the question that comes before it."""
    app = pilot.app
    assert isinstance(app, PilothouseApp)
    app.go(Place("blueprint", f"dataset {KEY}"))
    await until_seen(pilot, KEY, "f form")
    await pilot.press("f")
    await until(pilot, lambda: screen_name(app) != "blueprint")


async def task_form(pilot: Pilot[None], task: dict[str, Any]) -> FormState:
    """The form of a new pipeline `p` with a task `t` that is open; what is typed there is in the state."""
    app = pilot.app
    assert isinstance(app, PilothouseApp)
    await until_seen(pilot, "ATTENTION")
    state = FormState.of(Subject("pipeline", "p", {"tasks": {"t": task}}))
    state.opened_parts.add(("tasks", "t"))
    app.push_screen(FormScreen(app.session, state, lambda _text: None, ""))
    await until_seen(pilot, "pipeline p  form")
    return state


async def staged(pilot: Pilot[None], *words: str) -> None:
    """Review what the form says, and take it into the change set."""
    await pilot.press("ctrl+s")
    await until_seen(pilot, *words, "s keep in the change set")
    await pilot.press("s")
    await until_seen(pilot, "kept in the change set")


async def test_definitions_are_made_by_keys_alone(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await new_form(pilot, "dataset", "silver.fares")
        await go_to(pilot, "columns")
        for name, kind in (("id", "long"), ("paid", "doble")):
            await pilot.press("n")
            await until_seen(pilot, "The name of the new entry of columns:")
            await typed(pilot, name)
            await pilot.press("enter")
            await until_seen(pilot, "string, boolean, short, int")
            await typed(pilot, kind)
            await pilot.press("enter")
            await go_to(pilot, "columns")
        await until_seen(pilot, "1 problem", "! 'doble' is not what")
        await pilot.press("tab", "tab")
        await until_seen(pilot, "did you mean double?")
        await go_to(pilot, "columns", "paid", "type")
        await pilot.press("enter", "ctrl+u")
        await typed(pilot, "double")
        await pilot.press("enter")
        await fill(pilot, "has_id", "quality")
        await until_seen(pilot, "either expect")
        await go_to(pilot, "quality", "has_id", "expect")
        await pilot.press("enter")
        await until_seen(pilot, "id  paid")
        await typed(pilot, "i")
        await pilot.press("tab")
        await typed(pilot, " IS NOT NULL")
        await pilot.press("escape")
        await fill(pilot, "quar", "quality", "has_id", "otherwise")
        await go_to(pilot, "storage", "mode")
        await pilot.press("space", "space")
        await until_seen(pilot, "overwrite")
        await pilot.press("u")
        await until_seen(pilot, "! PH")
        await pilot.press("ctrl+s")
        await until_seen(pilot, "─ PH", "keys", "w why")
        await pilot.press("w")
        await until_seen(pilot, "esc back")
        await pilot.press("escape")
        await fill(pilot, "id", "storage", "keys")
        await until(pilot, lambda: "! PH" not in seen(app))
        await staged(pilot, "created dataset silver.fares")
        assert drafts() == []

        await new_form(pilot, "decision", "drifting")
        await until_seen(pilot, "3 required")
        await pilot.press("enter")
        await until_seen(pilot, "late_arrival_watch")
        await pilot.press("enter")
        await go_to(pilot, "when")
        await pilot.press("enter")
        await until_seen(pilot, "performance  psi")
        await typed(pilot, "worst(ps")
        await pilot.press("tab")
        await typed(pilot, ") > 0.3")
        await pilot.press("escape")
        await go_to(pilot, "then", "alert")
        await pilot.press("space", "space")
        await staged(pilot, "created decision drifting")

        await new_form(pilot, "pipeline", "fares")
        await go_to(pilot, "tasks")
        await pilot.press("n")
        await typed(pilot, "clean")
        await pilot.press("enter")
        await until_seen(pilot, "decide", "ingest")
        await typed(pilot, "trans")
        await pilot.press("enter")
        await go_to(pilot, "tasks", "clean", "to")
        await pilot.press("enter")
        await typed(pilot, "fares")
        await until_seen(pilot, "silver.fares", "in the change set")
        await pilot.press("enter")
        await go_to(pilot, "tasks", "clean", "sql")
        await pilot.press("enter")
        await typed(pilot, "SELECT 1 id, 2.0 paid FROM bronze.fl")
        await until_seen(pilot, "  bronze.flights")
        await pilot.press("tab", "escape")
        await staged(pilot, "created pipeline fares")
    working = load_staged(database, getpass.getuser()).working.blueprint
    fares = working.datasets["silver.fares"]
    assert {name: column.type for name, column in fares.columns.items()} == {"id": "long", "paid": "double"}
    assert (fares.quality["has_id"].expect, fares.quality["has_id"].otherwise) == ("id IS NOT NULL", "quarantine")
    assert (fares.storage.mode, fares.storage.keys) == ("merge", ("id",))
    assert (working.decisions["drifting"].after, working.decisions["drifting"].then.alert) == (
        "late_arrival_watch",
        "warning",
    )
    assert working.pipelines["fares"].tasks["clean"].queries()["sql"].endswith("FROM bronze.flights")


async def test_what_is_typed_is_kept_gone_on_with_and_applied(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", f"dataset {KEY}"))
        await until_seen(pilot, KEY, "f form")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press("escape")
        await until_seen(pilot, "left: nothing to apply")
        assert drafts() == []
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await go_to(pilot, "owner")
        await pilot.press("enter")
        await typed(pilot, "ops")  # a letter replaces what stood there
        await pilot.press("escape", "enter", "right")
        await typed(pilot, "2")
        await until(pilot, lambda: bool(drafts()) and "owner: ops2" in drafts()[0].read_text(encoding="utf-8"))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", f"dataset {KEY}"))
        await until_seen(pilot, KEY, "f form")
        await pilot.press("f")
        await until_seen(pilot, "e  go on with the text of")
        await pilot.press("e")
        await until_seen(pilot, "ops2")
        await go_to(pilot, "columns", "flight")
        await pilot.press("d")
        await until_seen(pilot, "flight is taken out; u brings it back")
        await pilot.press("u")
        await until_seen(pilot, "▸ flight")
        await pilot.press("escape")
        await until_seen(pilot, "left: nothing was applied; the text is kept")
        assert len(drafts()) == 1
        await pilot.press("f")
        await until_seen(pilot, "e  go on with the text of")
        await pilot.press("e")
        await until_seen(pilot, "ops2")
        await go_to(pilot, "columns", "flight")
        await pilot.press("d")
        await until_seen(pilot, "flight is taken out")
        await pilot.press("escape")
        await until_seen(pilot, "y  close it; the text is kept", "d  close it, and throw", "esc  go on with the form")
        await pilot.press("d")
        await until_seen(pilot, "it is as it was opened: nothing was applied; the text is kept")
        kept = drafts()[0].read_text(encoding="utf-8")
        assert "owner: ops2" in kept and "flight:" in kept
        await pilot.press("f")
        await until_seen(pilot, "e  go on with the text of")
        await pilot.press("e")
        await until_seen(pilot, "ops2")
        await pilot.press("ctrl+s")
        await until_seen(pilot, "owner: ops → ops2", "y apply")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press("ctrl+s")
        await until_seen(pilot, "y apply")
        await pilot.press("y")
        await until_seen(pilot, "revision 3 is applied")
    assert load_blueprint(database).datasets[KEY].owner == "ops2"
    assert drafts() == []


async def test_comments_outlive_a_value_that_is_wrong_and_a_console_that_ends(
    database: Database, make_app: MakeApp
) -> None:
    text = dump_one("dataset", KEY, load_blueprint(database).datasets[KEY])
    said = text.replace(f"  {KEY}:", f"  # ask ops first\n  {KEY}:  # raw")
    assert keep_comments(database, {("dataset", KEY): said}, "ada") == 1
    async with make_app().run_test(size=(80, 24)) as pilot:
        await open_form(pilot)
        await go_to(pilot, "columns", "flight")
        await pilot.press("enter")
        await go_to(pilot, "columns", "flight", "type")
        await pilot.press("enter", "ctrl+u")
        await typed(pilot, "doble")
        await pilot.press("escape", "escape")
        await until_seen(pilot, "Leave the form?")
        await pilot.press("y")
        await until_seen(pilot, "the text is kept")
        assert "# ask ops first" in drafts()[0].read_text(encoding="utf-8")
    async with make_app().run_test(size=(80, 24)) as pilot:
        await open_form(pilot)
        await until_seen(pilot, "e  go on with the text of")
        await pilot.press("e")
        await until_seen(pilot, "1 problem")
        await go_to(pilot, "columns", "flight")
        await pilot.press("enter")
        await go_to(pilot, "columns", "flight", "type")
        await pilot.press("enter", "ctrl+u")
        await typed(pilot, "long")
        await pilot.press("escape", "ctrl+s")
        await until_seen(pilot, "int → long", "y apply")
        await pilot.press("y")
        await until_seen(pilot, "revision 3 is applied")
    uid = load_blueprint(database).datasets[KEY].uid
    assert f"  # ask ops first\n  {KEY}:  # raw" in load_sources(database, [uid])[uid]


async def test_the_line_of_a_field_stays_while_what_it_says_is_typed_anew(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_form(pilot)
        await go_to(pilot, "description")
        await pilot.press("enter", "ctrl+u")
        await until(pilot, lambda: "Flights as landed" not in seen(app))
        lines = app.screen.query_one("#form", Rows)
        assert lines.row is not None and lines.row.key == "description"
        await typed(pilot, "Landed")
        await pilot.press("enter")
        assert lines.row.key == "description"


async def test_no_line_moves_while_a_field_is_open_that_is_emptied_or_says_something_first(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 50)) as pilot:
        await open_form(pilot)
        await pilot.press("full_stop")
        await go_to(pilot, "description")
        form = app.screen
        assert isinstance(form, FormScreen)

        def keys() -> list[str]:
            return [row.key for row in form.lines_shown.rows]

        before = keys()
        await pilot.press("enter", "ctrl+u")
        await until(pilot, lambda: "Flights as landed" not in seen(app))
        assert keys() == before
        await typed(pilot, "Landed")
        await until(pilot, lambda: form.state.now.at(("description",)) == "Landed")
        await pilot.press("enter")
        assert keys() == before
        await go_to(pilot, "tags")
        before = keys()
        await pilot.press("enter")
        await typed(pilot, "x")
        await until(pilot, lambda: form.state.now.at(("tags",)) == ["x"])
        form.draw()
        assert keys() == before
        await pilot.press("escape")
        assert keys() != before
        assert form.cursor is not None and form.cursor.name == "tags"


async def test_a_new_entry_opens_empty_whatever_may_stand_in_it(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", "model late_arrival"))
        await until_seen(pilot, "late_arrival", "f form")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await go_to(pilot, "estimator", "params")
        await pilot.press("n")
        await until_seen(pilot, "The name of the new entry of params:")
        await typed(pilot, "verbose")
        await pilot.press("enter")
        await until_seen(pilot, "any value")
        await typed(pilot, "3")
        await pilot.press("enter")
        await until(pilot, lambda: bool(drafts()) and "verbose: 3" in drafts()[0].read_text(encoding="utf-8"))


async def test_help_tells_the_keys_of_a_form_and_a_change_set_is_edited_as_one(
    database: Database, make_app: MakeApp
) -> None:
    owner = getpass.getuser()
    stage_rename(database, owner, load_blueprint(database).datasets[KEY].uid, "bronze.landed")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "bronze.landed")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press("question_mark")
        await until_seen(pilot, "form of a dataset", "ctrl+s", "see what changes", "only an entry has a name")
        await pilot.press("escape")
        await until_seen(pilot, "dataset bronze.landed")


def test_what_is_wrong_with_a_rule_is_told_beside_a_field_of_a_wrong_shape(database: Database) -> None:
    form = subject_of("decisions: {late: {after: nothing, when: 'psi >', cooldown: soon}}")
    problems = {**with_findings(form, findings_in(database, "ada", form, ())), **examine(form)[1]}
    assert problems["when",].startswith("PH170 ")
    assert ("cooldown",) in problems


async def test_a_form_opens_on_the_field_that_is_named_also_where_it_is_folded_or_not_said(
    database: Database, make_app: MakeApp
) -> None:
    subject = subject_of("feature_sets: {fs: {from: silver.flights, features: {litres2: {expr: temp * 2}}}}")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        for path in (("features", "litres2", "expr"), ("features", "litres2", "by"), ("owner",)):
            form = FormScreen(app.session, FormState.of(subject), lambda _text: None, "", "", path)
            await app.push_screen(form)
            await pilot.pause()
            assert form.cursor is not None and form.cursor.path == path
            app.pop_screen()


async def test_keys_that_come_in_one_burst_are_each_where_they_belong(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", f"dataset {KEY}"))
        await until_seen(pilot, KEY, "f form")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await go_to(pilot, "owner")
        await pilot.press("enter")
        burst(app, "end", "2", "enter", "j", "enter")
        await until_seen(pilot, "type to narrow the list")
        burst(app, "s", "i", "enter", "ctrl+s")
        await until_seen(pilot, "owner: ops → ops2", "layer: bronze → silver")


async def test_slash_leads_to_a_field_by_letters_of_its_name_also_where_it_is_folded_away(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_form(pilot)
        screen = app.screen
        assert isinstance(screen, FormScreen)
        burst(app, "slash", *"columns.fl", "enter")
        await until(pilot, lambda: screen.cursor is not None and screen.cursor.path == ("columns", "flight"))
        burst(app, "slash", *"drutu", "escape")
        await until(pilot, lambda: screen.focused is screen.lines_shown)
        assert screen.cursor is not None and screen.cursor.path == ("columns", "flight")
        assert not screen.state.changed
        assert "more field" in seen(app)
        await pilot.press("slash", *"enab")
        await until_seen(pilot, "enter choose  esc leave it")
        burst(app, "enter", "enter")
        await until(pilot, lambda: screen.state.now.at(("enabled",)) is False)


async def test_while_it_is_looked_whether_a_key_is_free_no_other_form_is_opened(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 24)) as pilot:
        app.go(Place("blueprint", f"dataset {KEY}"))
        await until_seen(pilot, KEY, "f form", "Flights as landed")
        with held_up(app):
            await pilot.press("n")
            await until_seen(pilot, "The key of the new dataset:")
            await typed(pilot, "silver.late")
            await pilot.press("enter", "f")
            await until_seen(pilot, "still checking what was asked for last")
            assert screen_name(app) == "blueprint"
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await until_seen(pilot, "dataset silver.late")
        await pilot.press("escape")
        await until_seen(pilot, "left: nothing to apply")
        assert screen_name(app) == "blueprint"


async def test_a_long_query_is_gone_through_to_its_ends_and_keeps_every_letter(
    database: Database, make_app: MakeApp
) -> None:
    query = "\n".join(["SELECT", *(f"  coalesce(a.col_{at}, 0) AS c_{at}," for at in range(200)), "  1 AS x", "FROM y"])
    task = {"kind": "transform", "to": "gold.x", "sql": query}
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        state = await task_form(pilot, task)
        await go_to(pilot, "tasks", "t", "sql")
        await pilot.press("enter")
        await until_seen(pilot, "FROM y", "PH110 there is no dataset y", "tab complete")
        await pilot.press("ctrl+home", *"ab", "ctrl+end", *"cd", "ctrl+home", *"e", "escape")
        await until_seen(pilot, "eabSELECT")
        assert state.now.at(("tasks", "t", "sql")) == f"eab{query}cd"


async def test_a_form_comes_back_on_what_is_wrong_whatever_an_editor_left_before(
    database: Database, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "editor.sh"
    script.write_text("sed -i 's/layer: bronze/layer: nowhere/' $1", encoding="utf-8")
    monkeypatch.setenv("VISUAL", f"sh {script}")
    monkeypatch.setattr(PilothouseApp, "suspend", lambda _app: contextlib.nullcontext())
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("blueprint", f"dataset {KEY}"))
        await until_seen(pilot, "Flights as landed")
        await pilot.press("e")
        await until_seen(pilot, "error PH", "e edit again")
        await pilot.press("escape")
        await until_seen(pilot, "the text is kept")
        app.go(Place("blueprint", "decision hold_when_broken"))
        await until_seen(pilot, "worst(null_rate) > 0.3")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        first = app.screen
        await go_to(pilot, "when")
        await pilot.press("enter")
        await typed(pilot, " + nope")
        await pilot.press("escape", "ctrl+s")
        await until(pilot, lambda: app.screen is not first and screen_name(app) != "blueprint")
        assert isinstance(app.screen, FormScreen)
        await until_seen(pilot, "> 0.3 + nope", "PH170")


async def test_a_list_that_could_not_be_read_can_be_asked_for_again(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_given: object) -> NoReturn:
        raise UsageError("PH301", "metadata database", "it is locked", "wait")

    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await new_form(pilot, "decision", "drifting")
        await go_to(pilot, "after")
        with monkeypatch.context() as patch:
            patch.setattr(form, "choices", locked)
            await pilot.press("enter", *"late", "enter")
            await until_seen(pilot, "it is locked")
        await pilot.press("_", "enter")
        await until_seen(pilot, "late_arrival_watch")
        await until(pilot, lambda: "type to narrow" not in seen(app))


async def test_what_could_not_be_checked_is_checked_again_and_told_once(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_given: object) -> NoReturn:
        asked.append(1)
        raise UsageError("PH301", "metadata database", "it is locked", "wait")

    asked: list[int] = []
    monkeypatch.setattr(form, "AGAIN_SECONDS", 0.1)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        with monkeypatch.context() as patch:
            patch.setattr(form, "findings_in", locked)
            await task_form(pilot, {"kind": "transform", "to": "gold.x", "sql": "SELECT 1 AS a FROM y"})
            await until_seen(pilot, "it is locked")
            told = len(asked)
            await pilot.press("question_mark", "escape")
            await until(pilot, lambda: len(asked) > told + 1)
            assert "not checked: it is locked" in seen(app) and "it is locked; wait" not in seen(app)
        await until_seen(pilot, "PH110")
        assert "not checked" not in seen(app)


async def test_after_a_fault_of_the_program_findings_are_said_to_be_old_until_a_change_is_checked(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object) -> NoReturn:
        asked.append(1)
        raise RuntimeError("broken")

    asked: list[int] = []
    monkeypatch.setattr(form, "AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(form, "PAUSE_SECONDS", 0.05)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        state = await task_form(pilot, {"kind": "transform", "to": "gold.x", "sql": "SELECT 1 AS a FROM y"})
        await until_seen(pilot, "PH110")
        with monkeypatch.context() as patch:
            patch.setattr(form, "findings_in", broken)
            await go_to(pilot, "tasks", "t", "to")
            await pilot.press("d")
            await until_seen(pilot, "not checked: ")
            assert len(asked) == 1
            await pilot.pause(0.5)
            assert len(asked) == 1 and "not checked: " in seen(app)
        await pilot.press("u")
        await until(pilot, lambda: "not checked" not in seen(app))
        assert state.now.at(("tasks", "t", "to")) == "gold.x" and "PH110" in seen(app)


async def test_entries_that_are_called_by_keys_are_chosen_from_those_that_there_are(
    database: Database, make_app: MakeApp
) -> None:
    sql = "SELECT * FROM bronze.flights"
    task = {"kind": "transform", "to": "gold.x", "sql": sql, "reads": {}}
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        state = await task_form(pilot, task)
        await go_to(pilot, "tasks", "t", "reads")
        await pilot.press("n")
        await until_seen(pilot, "The name of the new entry of reads:", "type to narrow the list", "silver.flights")
        await pilot.press("escape")
        assert state.now.at(("tasks", "t", "reads")) == {}
        burst(app, "n", *"ze.fl", "enter")
        await until(pilot, lambda: list(state.now.at(("tasks", "t", "reads"))) == ["bronze.flights"])
        await go_to(pilot, "tasks", "t", "reads", "bronze.flights")
        burst(app, "R", *"weather", "enter")
        await until(pilot, lambda: list(state.now.at(("tasks", "t", "reads"))) == ["bronze.weather"])
        await pilot.press("u")
        assert list(state.now.at(("tasks", "t", "reads"))) == ["bronze.flights"]
        await go_to(pilot, "tasks", "t", "reads")
        burst(app, "n", *"not.there", "enter")
        await until(pilot, lambda: "not.there" in state.now.at(("tasks", "t", "reads")))


async def test_what_stands_before_the_cursor_or_behind_it_is_taken_of_the_whole_line_however_it_is_wrapped(
    database: Database, make_app: MakeApp
) -> None:
    columns = ", ".join(f"column_{at}" for at in range(40))
    task = {"kind": "transform", "to": "gold.x", "sql": f"--\n{columns}\nx"}
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await task_form(pilot, task)
        await go_to(pilot, "tasks", "t", "sql")
        await pilot.press("enter")
        await until_seen(pilot, "column_39", "tab complete")
        code = app.screen.query_one(CodeField)
        code.move_cursor((1, columns.index("column_30")))
        await pilot.press("ctrl+u", "ctrl+u")
        assert code.text == f"--\n{columns[columns.index('column_30') :]}\nx"
        code.move_cursor((1, len("column_30")))
        await pilot.press("ctrl+k")
        assert code.text == "--\ncolumn_30\nx"
        await pilot.press("ctrl+k")
        assert code.text == "--\ncolumn_30x"


async def test_tab_puts_in_nothing_where_nothing_can_stand_but_indents_lines(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await task_form(pilot, {"kind": "transform", "to": "gold.x", "sql": "SELECT 1 AS one", "when": "1 < 2"})
        for field, typed_first, expected in (
            ("when", (), "1 < 2"),
            ("when", ("ctrl+u", "q", "q"), "qq"),
            ("sql", (), "SELECT 1 AS one"),
            ("sql", ("ctrl+home",), "  SELECT 1 AS one"),
        ):
            await go_to(pilot, "tasks", "t", field)
            await pilot.press("enter")
            await until_seen(pilot, "tab complete")
            await pilot.press(*typed_first, "tab")
            assert app.screen.query_one(CodeField).text == expected
            await pilot.press("escape")
        await go_to(pilot, "tasks", "t", "when")
        await pilot.press("enter", "ctrl+u")
        await until_seen(pilot, "champion")
        await pilot.press("tab")
        assert app.screen.query_one(CodeField).text.strip()


def test_half_a_character_is_replaced_while_it_is_typed() -> None:
    state = FormState.of(Subject("dataset", KEY, {}))
    owner = next(line for line in state.lines().lines if line.name == "owner")
    state.say(owner, read(owner.shape, r'"half \ud800"'))
    assert state.now.body["owner"] == "half ?"
    columns = next(line for line in state.lines().lines if line.name == "columns")
    path = state.add(columns, "a\ud800")
    assert state.rename(next(line for line in state.lines().lines if line.path == path), "b\udfff")[-1] == "b?"
    assert subject_of(state.text).body["owner"] == "half ?"


def burst(app: PilothouseApp, *keys: str) -> None:
    """Keys that come together, before any of them is looked at."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


@pytest.mark.parametrize(("kind", "first"), [("monitor", "model"), ("schedule", "pipeline")])
async def test_ctrl_s_goes_to_the_first_field_from_the_top_that_lacks_something(
    database: Database, make_app: MakeApp, kind: str, first: str
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await new_form(pilot, kind, "fresh")
        for _ in range(2):
            await pilot.press("ctrl+s")
            await until_seen(pilot, "must be mended first")
            cursor = app.screen.cursor  # type: ignore[attr-defined]
            assert cursor is not None
            assert cursor.path == (first,)


async def test_a_form_that_comes_back_from_review_is_at_the_error_and_not_at_a_warning_above(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION")
        state = FormState.of(Subject("decision", "d", {"after": "m", "when": "kilo > 1", "then": {"alert": "info"}}))
        state.findings = (
            Finding("PH168", "warning", "decision", "d", (), "no decide task asks it", "add it"),
            Finding("PH170", "error", "decision", "d", ("when",), "there is no input kilo", "mend the rule"),
        )
        form = FormScreen(app.session, state, lambda _text: None, "", "PH170 there is no input kilo")
        await app.push_screen(form)
        await pilot.pause()
        assert form.cursor is not None and form.cursor.path == ("when",)


async def test_of_several_values_one_that_is_no_longer_there_can_be_let_go_of(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        state = await task_form(pilot, {"kind": "decide", "decisions": ["retrain_when_worse", "gone"]})
        await go_to(pilot, "tasks", "t", "decisions")
        await pilot.press("enter")
        await until_seen(pilot, "✓  gone", "✓  retrain_when_worse", "hold_when_broken")
        await pilot.press("up", "up", "up", "tab", "enter")
        await until_seen(pilot, "ctrl+s review")
        assert state.now.at(("tasks", "t", "decisions")) == ["retrain_when_worse"]


def test_what_may_be_said_in_a_part_stays_in_sight_and_in_place_when_the_first_of_it_is() -> None:
    state = FormState.of(Subject("monitor", "m", {}))

    def shown() -> list[str]:
        return [line.name for line in state.lines().lines if line.path[:1] == ("watch",)]

    before = shown()
    assert before == ["watch", "features", "prediction", "performance"]
    state.set(next(line for line in state.lines().lines if line.name == "performance"), ["rmse"])
    assert shown() == before
    assert [line.name for line in FormState.of(state.now).lines().lines if line.path[1:]] == ["performance"]


async def test_a_list_in_which_nothing_matches_stays_open_and_says_so(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_form(pilot)
        await go_to(pilot, "layer")
        await pilot.press("enter", "z", "z", "enter")
        await until_seen(pilot, "Nothing matches 'zz': it can be bronze, silver, gold", "enter choose")
        await pilot.press("backspace", "backspace", *"sil", "enter")
        await until(pilot, lambda: app.screen.state.now.body["layer"] == "silver")  # type: ignore[attr-defined]
        assert "enter choose" not in seen(app)


async def test_a_list_opens_on_its_value_else_on_the_first_and_words_lead_to_what_matches_them_best(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await new_form(pilot, "monitor", "watched")
        rows = app.screen.query_one("#chooser", Chooser).query_one(Rows)

        async def shown(key: str, first: str = "") -> None:
            await until(pilot, lambda: rows.row is not None and rows.row.key == key)
            assert not first or rows.rows[0].key == first

        await go_to(pilot, "predictions")
        await pilot.press("enter")
        await shown("bronze.flights", "bronze.flights")
        await pilot.press("down", "enter")
        await go_to(pilot, "watch", "features")
        await pilot.press("enter")
        await shown("psi", "psi")
        await pilot.press("escape")
        await go_to(pilot, "predictions")
        await pilot.press("enter")
        await shown("bronze.weather", "bronze.flights")
        await typed(pilot, "l")
        await shown("bronze.flights", "bronze.flights")
        await pilot.press("down", "down", "backspace", "g")
        await shown("gold.delay_by_hour", "gold.delay_by_hour")
        assert [row.key for row in rows.rows[1:]] == [
            "bronze.flights", "features.flight_context", "predictions.pending", "silver.flights",
            "predictions.late_arrival",
        ]  # fmt: skip


async def test_a_form_is_not_left_while_its_text_cannot_be_written(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: object, _text: str) -> None:
        tried.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    tried: list[int] = []
    app = make_app()
    async with app.run_test(size=(110, 40)) as pilot:
        await open_form(pilot)
        with monkeypatch.context() as patch:
            patch.setattr("console.drafts.write", full)
            await go_to(pilot, "description")
            await pilot.press("enter", "end")
            await typed(pilot, ", whole")
            await pilot.press("enter", "ctrl+s")
            await until_seen(pilot, "the draft cannot be written: ", "free some space")
            before = len(tried)
            await pilot.press("ctrl+e")
            await until_seen(pilot, "the draft cannot be written: ")
            assert len(tried) == before + 1
            await pilot.press("escape")
            await until_seen(pilot, "Leave the form?")
            await pilot.press("y")
            await until(pilot, lambda: screen_name(app) == "FormScreen")
        assert ", whole" in seen(app)
        await pilot.press("ctrl+s")
        await until_seen(pilot, "changed dataset bronze.flights", "whole", "y apply")
