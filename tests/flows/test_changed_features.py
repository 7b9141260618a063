"""A feature set that changes while a model is in use: what serves goes on serving, and nothing is NULL in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows import scoring
from flows.registry import Registry
from flows.training import inputs_of
from metadata.errors import PilothouseError
from metadata.rows.models import champion
from tests.flows.learning import FEATURES, day, furnished_house, land, sections, trips
from tests.flows.warehouse import Warehouse

pytestmark = pytest.mark.slow

WITHOUT_TEMP: dict[str, Any] = {name: feature for name, feature in FEATURES.items() if name != "temp"}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def expected_scores(house: Warehouse) -> dict[str, float]:
    """What the champion says of each row when all it reads of `temp` is NULL."""
    version = champion(house.database, house.plan.models["late"].uid)
    assert version is not None
    rows = house.spark.sql(f"SELECT * FROM delta.`{table(house)}`").toPandas().assign(temp=None)
    model = Registry.of(house.settings).model(version.source, version.tracking_run_id)
    found = scoring.scores(model, scoring.prepare(rows, inputs_of(version.features)), "binary")
    return dict(zip(rows["id"], found, strict=True))


def test_a_champion_still_serves_when_a_feature_that_it_reads_is_gone(
    world: Path, tmp_path: Path, spark: Any, caplog: pytest.LogCaptureFixture
) -> None:
    house = furnished_house(world, tmp_path / "first", spark)
    house.run("train", as_of=day(40))
    lost = "version 1 of late reads temp, missing in its features now: scored as NULL. Train late anew to mend it"
    house = furnished_house(tmp_path / "first", tmp_path / "second", spark, features=WITHOUT_TEMP)
    outcome = house.run("predict", as_of=day(60))
    wanted = expected_scores(house)
    scored = {row[0]: row[1] for row in house.rows("predictions.trips", columns="id, score")}
    assert outcome.rows_out == len(scored) > 0
    assert scored == pytest.approx({name: wanted[name] for name in scored}, abs=1e-12)
    assert outcome.note == "scored by version 1 without temp"
    assert warnings(caplog) == [lost]

    run = house.start(as_of=day(60))
    assert house.execute(run, "monitor").skipped is None
    house.execute(run, "decide")
    house.execute(run, "retrain late")
    compared = house.execute(run, "compare late")
    assert compared.skipped is None and compared.note.endswith("; version 1 without temp")
    house.execute(run, "promote late")
    assert {feature.name for feature in trained(house, 2)} == set(WITHOUT_TEMP)


def trained(house: Warehouse, version: int) -> Any:
    from metadata.rows.models import get_version

    return get_version(house.database, house.plan.models["late"].uid, version).features


def test_a_feature_that_its_table_does_not_have_yet_stops_neither_scoring_nor_watching(
    world: Path, tmp_path: Path, spark: Any, caplog: pytest.LogCaptureFixture
) -> None:
    house = furnished_house(world, tmp_path / "first", spark)
    house.run("train", as_of=day(40))
    more = {**FEATURES, "weekday": {"expr": "weekday(at)"}}
    house = furnished_house(tmp_path / "first", tmp_path / "second", spark, features=more)
    assert house.run("ingest", "features").skipped == "nothing new in bronze.trips"
    assert house.run("predict", as_of=day(60)).note == ""
    assert house.run("monitor", as_of=day(60)).skipped is None
    assert not warnings(caplog)
    with pytest.raises(PilothouseError, match=r"PH609 .*features.trips does not have it yet.*reads: all of its source"):
        house.run("train", as_of=day(60))


def test_a_version_that_needs_what_its_table_never_had_is_served_without_it(
    world: Path, tmp_path: Path, spark: Any, caplog: pytest.LogCaptureFixture
) -> None:
    house = furnished_house(world, tmp_path, spark)
    house.run("train", as_of=day(40))
    path = f"{house.settings.data}/tables/{house.plan.datasets['features.trips'].uid}"
    rows = trips(60).drop(columns=["temp", "delay"]).assign(hour=7.0, late_7d=0.5, _batch=1)
    spark.createDataFrame(rows.where(rows.notna(), None)).write.format("delta").mode("overwrite").option(
        "overwriteSchema", "true"
    ).save(path)
    forget(house, "temp")
    outcome = house.run("predict", as_of=day(60))
    assert outcome.rows_out and outcome.note == "scored by version 1 without temp"
    assert "reads temp" in caplog.text
    assert house.run("monitor", as_of=day(60)).skipped is None


def forget(house: Warehouse, column: str) -> None:
    """Let the metadata say what the table has, as if it had been written like this."""
    from sqlalchemy import update

    from metadata import tables

    state, uid = house.state("features.trips"), house.plan.datasets["features.trips"].uid
    columns = {name: kind for name, kind in state.columns.items() if name != column}
    with house.database.write() as link:
        link.execute(
            update(tables.dataset_state)
            .where(tables.dataset_state.c.dataset_uid == uid)
            .values(columns=columns, version=(state.version or 0) + 1)
        )


def test_a_dataset_of_features_that_declares_no_columns_follows_its_feature_set(
    world: Path, tmp_path: Path, spark: Any
) -> None:
    more = {**WITHOUT_TEMP, "weekday": {"expr": "weekday(at)"}}
    house = furnished_house(world, tmp_path, spark, features=more)
    new = trips(2, seed=9, first_day=60)
    land(house, "trips-2.csv", new)
    assert house.run("ingest", "features", as_of=day(62)).rows_out == len(new)
    found = {row[0]: row[1:] for row in house.rows("features.trips", columns="id, temp, weekday, hour")}
    mine = {name: found[name] for name in new["id"]}
    assert {values[0] for values in mine.values()} == {None}
    days = new.set_index("id")["at"].dt.weekday.astype(float)
    assert {name: values[1] for name, values in mine.items()} == days.to_dict()
    assert all(values[1] is None and values[2] is not None for name, values in found.items() if name not in mine)


@pytest.mark.parametrize(
    ("features", "code"),
    [(WITHOUT_TEMP, "PH210"), ({**FEATURES, "weekday": {"expr": "weekday(at)"}}, "PH211")],
)
def test_declared_columns_of_features_are_enforced(
    world: Path, tmp_path: Path, spark: Any, features: dict[str, Any], code: str
) -> None:
    house = furnished_house(world, tmp_path, spark)
    wanted = sections(features=features)
    kinds = {"id": "string", "at": "timestamp", "line": "string", "temp": "double", "hour": "double"}
    wanted["datasets"]["features.trips"]["columns"] = {**kinds, "late_7d": "double"}
    house.define(**wanted)
    land(house, "trips-2.csv", trips(2, seed=9, first_day=60))
    with pytest.raises(PilothouseError, match=code):
        house.run("ingest", "features", as_of=day(62))


def test_an_entity_that_was_renamed_is_no_feature_that_was_lost(world: Path, tmp_path: Path, spark: Any) -> None:
    house = furnished_house(world, tmp_path, spark)
    wanted = sections()
    wanted["feature_sets"]["trips"]["entity"] = ["line"]
    wanted["feature_sets"]["trips"]["features"] = WITHOUT_TEMP
    house.define(**wanted)
    land(house, "trips-2.csv", trips(2, seed=9, first_day=60))
    with pytest.raises(PilothouseError, match=r"PH210 .*column id is missing"):
        house.run("ingest", "features", as_of=day(62))


def test_rows_that_another_column_times_do_not_go_beside_those_that_are_there(
    world: Path, tmp_path: Path, spark: Any
) -> None:
    house = furnished_house(world, tmp_path, spark)
    wanted = sections()
    wanted["datasets"]["bronze.trips"]["columns"]["booked"] = "timestamp"
    wanted["feature_sets"]["trips"]["event_time"] = "booked"
    house.define(**wanted)
    rows = trips(2, seed=9, first_day=60)
    land(house, "trips-2.csv", rows.assign(booked=rows["at"]))
    with pytest.raises(PilothouseError, match=r"PH613 dataset features.trips: its rows have no booked"):
        house.run("ingest", "features", as_of=day(62))
    assert "booked" not in house.spark.table(f"delta.`{table(house)}`").columns


def table(house: Warehouse) -> str:
    return f"{house.settings.data}/tables/{house.plan.datasets['features.trips'].uid}"


def test_rows_that_were_computed_without_a_feature_are_told_and_reads_all_computes_them(
    world: Path, tmp_path: Path, spark: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def launched(number: int, features: dict[str, Any], reads: str = "new") -> list[str]:
        wanted = sections(features=features)
        wanted["pipelines"]["flow"]["tasks"]["features"]["reads"] = {"bronze.trips": reads}
        house.define(**wanted)
        land(house, f"trips-{number}.csv", trips(2, seed=number, first_day=60 + 2 * number))
        caplog.clear()
        assert house.run("ingest", "features", as_of=day(70)).rows_out
        return warnings(caplog)

    def without(column: str) -> int:
        return sum(row[0] is None for row in house.rows("features.trips", columns=column))

    remedy = "To compute them once more: reads: {bronze.trips: all} in task features (e), launch it (l), then new again"
    house = furnished_house(world, tmp_path, spark)
    more = {**FEATURES, "weekday": {"expr": "weekday(at)"}}
    assert launched(2, more) == [
        f"weekday was not computed before: it is NULL in 2,400 rows of features.trips that were. {remedy}"
    ]
    assert launched(3, more) == []
    assert launched(4, FEATURES) == []
    assert without("weekday") == 2_480
    assert launched(5, more) == [
        f"weekday was not computed before: it is NULL in 2,480 rows of features.trips that were. {remedy}"
    ]
    assert launched(6, more, "all") == []
    assert without("weekday") == 0
    assert launched(7, more) == []


def test_rows_of_a_dataset_that_appends_cannot_be_computed_once_more(
    world: Path, tmp_path: Path, spark: Any, caplog: pytest.LogCaptureFixture
) -> None:
    house = furnished_house(world, tmp_path, spark)
    wanted = sections(features={**FEATURES, "weekday": {"expr": "weekday(at)"}})
    wanted["datasets"]["features.trips"]["storage"] = {"mode": "append"}
    house.define(**wanted)
    land(house, "trips-2.csv", trips(2, seed=9, first_day=60))
    house.run("ingest", "features", as_of=day(62))
    assert [line.partition("To compute")[2] for line in warnings(caplog)] == [
        " them once more let it merge by keys first (e): it appends, and they would come twice"
    ]
