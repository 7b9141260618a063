"""Training, registration and aliases, on real Spark and a real MLflow store."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import roc_auc_score

from flows.registry import Registry
from flows.tasks import train as train_task
from metadata.reference import ModelReference
from metadata.rows.models import alias_changes, challenger, champion
from tests.flows.learning import MODEL, day, furnished_house, land, open_house, trips, version_numbers
from tests.flows.warehouse import Warehouse

pytestmark = pytest.mark.slow


def uid(house: Warehouse) -> str:
    return house.plan.models["late"].uid


def test_the_first_version_that_is_good_enough_becomes_champion(tmp_path: Path, spark: Any, world: Path) -> None:
    house = furnished_house(world, tmp_path, spark)
    outcome = house.run("train", as_of=day(60))
    version = champion(house.database, uid(house))
    assert version is not None and version.version == 1
    source = trips(60)
    mature = source[source["delay"].notna() & (source["at"] <= day(60) - timedelta(days=1))]
    assert version.rows_trained + version.rows_tested == len(mature) == outcome.rows_in
    assert version.rows_tested / len(mature) == pytest.approx(0.25, abs=0.02)
    assert version.trained_from == mature["at"].min()
    assert version.tested_until == mature["at"].max()
    assert version.trained_until < version.tested_from
    figures = {(figure.name, figure.slice): figure.value for figure in outcome.figures}
    assert figures["trained", ""] == 1.0
    assert figures["roc_auc", "version:1"] == version.metric_value
    assert version.metric_value is not None and version.metric_value > 0.6
    reference = ModelReference.model_validate(version.reference)
    assert reference.features["temp"].rows == version.rows_trained
    assert reference.features["temp"].null_rate == pytest.approx(0.1, abs=0.03)
    assert reference.score.rows == version.rows_tested


def test_mlflow_holds_the_same_version_with_signature_and_alias(tmp_path: Path, spark: Any, world: Path) -> None:
    import mlflow.sklearn
    from mlflow import MlflowClient

    house = furnished_house(world, tmp_path, spark)
    house.run("train", as_of=day(60))
    version = version_numbers(house)[0]
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    name = version.source.split("/")[1]
    held = client.get_model_version_by_alias(name, "champion")
    assert (int(held.version), held.run_id) == (1, version.tracking_run_id)
    run = client.get_run(version.tracking_run_id)
    assert run.data.metrics["roc_auc"] == pytest.approx(version.metric_value)
    assert run.inputs.dataset_inputs[0].dataset.digest == version.digest[:32]
    files = client.get_model_version_download_uri(name, "1")
    signature = mlflow.models.get_model_info(files).signature
    assert {column.name: column.type.name for column in signature.inputs} == {
        "line": "string",
        "temp": "double",
        "hour": "double",
        "late_7d": "double",
    }
    assert mlflow.sklearn.load_model(files).named_steps["estimator"].max_iter == 20


def test_training_waits_for_history_and_says_how_much_is_there(tmp_path: Path, spark: Any, store: Path) -> None:
    house = open_house(tmp_path, spark, store)
    assert house.run("train").skipped == "features.trips was never written"
    land(house, "trips-1.csv", trips(15))
    house.run("ingest", "features", as_of=day(15))
    assert house.run("train", as_of=day(0)).skipped == "no row has a mature label yet"
    assert house.run("train", as_of=day(15)).skipped == "14 d of 20 d of history are there"
    assert version_numbers(house) == []


def test_a_version_below_at_least_stays_challenger_with_the_reason(tmp_path: Path, spark: Any, world: Path) -> None:
    house = furnished_house(world, tmp_path, spark, model={"promote_when": {"at_least": 0.99}})
    house.run("train", as_of=day(60))
    assert champion(house.database, uid(house)) is None
    waiting = challenger(house.database, uid(house))
    assert waiting is not None and waiting.version == 1
    assert "to serve it must reach 0.99" in alias_changes(house.database, uid(house))[0].reason


def test_the_same_task_of_a_run_never_registers_twice(
    tmp_path: Path, spark: Any, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = furnished_house(world, tmp_path, spark)
    run = house.start(as_of=day(60))

    def die(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as seam:
        seam.setattr(train_task, "record_version", die)
        with pytest.raises(KeyboardInterrupt):
            house.execute(run, "train")
    assert version_numbers(house) == []
    with monkeypatch.context() as seam:
        seam.setattr(Registry, "align", die)
        with pytest.raises(KeyboardInterrupt):
            house.execute(run, "train")
    assert [version.version for version in version_numbers(house)] == [1]
    first = house.execute(run, "train")
    second = house.execute(run, "train")
    assert first.figures == second.figures
    assert [version.version for version in version_numbers(house)] == [1]
    house.run("train", as_of=day(60))
    assert [version.version for version in version_numbers(house)] == [2, 1]
    held = champion(house.database, uid(house))
    assert held is not None and held.version == 1


@pytest.mark.parametrize("labelled_days", [60, 55, 30])
@pytest.mark.parametrize("min_history", ["20 d", "28 d"])
def test_the_window_reaches_back_from_the_newest_mature_row(
    tmp_path: Path, spark: Any, world: Path, labelled_days: int, min_history: str
) -> None:
    known_until = day(labelled_days)
    label = f"CASE WHEN at < timestamp'{known_until:%F %T}+00:00' THEN delay > 10 END"
    trained_on = {"window": "20 d", "test": "20 %", "min_history": min_history}
    predicts = {**MODEL["predicts"], "label": label}
    house = furnished_house(world, tmp_path, spark, model={"predicts": predicts, "trained_on": trained_on})
    house.run("train", as_of=day(60))
    version = version_numbers(house)[0]
    source = trips(60)
    mature = source[source["delay"].notna() & (source["at"] < known_until) & (source["at"] <= day(59))]["at"]
    expected = mature[mature > mature.max() - timedelta(days=20)]
    assert version.rows_trained + version.rows_tested == len(expected)
    assert (version.trained_from, version.tested_until) == (expected.min(), expected.max())


def test_scores_of_the_stored_model_are_those_that_were_measured(tmp_path: Path, spark: Any, world: Path) -> None:
    house = furnished_house(world, tmp_path, spark)
    house.run("train", "predict", as_of=day(60))
    version = version_numbers(house)[0]
    late = trips(60).set_index("id")
    tested = [row for row in house.rows("predictions.trips") if late.loc[row[0], "at"] <= version.tested_until]
    known = [
        (late.loc[row[0], "delay"] > 10, row[2])
        for row in tested
        if late.loc[row[0], "delay"] == late.loc[row[0], "delay"]
    ]
    assert len(known) == version.rows_tested
    assert roc_auc_score(*zip(*known, strict=True)) == pytest.approx(version.metric_value, abs=1e-9)


def test_regression(tmp_path: Path, spark: Any, world: Path) -> None:
    model = {
        "predicts": {"label": "delay", "from": "bronze.trips", "kind": "regression", "known_after": "1 d"},
        "estimator": {"class": "sklearn.ensemble.HistGradientBoostingRegressor"},
        "metric": "mae",
        "promote_when": {"at_least": 9},
    }
    house = furnished_house(world, tmp_path, spark, model=model)
    house.run("train", "predict", as_of=day(30))
    version = champion(house.database, uid(house))
    assert version is not None and set(version.reference["performance"]) == {"mae", "rmse", "r2"}
    rows = house.rows("predictions.trips")
    assert rows and all(row[2] == row[3] for row in rows)


def test_rows_that_allow_no_fit_are_a_reason_not_a_failure(tmp_path: Path, spark: Any, world: Path) -> None:
    predicts = {"label": "delay > 1000", "from": "bronze.trips"}
    house = furnished_house(world, tmp_path, spark, model={"predicts": predicts})
    assert "have the same label" in str(house.run("train", as_of=day(30)).skipped)
    assert dataclasses.asdict(house.run("predict", as_of=day(30)))["skipped"] == "late has no champion yet"
