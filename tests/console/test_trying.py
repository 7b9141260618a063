"""`t`: what a definition says is tried, with the edits of the change set in it, and nothing waits for it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from console.app import PilothouseApp
from console.author import user
from console.places import Place
from console.screens.trying import TryScreen
from console.trial_view import rows_lines, rule_lines
from console.widgets.chrome import Service
from flows import trying_apart
from flows.trying_apart import RESULT, Start
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.kinds import Blueprint
from metadata.rows.staged import stage
from metadata.states import DecisionState
from metadata.trying import Checked, Past, RowsTried, RuleTried
from metadata.values import utc_now
from tests.console.looking import seen, until, until_seen
from tests.console.running import Commands

MakeApp = Callable[[], PilothouseApp]


async def test_a_rule_is_tried_on_the_past_as_it_is_edited_and_sql_when_spark_is_there(
    database: Database, make_app: MakeApp
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("blueprint", "decision retrain_when_worse"))
        await until_seen(pilot, "retrain_when_worse", "2 of 2")
        await pilot.press("t")
        await until_seen(pilot, "would have fired 1 of 8 times, cannot be evaluated 4", "! fired", "was held")
        await pilot.press("escape")
        rule = load_blueprint(database).decisions["retrain_when_worse"].model_copy(update={"when": "worst(psi) > 0.1"})
        stage(database, user(), Blueprint(decisions={"retrain_when_worse": rule}))
        await pilot.press("t")
        await until_seen(pilot, "with your edits", "worst(psi) > 0.1", "would have fired 2 of 8 times, held back 2")
        await pilot.press("escape")

        uid = load_blueprint(database).decisions["retrain_when_worse"].uid
        app.push_screen(TryScreen(app.session, uid, text="alarms > 99"))
        await until_seen(pilot, "alarms > 99", "would have fired 0 of 8 times")
        await pilot.press("escape")

        app.go(Place("blueprint", "pipeline flights"))
        await until_seen(pilot, "flights", "3 of 3")
        await pilot.press("t", "tab", "tab")
        await until_seen(pilot, "pipeline flights  publish  3 of 3", "Spark is not up", "y start it")
        await pilot.press("escape")
        app.go(Place("blueprint", "monitor late_arrival_watch"))
        await until_seen(pilot, "late_arrival_watch", "1 of 1")
        await pilot.press("t")
        await until_seen(pilot, "there is no expression in a monitor")


async def test_what_spark_says_comes_from_a_process_of_its_own_which_leaving_ends(
    database: Database, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    app.session.store.watch = lambda *_: None  # type: ignore[method-assign]  # services are as they are said to be here
    async with app.run_test(size=(100, 30)) as pilot:
        app.go(Place("blueprint", "dataset silver.flights"))
        await until_seen(pilot, "silver.flights", "of 7")
        await pilot.press("t")
        await until_seen(pilot, "Spark is not up")
        app.session.standing = replace(app.session.standing, services=(Service("spark", "up"),))
        await until_seen(pilot, "PH410", "it is not started", "pilothouse up")
        await pilot.press("escape")
        await pilot.press("t")
        await until_seen(pilot, "trying")
        screen = app.screen
        assert isinstance(screen, TryScreen)
        await pilot.press("escape")
        await until(pilot, lambda: not screen.is_attached and not isinstance(app.screen, TryScreen))
        assert "silver.flights" in seen(app)

        said = json.dumps({"tried": RESULT.dump_python(RowsTried("x", 3, "of_another", True, (), (), ()), mode="json")})
        late = f"import time; time.sleep(1); print({said!r})"
        start = Start([sys.executable, "-c", late], os.environ, tmp_path)
        monkeypatch.setattr(trying_apart, "start", lambda *_: start)
        app.go(Place("blueprint", "pipeline flights"))
        await until_seen(pilot, "flights", "3 of 3")
        await pilot.press("t")
        await until_seen(pilot, "1 of 3", "trying")
        app.session.standing = replace(app.session.standing, services=())
        await pilot.press("tab")
        await until_seen(pilot, "2 of 3", "Spark is not up")
        await pilot.pause(1.5)
        assert "Spark is not up" in seen(app) and "of_another" not in seen(app)


def test_rows_are_shown_with_as_many_columns_as_fit() -> None:
    columns = tuple(f"column_{number}" for number in range(12))
    row = ("x" * 60, None, "\x1b[2Ja", *("v",) * 9)
    tried = RowsTried(
        "dataset a", 100_000, "a", False, (Checked("mild", "v > 1", 20, 0.0002, "warns"),), columns, (row,)
    )
    lines = [line.plain for line in rows_lines(tried, 60, 0)]
    assert lines[0] == "the first 100,000 rows of a"
    assert "mild" in lines[2] and "20" in lines[2] and lines[3].strip() == "v > 1"
    assert all(len(line) <= 60 for line in lines[:-1])
    assert "NULL" in lines[-2] and "\x1b" not in lines[-2] and lines[-1].endswith("more columns: h l")
    assert rows_lines(tried, 60, 11)[-3].plain.startswith("column_11")
    assert rows_lines(replace(tried, rows=(), columns=("breaks",)), 60, 0)[-1].plain == "no row breaks a rule"


def test_a_reason_stands_beside_what_it_is_of_where_there_is_room() -> None:
    past = Past(3, utc_now(), DecisionState.UNDECIDED, "nothing was measured", {}, DecisionState.FIRED)
    tried = RuleTried("decision a", "x > 1", (past,))
    narrow, wide = ([line.plain for line in rule_lines(tried, width)[2:]] for width in (80, 120))
    assert (len(narrow), len(wide)) == (2, 1)
    assert narrow[1].strip() == "nothing was measured" and wide[0].endswith("nothing was measured")
    assert all("#3" in lines[0] and "was fired" in lines[0] for lines in (narrow, wide))


def test_the_command_says_the_same(database: Database, run: Commands) -> None:
    said = run("try", "decision", "retrain_when_worse", "--runs", "4").out
    assert said.startswith("decision retrain_when_worse would have fired 1 of 4 times: performance.roc_auc")
    assert [line.split()[0] for line in said.splitlines()[3:]] == ["#14", "#13", "#12", "#11"]
    assert run.told("try", "decision", "retrain_when_worse", "--text", "alarms > 99")["text"] == "alarms > 99"
