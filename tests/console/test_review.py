"""What a review shows first, what it offers, and why `y` is not there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.content import Content

from console.app import PilothouseApp
from console.cli.changes import field_lines
from console.edit import Review
from console.screens import review as screen
from console.screens.review import ReviewScreen, _answers, change_lines
from metadata.changes import Change, ChangeSet, FieldChange, compare
from metadata.checks import check
from metadata.checks.earlier import there_before
from metadata.database import Database
from metadata.findings import Finding
from metadata.kinds import Blueprint
from tests.console.looking import seen, until_seen

OLD = "\n".join(f"column_{number}," for number in range(40))


def reviewed(*findings: Finding, staged: int = 0) -> Review:
    field = FieldChange("tasks.clean.sql", "changed", OLD, OLD.replace("column_20,", "column_20 + 1,"))
    change = Change("changed", "pipeline", "flights", "uid", None, {}, {}, (field,))
    changes = ChangeSet((change,), Blueprint(), Blueprint())
    return Review(Blueprint(), 2, changes, findings, staged=staged)


async def test_what_others_did_comes_first_and_sql_is_told_line_by_line(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    app = make_app()
    async with app.run_test(size=(100, 44)) as pilot:
        outdated = Finding("PH303", "warning", "pipeline", "flights", (), "it was changed meanwhile", "look at it")
        other = Finding("PH110", "warning", "pipeline", "flights", (), "something else", "mend it")
        app.push_screen(ReviewScreen(reviewed(other, outdated, staged=1)))
        await until_seen(pilot, "+ column_20 + 1,", "… 18 lines", "… 17 lines", "1 edit waits in your change set")
        shown = seen(app)
        assert shown.index("PH303") < shown.index("~ changed") < shown.index("PH110")
        assert "column_10" not in shown
        assert "y apply" not in shown
        await pilot.press("y")
        await until_seen(pilot, "s, then P applies both")
        assert isinstance(app.screen, ReviewScreen)
        await pilot.press("escape")
        secret = Finding("PH150", "error", "connection", "crm", ("url",), "it is a credential", "write env:NAME")
        app.push_screen(ReviewScreen(reviewed(secret, staged=1)))
        await until_seen(pilot, "PH150", "e edit again")
        assert "s keep in the change set" not in seen(app)
        assert "waits in your change set" not in seen(app)


async def test_that_errors_forbid_it_is_in_view_however_long_the_changes_are(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    found = [Finding("PH175", "error", "pipeline", f"p_{at}", (), "it needs what is off", "enable") for at in range(2)]
    change = Change("changed", "dataset", "d", "uid", None, {}, {}, (FieldChange("owner", "changed", "a", "b"),))
    long = replace(reviewed(*found), changes=ChangeSet((change,) * 20, Blueprint(), Blueprint()))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(ReviewScreen(long, "apply the change set: 20 definitions", edits=False))
        await until_seen(pilot, "2 errors forbid it", "explain PH175 (1 of 2)")
        assert "it needs what is off" not in seen(app)
        await pilot.press("y")
        assert isinstance(app.screen, ReviewScreen)


def reading(**sources: str) -> Blueprint:
    """Pipelines, each of which reads a dataset."""
    made = {
        key: {"uid": key, "tasks": {"t": {"kind": "transform", "to": "out", "sql": f"SELECT id FROM {source}"}}}
        for key, source in sources.items()
    }
    return Blueprint.model_validate({"datasets": {"out": {"uid": "out"}}, "pipelines": made})


async def test_what_was_there_before_is_folded_behind_a_count(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    changes = compare(reading(p="bronze.gone"), reading(p="bronze.gone", q="bronze.lost"))
    found = [each for each in check(changes.blueprint) if each.code == "PH110"]
    earlier = there_before(changes, found)
    assert [(each.key, each.path) for each in earlier] == [("p", ("tasks", "t", "sql"))]
    review = Review(None, 1, changes, tuple(found), earlier=earlier)
    app = make_app()
    async with app.run_test(size=(100, 40)) as pilot:
        app.push_screen(ReviewScreen(review))
        await until_seen(pilot, "bronze.lost", "b 1 that was there before (1 error)")
        assert "bronze.gone" not in seen(app)
        await pilot.press("b")
        await until_seen(pilot, "Were there before", "bronze.gone", "b fold")
        await pilot.press("b")
        await until_seen(pilot, "b 1 that was there before")


async def test_what_was_there_before_is_in_view_however_long_the_lines_above_are(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    long = [Finding("PH110", "warning", "dataset", f"new_{at}", (), "too long " * 60, "mend it") for at in range(9)]
    before = [Finding("PH111", "warning", "dataset", f"old_{at}", (), "known", "mend it") for at in range(30)]
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(ReviewScreen(replace(reviewed(*long, *before), earlier=tuple(before))))
        await until_seen(pilot, "b 30 that were there before")
        await pilot.press("b")
        await until_seen(pilot, "explain PH111 (10 of 39)", "▸ warning PH111  dataset old_0")


async def test_changes_are_told_once_however_many_findings_are_gone_through(
    database: Database, make_app: Callable[[], PilothouseApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Change] = []

    def counted(change: Change) -> list[Content]:
        told.append(change)
        return change_lines(change)

    monkeypatch.setattr(screen, "change_lines", counted)
    found = [Finding("PH110", "warning", "dataset", f"new_{at}", (), "bad", "mend it") for at in range(3)]
    app = make_app()
    async with app.run_test(size=(100, 44)) as pilot:
        app.push_screen(ReviewScreen(reviewed(*found)))
        await until_seen(pilot, "(1 of 3)")
        await pilot.press("j", "j")
        await until_seen(pilot, "(3 of 3)")
    assert len(told) == 1


async def test_a_finding_leads_to_its_field_only_where_the_text_holds_one_definition(
    database: Database, make_app: Callable[[], PilothouseApp], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lonely = "  lonely: {model: late_arrival, predictions: predictions.late_arrival, watch: {features: [psi]}}"
    script = tmp_path / "editor.sh"
    script.write_text(
        f"grep -q lonely $1 || printf 'monitors:\\n{lonely}\\n' >> $1\n"
        "sed -i 's/one file a month/a file every month/' $1",
        encoding="utf-8",
    )
    monkeypatch.setenv("VISUAL", f"sh {script}")
    monkeypatch.setattr(PilothouseApp, "suspend", lambda _app: contextlib.nullcontext())
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "Flights as landed")
        await pilot.press("e")
        await until_seen(pilot, "created monitor lonely", "PH", "e edit again")
        await pilot.press("f")
        await pilot.pause(0.1)
        assert isinstance(app.screen, ReviewScreen)
        assert "its field" not in seen(app)


def test_errors_of_others_that_were_there_before_do_not_forbid_applying() -> None:
    found = [Finding("PH110", "error", "pipeline", "flights", (number,), "bad", "mend") for number in range(3)]
    assert ("y", "apply") not in _answers(reviewed(*found), edits=False)
    assert ("y", "apply") not in _answers(replace(reviewed(*found), earlier=tuple(found[:2])), edits=False)
    assert ("y", "apply") in _answers(replace(reviewed(*found), earlier=tuple(found)), edits=False)


@pytest.mark.parametrize("nothing", ["", None])
def test_what_changes_from_nothing_or_to_nothing_says_that_word(nothing: object) -> None:
    for before, after, words in ((nothing, "ops", "nothing → ops"), ("ops", nothing, "ops → nothing")):
        field = FieldChange("owner", "changed", before, after)
        assert [line.plain for line in screen.field_lines([field])] == [f"    ~ owner: {words}"]
        assert field_lines(field) == [f"~ owner: {words}"]
