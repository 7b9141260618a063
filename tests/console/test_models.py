"""The models' screen: versions, and metric, drift and scores as plots with their names, units and levels."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import update

from console import dataset_panes
from console.app import PilothouseApp
from console.places import Place
from console.screens import listing, models, paging
from console.widgets.plot import Level, Line, Plot, PlotView
from console.widgets.rows import Rows
from metadata import tables
from metadata.database import Database
from metadata.documents import read
from metadata.revisions import apply
from metadata.rows.model_charts import model_charts
from metadata.settings import settings
from metadata.values import utc_now
from tests.console.looking import reads_held_up, screen_name, seen, until, until_seen

MakeApp = Callable[[], PilothouseApp]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
async def test_every_plot_names_its_axes_and_levels(
    database: Database, make_app: MakeApp, size: tuple[int, int]
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("5")
        await until_seen(pilot, "late_arrival", "challenger", "champion", "1–1 of 1, by key")
        await pilot.press("enter")
        await until_seen(pilot, "● v2 champion", "◆ v1", "roc_auc by window", "end of window", "2013-05-02")
        await until_seen(pilot, "v2 on its test rows 0.652")
        await pilot.press("right")
        await until_seen(pilot, "● temp", "> 0.4 !", "threshold of temp 0.4", "PSI (no unit)", "end of window")
        await pilot.press("right")
        await until_seen(pilot, "on its 16,070 test rows", "in the window that ends 2013-12-02", "share of rows")
        await until_seen(pilot, "score, in tenths of the test rows", "up to 0.033")
        await pilot.press("right")
        await until_seen(pilot, "● champion  ◆ challenger", "2013-12-02", "2013-12-02  refused  v3 0.664 against 0.668")
        await until_seen(pilot, "roc_auc on the same rows", "comparison", "2013-09-02")
        await pilot.press("right")
        await until_seen(pilot, "version 3", "64,310 rows", "carrier, origin, temp")


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
async def test_a_metric_that_is_not_finite_is_shown_as_that(
    database: Database, make_app: MakeApp, value: float
) -> None:
    with database.write() as connection:
        connection.execute(update(tables.model_version).values(metric_value=value))
        connection.execute(update(tables.outcome).where(tables.outcome.c.name == "roc_auc").values(value=value))
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await until_seen(pilot, "ATTENTION", f"roc_auc {value}")
        await pilot.press("5")
        await until_seen(pilot, "late_arrival", "challenger", str(value))


async def test_a_version_under_the_cursor_is_the_one_spoken_of(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("5")
        await until_seen(pilot, "v3", "v1")
        await pilot.press("right", "right", "j")
        await until_seen(pilot, "v3 challenger on its 16,070 test rows", "No window is counted", "above 0.413")
        assert not app.screen.query_one(PlotView).display
        await pilot.press("j")
        await until_seen(pilot, "v2 champion on its", "scores of v2")
        await pilot.press("right", "right")
        await until(pilot, lambda: "version 3" not in seen(app) and "version 2" in seen(app))


@pytest.mark.parametrize(
    ("module", "place", "keys"),
    [
        (models, Place("models"), ["left"]),
        (dataset_panes, Place("blueprint", "dataset silver.flights"), ["right", "right"]),
    ],
    ids=["models", "blueprint"],
)
async def test_ages_in_a_pane_grow(
    database: Database,
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    place: Place,
    keys: list[str],
) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(place)
        await until(pilot, lambda: bool(key_under_cursor(app)) and " ago" not in seen(app))
        await pilot.press(*keys)
        await until_seen(pilot, " ago")
        later = utc_now() + timedelta(days=365)
        monkeypatch.setattr(module, "utc_now", lambda: later)
        (first, *_) = re.findall(r"\w+ \w+ ago", seen(app))
        await until(pilot, lambda: re.findall(r"\w+ \w+ ago", seen(app))[0] != first, seconds=5)


async def test_ticks_are_chosen_for_the_width_that_there_is(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("5", "tab")
        await until_seen(pilot, "2013-05-02", "2013-11-02")
        few = seen(app).count("2013-")
        await pilot.resize_terminal(240, 48)
        await until(pilot, lambda: seen(app).count("2013-0") + seen(app).count("2013-1") > few)


async def test_keys_lead_to_lineage_and_definition(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("models", "late_arrival"))
        await until_seen(pilot, "v2 champion")
        await pilot.press("L")
        await until_seen(pilot, "Lineage ▸ late_arrival")
        await pilot.press("escape")
        await until(pilot, lambda: screen_name(app) == "models")
        await pilot.press("e")
        await until_seen(pilot, "Blueprint ▸ models", "seed: 7")


async def test_keys_that_edit_definitions_say_where_they_do(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("models", "late_arrival"))
        await until_seen(pilot, "v2 champion")
        for key in ("f", "c", "d", "R", "space"):
            await pilot.press(key)
            await until_seen(pilot, f"{key} is of the blueprint: e leads to the definition")
        await pilot.press("slash", "f", "d")
        await until_seen(pilot, "Models ▸ fd")
        assert "d is of the blueprint" not in seen(app)
        await pilot.press("escape")
        app.go(Place("runs"))
        await until_seen(pilot, "1–17 of 17")
        await pilot.press("f")
        await until_seen(pilot, "f is of the blueprint: e leads to the definition")
        await pilot.press("d")
        await until(pilot, lambda: screen_name(app) == "difference")


async def test_without_models_it_says_what_makes_one(empty_database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("5")
        await until_seen(pilot, "No models yet", "in the blueprint (3) make one")


def test_charts_hold_each_figure_at_its_window(database: Database) -> None:
    charts = model_charts(database, "late_arrival")
    assert len(charts.windows) == 8
    assert list(charts.metric) == [1, 2]
    assert charts.metric[2].values[:5] == (None,) * 5
    assert charts.metric[2].values[5:] == pytest.approx([0.649, 0.645, 0.641])
    assert [(each.feature, each.alarms) for each in charts.drift] == [
        ("temp", True),
        ("origin", False),
        ("carrier", False),
    ]
    assert charts.scores[2].window == charts.windows[-1]
    assert sum(share or 0.0 for share in charts.scores[2].shares) == pytest.approx(1.0)
    assert charts.scores[1].window == charts.windows[4]
    assert charts.scores[3].window is None
    champion = charts.holder("champion")
    assert champion is not None and champion.version == 2


def test_a_plot_without_any_value_is_empty() -> None:
    assert Plot("t", "x", "y", ["a"], [Line([None])], [Level("limit", 1.0)]).empty
    assert not Plot("t", "x", "y", ["a"], [Line([None, 0.0])]).empty


MANY = """
connections: {c: {kind: files, path: c}}
datasets:
  bronze.d: {columns: {a: long, t: timestamp}}
  features.f: {storage: {mode: merge, keys: [a]}}
