"""Inference: every row once, none that training has seen, with the version that was resolved when it was intended."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.tasks import infer
from metadata.rows.models import Appointment, champion, promote
from tests.flows.learning import day, furnished_house, land, trips, version_numbers
from tests.flows.warehouse import Warehouse

pytestmark = pytest.mark.slow

COLUMNS = "id, at, score, predicted, model_version, scored_as_of"


def predictions(house: Warehouse) -> list[tuple[Any, ...]]:
    return house.rows("predictions.trips", columns=COLUMNS)


def test_rows_are_scored_once_and_never_those_that_were_trained_on(world: Path, tmp_path: Path, spark: Any) -> None:
    house = furnished_house(world, tmp_path, spark)
    assert house.run("predict").skipped == "late has no champion yet"
    house.run("train", "predict", as_of=day(50))
    version = champion(house.database, house.plan.models["late"].uid)
    assert version is not None
    source = trips(60)
    unseen = set(source.loc[source["at"] > version.trained_until, "id"])
    first = predictions(house)
    assert {row[0] for row in first} == unseen and len(first) == len(unseen)
    assert {(row[4], row[5].replace(tzinfo=None)) for row in first} == {(1, day(50).replace(tzinfo=None))}
    assert all(0 <= row[2] <= 1 and row[3] == (row[2] >= 0.5) for row in first)
    assert len({row[3] for row in first}) == 2

    assert "nothing is new" in str(house.run("predict", as_of=day(60)).skipped)
    more = trips(5, seed=9, first_day=60)
    land(house, "trips-2.csv", more)
    outcome = house.run("ingest", "features", "predict", as_of=day(65))
    assert outcome.rows_out == len(more)
    second = predictions(house)
    assert set(first) < set(second) and len(second) == len(first) + len(more)


def test_a_line_that_training_never_saw_and_missing_values_are_scored(world: Path, tmp_path: Path, spark: Any) -> None:
    house = furnished_house(world, tmp_path, spark)
    house.run("train", as_of=day(60))
    late = (day(70)).strftime("%Y-%m-%dT%H:%M:%SZ")
    house.land(
        "trips-3.csv",
        f"id,at,line,temp,delay\nnew,{late},never seen,3,\nnull,{late},,,\nbehind,2024-01-05T08:00:00Z,A,1,\n",
    )
    house.run("ingest", "features", "predict", as_of=day(71))
    scored = {row[0]: row[2] for row in predictions(house)}
    assert {"new", "null"} <= scored.keys()
    assert "behind" not in scored


def test_what_was_intended_is_finished_with_the_version_of_the_intent(
    world: Path, tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = furnished_house(world, tmp_path, spark)
    house.run("train", as_of=day(50))
    house.run("train", as_of=day(55))

    def die(*_: Any) -> Any:
        raise KeyboardInterrupt

    run = house.start(as_of=day(56))
    with monkeypatch.context() as seam:
        seam.setattr(infer, "_fitted", die)
        with pytest.raises(KeyboardInterrupt):
            house.execute(run, "predict")
    promote(house.database, house.plan.models["late"].uid, 2, Appointment(None, "tests", "by hand", day(56)))
    house.execute(run, "predict")
    assert {row[4] for row in predictions(house)} == {1}
    house.run("predict", as_of=day(57))
    versions = {version.version: version for version in version_numbers(house)}
    rows = predictions(house)
    assert all(
        row[1].replace(tzinfo=versions[row[4]].trained_until.tzinfo) > versions[row[4]].trained_until for row in rows
    )
    assert len({row[0] for row in rows}) == len(rows)
    assert versions[2].trained_until - versions[1].trained_until > timedelta(days=2)
