"""Features: point in time, for new rows within their whole context."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flows.features_sql import features_query, over_window
from metadata.errors import PilothouseError
from metadata.kinds import FeatureSet
from tests.flows.learning import FEATURES, land, sections, trips
from tests.flows.warehouse import Warehouse

pytestmark = pytest.mark.slow


def expected_shares(rows: pd.DataFrame, over: timedelta, known_after: timedelta) -> pd.Series:
    """Share of late trips of the same line in [t - over, t - known_after], by brute force."""
    late = (rows["delay"] > 10).astype(float).where(rows["delay"].notna())
    lines = rows["line"].fillna("no line")
    values = {}
    for row in rows.itertuples():
        seen = (rows["at"] >= row.at - over) & (rows["at"] <= row.at - known_after) & (lines == lines[row.Index])
        values[row.id] = late[seen].mean()
    return pd.Series(values)


def frame_of(house: Warehouse, dataset: str, columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(house.rows(dataset, columns=", ".join(columns)), columns=columns)


def test_features_of_new_rows_equal_a_full_recomputation(tmp_path: Path, spark: Any) -> None:
    house = Warehouse(tmp_path, spark)
    house.define(**sections())
    parts = [trips(20, seed=1), trips(20, seed=2, first_day=15), trips(10, seed=3, first_day=33)]
    for number, part in enumerate(parts):
        land(house, f"trips-{number}.csv", part)
        house.run("ingest", "features")
        seen = pd.concat(parts[: number + 1], ignore_index=True)
        found = frame_of(house, "features.trips", ["id", "at", *FEATURES]).set_index("id")
        assert len(found) == len(seen)
        new = part["id"]
        wanted = expected_shares(seen, timedelta(days=7), timedelta(days=1))[new]
        np.testing.assert_allclose(found.loc[new, "late_7d"].astype(float), wanted, rtol=1e-12)
        source = part.set_index("id")
        assert (found.loc[new, "hour"] == source["at"].dt.hour.astype(float)).all()
        assert found.loc[new, "line"].isna().sum() == source["line"].isna().sum() > 0
        assert found.loc[new, "temp"].isna().sum() == source["temp"].isna().sum() > 0
    again = house.run("features")
    assert again.skipped == "nothing new in bronze.trips"


def test_a_window_without_known_after_never_sees_its_own_instant(tmp_path: Path, spark: Any) -> None:
    features = {
        "before": {"expr": "count(*)", "over": "2 h"},
        "with_it": {"expr": "count(*)", "over": "2 h", "known_after": "0 s"},
        "ratio": {
            "expr": "sum(delay) / count(*) FILTER (WHERE delay > 0) -- of those that were late",
            "by": ["line"],
            "over": "30 d",
        },
    }
    house = Warehouse(tmp_path, spark)
    house.define(**sections(features=features))
    house.land(
        "trips-1.csv",
        "id,at,line,temp,delay\na,2024-01-01T08:00:00Z,A,1,4\nb,2024-01-01T08:00:00Z,A,1,-2\n"
        "c,2024-01-01T10:00:00Z,A,1,6\nd,2024-01-01T10:00:01Z,B,1,6\ne,,A,1,6\n",
    )
    house.run("ingest", "features")
    found = {row[0]: row[1:] for row in house.rows("features.trips", columns="id, before, with_it, ratio")}
    assert found == {"a": (0, 2, None), "b": (0, 2, None), "c": (2, 3, 2.0), "d": (1, 2, None)}


@pytest.mark.parametrize(
    ("feature", "cause"),
    [
        ({"expr": "delay + 1", "over": "1 d"}, "needs an aggregate"),
        ({"over": "1 d"}, "needs an aggregate"),
        ({"expr": "count(DISTINCT line)", "over": "1 d"}, "DISTINCT"),
        ({"expr": "sum(delay) OVER (ORDER BY at)", "over": "1 d"}, "window of its own"),
        ({"expr": "sum(delay)", "over": "1 d", "known_after": "2 d"}, "ends before it begins"),
        ({"expr": "sum(delay)", "over": "1 month"}, "no fixed length"),
        ({"expr": "delay", "by": ["line"]}, "has no over"),
    ],
)
def test_a_feature_that_cannot_be_computed_is_refused(feature: dict[str, Any], cause: str) -> None:
    definition = FeatureSet.model_validate(
        {"from": "x", "entity": ["id"], "event_time": "at", "features": {"odd": feature}}
    )
    with pytest.raises(PilothouseError, match=cause) as refused:
        features_query("trips", definition, "new", "all")
    assert refused.value.fault.code == "PH601"


def test_aggregates_inside_texts_and_comments_stay_as_they_are() -> None:
    expression = "avg(if(line = 'sum(x)', 1, 0)) + /* count(*) */ max(abs(min)) "
    assert over_window("s", "f", expression, "w").strip("(\n)") == (
        "avg(if(line = 'sum(x)', 1, 0)) OVER w + /* count(*) */ max(abs(min)) OVER w "
    )


def test_a_feature_that_is_no_number_and_no_text_is_refused(tmp_path: Path, spark: Any) -> None:
    house = Warehouse(tmp_path, spark)
    house.define(**sections(features={"day": {"expr": "to_date(at)"}}))
    land(house, "trips-1.csv", trips(3))
    with pytest.raises(PilothouseError, match="of type date"):
        house.run("ingest", "features")


def test_a_transform_that_became_a_task_of_features_goes_on(tmp_path: Path, spark: Any) -> None:
    house = Warehouse(tmp_path, spark)

    def define(task: dict[str, Any]) -> None:
        read = {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "raw"}
        house.define(
            datasets={
                "raw": {"columns": {"id": "string", "at": "timestamp", "x": "double"}},
                "made": {"storage": {"mode": "merge", "keys": ["id"]}},
            },
            feature_sets={"f": {"from": "raw", "entity": ["id"], "event_time": "at", "features": {"x": {}}}},
            pipelines={"flow": {"tasks": {"read": read, "make": {**task, "to": "made", "reads": {"raw": "new"}}}}},
        )

    define({"kind": "transform", "sql": "SELECT id, at, x FROM raw"})
    house.land("a.csv", "id,at,x\na,2024-01-01T00:00:00Z,1\n")
    house.run("read", "make")
    define({"kind": "features", "set": "f"})
    house.land("b.csv", "id,at,x\nb,2024-01-02T00:00:00Z,2\n")
    house.run("read", "make")
    assert sorted(house.rows("made", columns="id, x")) == [("a", 1.0), ("b", 2.0)]