feature_sets:
  f: {from: bronze.d, entity: [a], event_time: t, features: {a: {}}}
pipelines:
  p:
    tasks:
      i: {kind: ingest, from: {connection: c, files: "*.csv"}, to: bronze.d}
      f: {kind: features, set: f, to: features.f}
models:
"""
MODEL = """{predicts: {kind: regression, label: a, from: bronze.d, known_after: 1 d}, features: [f],
    estimator: {class: sklearn.linear_model.Ridge}, metric: rmse}"""


def apply_many(database: Database, folder: Path, count: int) -> None:
    """So many models."""
    path = folder / "many.yaml"
    path.write_text(MANY + "\n".join(f"  m{at:03}: {MODEL}" for at in range(count)), encoding="utf-8")
    apply(database, read(path).blueprint, author="operator", settings=settings())


def key_under_cursor(app: PilothouseApp) -> str:
    row = app.screen.query_one("#list", Rows).row
    return row.key if row is not None else ""


async def test_a_model_is_found_however_many_there_are(
    empty_database: Database, make_app: MakeApp, tmp_path: Path
) -> None:
    apply_many(empty_database, tmp_path, 120)
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        app.go(Place("models", "m110"))
        await until_seen(pilot, "Models ▸ m110", "1–120 of 120, by key")
        assert key_under_cursor(app) == "model m110"


async def test_a_jump_to_a_model_is_not_lost_while_others_are_read(
    empty_database: Database, make_app: MakeApp, tmp_path: Path
) -> None:
    apply_many(empty_database, tmp_path, 120)
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("5")
        await until_seen(pilot, "Models ▸ m000", "1–100 of 120")
        await pilot.press("1")
        await until_seen(pilot, "ATTENTION")
        with reads_held_up(app):
            await pilot.press("5")
            await pilot.pause(0.2)
            app.go(Place("models", "m110"))
            await pilot.pause(0.2)
        await until_seen(pilot, "Models ▸ m110", "1–120 of 120")
        assert key_under_cursor(app) == "model m110"
        app.go(Place("models", "m999"))
        await until_seen(pilot, "there is no model m999")


async def test_the_right_half_and_the_keys_speak_of_the_model_under_the_cursor_however_fast_it_moves(
    empty_database: Database, make_app: MakeApp, tmp_path: Path
) -> None:
    apply_many(empty_database, tmp_path, 5)
    app = make_app()
    async with app.run_test(size=(160, 30)) as pilot:
        await pilot.press("5")
        await until_seen(pilot, "Models ▸ m000")
        with reads_held_up(app):
            await pilot.press("j", "j", "j")
        await until_seen(pilot, "Models ▸ m003", "Versions   m003")
        assert key_under_cursor(app) == "model m003"
        await pilot.press("L")
        await until_seen(pilot, "Lineage ▸ m003")


async def test_the_list_of_models_grows_and_goes_on_beyond_what_it_holds(
    empty_database: Database, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (listing, paging):
        monkeypatch.setattr(module, "MOST", 150)
    apply_many(empty_database, tmp_path, 160)
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("5")
        await until_seen(pilot, "1–100 of 160, by key")
        await pilot.press("G")
        await until_seen(pilot, "1–150 of 160, by key")
        await pilot.press("G", "j")
        await until_seen(pilot, "151–160 of 160, by key", "Models ▸ m150", "m159")
        await pilot.press("k")
        await until_seen(pilot, "1–150 of 160, by key", "Models ▸ m149")
        assert key_under_cursor(app) == "model m149"
