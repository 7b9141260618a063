"""Champion and challenger on rows that neither has seen, and what follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from flows.context import Figure
from flows.tasks.compare import interval
from flows.training import advantage, good_enough, metric, metrics
from metadata.kinds import Model
from metadata.rows.models import alias_changes, champion
from tests.flows import watching
from tests.flows.learning import MODEL, day, furnished_house, trips, version_numbers
from tests.flows.warehouse import Warehouse
from tests.flows.watching import Watched


def figures(outcome: Any) -> dict[str, float]:
    return {figure.name: figure.value for figure in outcome.figures}


def serving(house: Warehouse) -> int | None:
    held = champion(house.database, house.plan.models["late"].uid)
    return held.version if held else None


@pytest.mark.slow
def test_a_challenger_is_judged_on_rows_that_are_new_to_both(world: Path, tmp_path: Path, spark: Any) -> None:
    house = furnished_house(world, tmp_path, spark)
    run = house.start(as_of=day(30))
    house.execute(run, "train")
    assert house.execute(run, "compare late").skipped == "late has no challenger to compare"
    assert house.execute(run, "promote late").skipped == "late has no challenger"
    run = house.start(as_of=day(60))
    house.execute(run, "retrain late")
    outcome = house.execute(run, "compare late")
    new, old = version_numbers(house)
    source = trips(60).set_index("id")
    rows = source[(source["at"] >= new.tested_from) & (source["at"] <= new.tested_until) & source["delay"].notna()]
    found = figures(outcome)
    assert found["rows"] == len(rows) == new.rows_tested
    assert old.trained_until < rows["at"].min()
    assert found["challenger"] == pytest.approx(new.metric_value, abs=1e-9)
    assert found["difference"] == pytest.approx(found["challenger"] - found["champion"])
    assert found["difference_low"] < found["difference"] < found["difference_high"]
    assert found["better"] == float(found["difference"] > 0)
    house.execute(run, "predict")
    scored = {row[0]: row[1] for row in house.rows("predictions.trips", columns="id, score")}
    champions = [scored[name] for name in rows.index]
    assert found["champion"] == pytest.approx(roc_auc_score(rows["delay"] > 10, champions), abs=1e-9)


@pytest.mark.slow
def test_the_same_model_again_and_a_worse_one_are_refused(world: Path, tmp_path: Path, spark: Any) -> None:
    house = furnished_house(world, tmp_path, spark)
    house.run("train", as_of=day(60))
    twin = house.start(as_of=day(60))
    house.execute(twin, "retrain late")
    same = figures(house.execute(twin, "compare late"))
    assert (same["difference"], same["better"]) == (0.0, 0.0)
    worse = {"estimator": {"class": "sklearn.dummy.DummyClassifier", "params": {"strategy": "prior"}}}
    poor = furnished_house(tmp_path, tmp_path / "poor", spark, model=worse)
    run = poor.start(as_of=day(60))
    poor.execute(run, "retrain late")
    found = figures(poor.execute(run, "compare late"))
    assert found["better"] == 0.0 and found["difference_high"] < 0


@pytest.mark.slow
def test_a_better_challenger_is_promoted_once_in_our_rows_and_in_mlflow(
    world: Path, tmp_path: Path, spark: Any
) -> None:
    from mlflow import MlflowClient

    blind = {"estimator": {"class": "sklearn.dummy.DummyClassifier"}, "promote_when": {}}
    house = furnished_house(world, tmp_path / "first", spark, model=blind)
    house.run("train", as_of=day(30))
    house = furnished_house(tmp_path / "first", tmp_path / "second", spark)
    run = house.start(as_of=day(60))
    house.execute(run, "retrain late")
    found = figures(house.execute(run, "compare late"))
    assert (found["better"], found["champion"], found["challenger_version"]) == (1.0, 0.5, 2.0)
    for _ in range(2):
        house.execute(run, "promote late")
    assert serving(house) == 2
    changes = alias_changes(house.database, house.plan.models["late"].uid)
    assert [(change.alias, change.version) for change in changes] == [
        ("challenger", None),
        ("champion", 2),
        ("challenger", 2),
        ("champion", 1),
    ]
    assert changes[1].run_id == run.id and changes[1].reason == "promoted over version 1"
    client = MlflowClient(f"sqlite:///{house.settings.home / 'mlflow.db'}")
    name = version_numbers(house)[0].source.split("/")[1]
    aliases = client.get_registered_model(name).aliases
    assert {alias: int(version) for alias, version in aliases.items()} == {"champion": 2}


@pytest.mark.slow
def test_too_few_common_rows_leave_it_undecided(world: Path, tmp_path: Path, spark: Any) -> None:
    few = {"trained_on": {"window": "12 d", "test": "15 %"}, "promote_when": {}}
    house = furnished_house(world, tmp_path, spark, model=few)
    house.run("train", as_of=day(30))
    run = house.start(as_of=day(40))
    house.execute(run, "retrain late")
    assert "mature rows are new to both versions" in str(house.execute(run, "compare late").skipped)


def test_a_version_that_came_after_the_comparison_is_not_promoted_on_its_word(tmp_path: Path) -> None:
    house = Watched(tmp_path, None)
    house.define(**watching.sections())
    uid, run = house.plan.models["risk"].uid, house.start()
    rows = watching.events(-20, 20, per_day=50)
    house.trained(1, rows)
    house.trained(2, rows, run.id, champion=False)
    house.say(run, Figure("challenger_version", 2.0, "model", uid), task="compare risk")
    house.trained(3, rows, "another", champion=False)
    outcome = house.execute(run, "promote risk")
    assert outcome.skipped == "version 2 of risk was compared, and it is no longer the challenger: version 3 is"
    held = champion(house.database, uid)
    assert held is not None and held.version == 1


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_the_interval_holds_the_difference_and_is_the_same_each_time(name: str) -> None:
    model = Model.model_validate({**MODEL, "metric": name})
    draw = np.random.default_rng(0)
    labels = (draw.random(2_000) < 0.3).astype(float)
    good, poor = labels + draw.normal(0, 1, 2_000), labels + draw.normal(0, 3, 2_000)
    low, high = interval(model, labels, (poor, good))
    values = [metric(name, labels, scores) or 0.0 for scores in (poor, good)]
    assert 0 < low < values[1] - values[0] < high
    assert (low, high) == interval(model, labels, (poor, good))
    low, high = interval(model, labels, (poor, labels + draw.normal(0, 3, 2_000)))
    assert low < 0 < high
    assert interval(model, labels, (poor, poor)) == (0.0, 0.0)


def test_the_interval_is_as_wide_as_the_differences_of_repeated_samples() -> None:
    model, draw = Model.model_validate(MODEL), np.random.default_rng(5)
    differences, widths = [], []
    for _ in range(200):
        labels = (draw.random(400) < 0.4).astype(float)
        shared = draw.normal(0, 1, 400)
        pair = (labels + shared + draw.normal(0, 1, 400), labels + shared + draw.normal(0, 0.5, 400))
        differences.append(roc_auc_score(labels, pair[1]) - roc_auc_score(labels, pair[0]))
        low, high = interval(model, labels, pair)
        widths.append((high - low) / (2 * 1.96))
    assert np.mean(widths) == pytest.approx(np.std(differences), rel=0.15)


@given(st.sampled_from(["roc_auc", "rmse", "log_loss"]), st.floats(0, 1), st.floats(0, 1))
def test_lower_is_better_for_errors(name: str, left: float, right: float) -> None:
    assert advantage(name, left, right) == -advantage(name, right, left)
    better = left > right if name == "roc_auc" else left < right
    assert (advantage(name, challenger=left, champion=right) > 0) == better
    assert good_enough(name, left, right) == (better or left == right)
    assert good_enough(name, None, None) and not good_enough(name, None, right)


def test_a_metric_without_a_value_is_left_out() -> None:
    ones = np.ones(5)
    assert "roc_auc" not in metrics("binary", ones, ones / 2)
    assert metrics("binary", ones[:0], ones[:0]) == {}
    assert "r2" not in metrics("regression", ones[:1], ones[:1])
    with np.errstate(over="ignore"):
        assert set(metrics("regression", np.array([1.0, 2.0]), np.array([1e200, 2.0]))) == {"mae"}
