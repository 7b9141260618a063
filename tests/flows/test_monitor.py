"""Monitors on a real Spark: what is measured, when, beside which reference, and when it alarms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sqlalchemy import update

from flows.statistics import category_distribution, numeric_distribution, psi
from metadata import tables
from metadata.errors import PilothouseError
from metadata.reference import ModelReference
from metadata.rows.models import get_version
from tests.flows.watching import Watched, day, events, sections

pytestmark = pytest.mark.slow

World = Callable[..., Watched]
QUIET = events(0, 24)
X_SHIFTS, C_IS_NEW, SCORES_SHRINK, X_IS_MISSING, NEXT_VERSION = 10_400, 13_300, 16_200, 19_500, 22_600


def broken_stream() -> pd.DataFrame:
    """A stream that breaks in several ways, each at a row of its own, and is scored by another version at the end."""
    frame, row = events(0, 24, seed=2), np.arange(24_000)
    frame.loc[row >= X_SHIFTS, "x"] += 1.5
    frame.loc[row >= C_IS_NEW, "c"] = "never seen"
    frame.loc[row >= SCORES_SHRINK, "score"] *= 0.5
    frame.loc[(row >= X_IS_MISSING) & (row % 2 == 0), "x"] = np.nan
    frame.loc[row >= NEXT_VERSION, "model_version"] = 2
    return frame


def planted(folder: Path, spark: Any, frame: pd.DataFrame) -> Watched:
    """A world with a champion, trained on the 20 days before day 0, that has scored these rows."""
    made = Watched(folder, spark)
    made.define(**sections())
    made.trained(1, events(-20, 20))
    made.score(frame)
    return made


@pytest.fixture(scope="module")
def quiet_world(tmp_path_factory: pytest.TempPathFactory, spark: Any) -> Watched:
    return planted(tmp_path_factory.mktemp("quiet"), spark, QUIET)


@pytest.fixture
def quiet(quiet_world: Watched, tmp_path: Path) -> World:
    """A fresh copy of the world in which nothing changes, with a monitor as is asked for."""

    def make(**monitor: Any) -> Watched:
        made = quiet_world.copy(tmp_path)
        made.define(**sections(monitor=monitor))
        return made

    return make


def test_figures_equal_those_of_pandas(quiet: World) -> None:
    world = quiet()
    run, outcome = world.watch(day(3))
    first = QUIET.iloc[:1000]
    model = world.plan.models["risk"].uid
    known = ModelReference.model_validate(get_version(world.database, model, 1).reference)
    assert world.figures(run, "rows") == {0: 1000, 1: 1000, 2: 1000} and outcome.rows_in == 3000
    assert world.figures(run, "null_rate", "x")[0] == pytest.approx(first["x"].isna().mean())
    assert world.figures(run, "null_rate", "c")[0] == 0
    numbers = numeric_distribution(first["x"].to_numpy(), known.features["x"].edges)
    texts = category_distribution(first["c"].to_numpy(), known.features["c"].categories)
    scores = numeric_distribution(first["score"].to_numpy(), known.score.edges)
    assert world.figures(run, "psi", "x")[0] == pytest.approx(psi(known.features["x"].counts, numbers.counts))
    assert world.figures(run, "psi", "c")[0] == pytest.approx(psi(known.features["c"].counts, texts.counts))
    assert world.figures(run, "prediction_psi")[0] == pytest.approx(psi(known.score.counts, scores.counts))
    assert world.figures(run, "roc_auc")[0] == pytest.approx(roc_auc_score(first["happened"], first["score"]))


def test_performance_waits_for_labels_and_a_window_is_measured_again_when_more_are_mature(quiet: World) -> None:
    world = quiet()
    run, _ = world.watch(day(3))
    assert world.figures(run, "labels") == {0: 1000, 1: 1000, 2: 1}
    assert world.figures(run, "roc_auc")[2] is None
    _, outcome = world.watch(day(3).replace(minute=10))
    assert outcome.figures and {figure.window_start for figure in outcome.figures} == {day(2)}
    later, _ = world.watch(day(4))
    assert world.figures(later, "labels") == {2: 1000, 3: 1}
    assert world.figures(later, "roc_auc")[2] is not None


def test_nothing_new_is_skipped_and_a_replay_measures_what_it_did_the_first_time(quiet: World) -> None:
    world = quiet()
    run, first = world.watch(day(2))
    world.watch(day(26))
    _, outcome = world.watch(day(27))
    assert outcome.skipped == "no window has new predictions or newly mature labels"
    _, again = world.watch(day(2), run)
    assert again.figures == first.figures


def test_a_row_is_never_measured_with_a_version_that_was_trained_on_it(quiet: World) -> None:
    world = quiet()
    until = QUIET["at"].iloc[4_299].to_pydatetime()
    with world.database.write() as connection:
        connection.execute(update(tables.model_version).values(trained_until=until))
    run, _ = world.watch(day(6))
    assert world.figures(run, "rows") == {4: 700, 5: 1000}


def test_too_few_rows_are_undecided_and_say_so(quiet: World) -> None:
    world = quiet(threshold={"kind": "calibrated", "min_rows": 1_001})
    run, outcome = world.watch(day(3))
    found = {(figure.name, figure.slice): figure for figure in outcome.figures if figure.window_start == day(0)}
    for name in (("psi", "x"), ("null_rate", "c"), ("prediction_psi", ""), ("roc_auc", "")):
        assert found[name].value is None and found[name].text.startswith("1,000 ")
        assert found[name].text.endswith("of the 1,001 that are needed")
    assert world.figures(run, "alarm") == {} and world.figures(run, "alarm", "x") == {}


def test_months_are_those_of_the_time_zone(quiet: World) -> None:
    world = quiet(window="month", threshold={"kind": "fixed", "limits": {}})
    world.plan = world.plan.model_copy(update={"timezone": "America/New_York"})
    _, outcome = world.watch(day(24))
    windows = {
        (figure.window_start.isoformat(), figure.window_end.isoformat()): figure.value
        for figure in outcome.figures
        if figure.name == "rows" and not figure.slice and figure.window_start and figure.window_end
    }
    december = int((QUIET["at"] < "2024-01-01T05:00:00Z").sum())
    assert windows == {
        ("2023-12-01T05:00:00+00:00", "2024-01-01T05:00:00+00:00"): december,
        ("2024-01-01T05:00:00+00:00", "2024-02-01T05:00:00+00:00"): 24_000 - december,
    }


def test_fixed_limits_alarm_on_the_side_that_is_worse(quiet: World) -> None:
    limits = {"psi": 5.0, "null_rate": 0.05, "roc_auc": 0.99}
    world = quiet(threshold={"kind": "fixed", "limits": limits, "min_rows": 10})
    run, outcome = world.watch(day(1))
    assert world.figures(run, "alarm", "x") == {0: 1.0}
    assert world.figures(run, "alarm", "c") == {0: 0.0}
    later, after = world.watch(day(2))
    assert world.figures(later, "alarm")[0] == 1.0 and world.figures(later, "roc_auc_threshold")[0] == 0.99
    alarms = [figure for figure in (*outcome.figures, *after.figures) if figure.name == "alarm"]
    texts = {figure.slice: figure.text for figure in alarms if figure.value}
    assert "null_rate" in texts["x"] and "psi" not in texts["x"] and texts[""].startswith("roc_auc")


def test_a_stream_in_which_nothing_changes_raises_no_alarm(quiet: World) -> None:
    world = quiet()
    run, _ = world.watch(day(26))
    for part in ("x", "c", ""):
        assert world.figures(run, "alarm", part) == dict.fromkeys(range(24), 0.0)


def test_without_a_least_effect_alarms_are_as_rare_as_three_sigmas_are(quiet: World) -> None:
    world = quiet(threshold={"kind": "calibrated", "min_rows": 500, "min_effect": 0.0, "chunks": 30})
    run, _ = world.watch(day(26))
    alarms = [value for part in ("x", "c", "") for value in world.figures(run, "alarm", part).values()]
    assert len(alarms) == 72 and sum(value or 0.0 for value in alarms) <= 5


def test_each_break_is_found_in_the_window_of_its_row(tmp_path: Path, spark: Any) -> None:
    frame = broken_stream()
    world = planted(tmp_path, spark, frame)
    world.trained(2, events(-10, 10, seed=5))
    run, outcome = world.watch(day(26))
    breaks = {"x": X_SHIFTS // 1000, "c": C_IS_NEW // 1000, "": SCORES_SHRINK // 1000}
    for part, first in breaks.items():
        expected = {number: float(number >= first) for number in range(24)}
        found = world.figures(run, "alarm", part)
        assert found.items() >= {number: expected[number] for number in range(22)}.items()
    missing = X_IS_MISSING // 1000
    said = {
        figure.window_start: "null_rate" in figure.text
        for figure in outcome.figures
        if figure.name == "alarm" and figure.slice == "x"
    }
    assert [number for number in range(22) if said[day(number)]] == list(range(missing, 22))

    assert world.figures(run, "version") == {**dict.fromkeys(range(22), 1.0), 22: 2.0, 23: 2.0}
    assert world.figures(run, "rows")[22] == 400
    assert world.figures(run, "rows", "version:1")[22] == 600
    assert world.figures(run, "psi", "x")[22] is None
    auc = roc_auc_score(frame["happened"].iloc[22_000:22_600], frame["score"].iloc[22_000:22_600])
    assert world.figures(run, "roc_auc", "version:1")[22] == pytest.approx(auc)


def test_nothing_was_predicted_yet(tmp_path: Path, spark: Any) -> None:
    world = Watched(tmp_path, spark)
    world.define(**sections())
    _, outcome = world.watch(day(1))
    assert outcome.skipped is not None and outcome.skipped.endswith("was never written")


def test_a_version_without_a_reference_is_said(quiet: World) -> None:
    world = quiet()
    with world.database.write() as connection:
        connection.execute(update(tables.model_version).values(reference={}))
    with pytest.raises(PilothouseError, match="PH701"):
        world.watch(day(1))
