"""The demo's months as a hand-written PySpark script: what a good engineer would write for this one pipeline, no more.

Run on the Spark server of a home in which the demo has landed its files, with its services up:
python -m tests.benchmarks.flights_by_hand --landing <home>/data/landing --tables <folder> --months 4

It shares the landed files, the Spark server and its settings with Pilothouse. It lacks what Pilothouse adds: batches
that may be repeated, quarantine, thresholds that are calibrated, a registry, rows that say what happened.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql.connect.session import SparkSession
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from flows import client

CATEGORIES = ["carrier", "origin", "dest"]
NUMBERS = [
    *("hour", "weekday", "distance", "seats", "temp", "wind_speed", "precip", "visib", "pressure"),
    "carrier_late_30d",
]
DEFAULTS = {"temp": 55.0, "wind_speed": 10.0, "precip": 0.0, "visib": 10.0}
TRAINED_IN, TESTED = 3, 0.2
WORSE, BETTER, BROKEN = 0.02, 0.002, 0.3
COOLDOWN = 2  # months
SCHEMAS = {
    "flights": "year int, month int, day int, dep_time int, sched_dep_time int, dep_delay double, arr_time int, "
    "sched_arr_time int, arr_delay double, carrier string, flight int, tailnum string, origin string, dest string, "
    "air_time double, distance double, hour int, minute int, time_hour timestamp",
    "weather": "origin string, year int, month int, day int, hour int, temp double, dewp double, humid double, "
    "wind_dir double, wind_speed double, wind_gust double, precip double, pressure double, visib double, "
    "time_hour timestamp",
    "planes": "tailnum string, year int, type string, manufacturer string, model string, engines int, seats int, "
    "speed double, engine string",
    "airports": "faa string, name string, lat double, lon double, alt double, tz double, dst string, tzone string",
    "airlines": "carrier string, name string",
}
CLEAN = """
SELECT concat_ws('-', f.carrier, f.flight, f.origin, date_format(f.time_hour, 'yyyyMMddHH')) AS flight_id,
       timestampadd(MINUTE, f.minute, f.time_hour) AS sched_dep, f.month,
       dayofweek(make_date(f.year, f.month, f.day)) AS weekday, f.hour, f.carrier, l.name AS carrier_name, f.flight,
       f.tailnum, f.origin, f.dest, d.name AS dest_name, f.distance, f.dep_delay, f.arr_delay, p.seats,
       p.year AS aircraft_year, w.temp, w.wind_speed, w.precip, w.visib, w.pressure
FROM {flights} AS f
LEFT JOIN {weather} AS w ON w.origin = f.origin AND w.time_hour = f.time_hour
LEFT JOIN {planes} AS p ON p.tailnum = f.tailnum
LEFT JOIN {airports} AS d ON d.faa = f.dest
LEFT JOIN {airlines} AS l ON l.carrier = f.carrier
WHERE f.month = {month} AND (f.arr_delay IS NULL OR f.arr_delay BETWEEN -120 AND 1500)
"""
SUMMARISE = """
SELECT carrier, origin, hour, count(*) AS flights, count(arr_delay) AS arrived, avg(arr_delay) AS mean_delay,
       percentile(arr_delay, 0.9) AS delay_p90, avg(CAST(arr_delay > 15 AS DOUBLE)) AS late_share
FROM {silver} GROUP BY carrier, origin, hour
"""
FEATURES = """
SELECT flight_id, sched_dep, carrier, origin, dest, hour, weekday, distance, seats, temp, wind_speed, precip, visib,
       pressure, carrier_late_30d
FROM (SELECT *, avg(CAST(arr_delay > 15 AS DOUBLE)) OVER (PARTITION BY carrier ORDER BY sched_dep
                RANGE BETWEEN INTERVAL '30' DAY PRECEDING AND INTERVAL '1' DAY PRECEDING) AS carrier_late_30d
      FROM {silver} WHERE sched_dep >= make_timestamp(2013, {month}, 1, 0, 0, 0) - INTERVAL '30' DAY)
WHERE month = {month}
"""
LABELLED = """
SELECT f.*, CAST(s.arr_delay > 15 AS INT) AS label FROM {features} AS f JOIN {silver} AS s USING (flight_id)
WHERE s.arr_delay IS NOT NULL AND f.sched_dep > (SELECT max(sched_dep) FROM {silver}) - INTERVAL '90' DAY
"""


@dataclass
class Champion:
    """What serves, and what it was measured with."""

    number: int
    model: Any
    trained_until: datetime
    auc: float
    bins: dict[str, list[Any]]
    counts: dict[str, np.ndarray[Any, Any]]


class Flights:
    """The pipeline: one folder of tables, one month after the other."""

    def __init__(self, spark: SparkSession, landing: Path, tables: Path) -> None:
        self.spark, self.landing, self.tables = spark, landing, tables
        self.champion: Champion | None = None
        self.challenged = -COOLDOWN

    def month(self, number: int) -> None:
        """Everything that there is to do once the files of a month have landed."""
        self.ingest(number)
        self.merge("silver", self.sql(CLEAN, month=number))
        self.sql(SUMMARISE).write.format("delta").mode("overwrite").save(str(self.tables / "gold"))
        self.merge("features", self.sql(FEATURES, month=number))
        if self.champion is None and number >= TRAINED_IN:
            self.champion = self.train()
        if self.champion is None:
            return
        self.predict(number)
        auc, worst_null = self.watch(number)
        if auc < self.champion.auc - WORSE and number - self.challenged >= COOLDOWN:
            self.challenge()
            self.challenged = number
        if worst_null <= BROKEN:
            self.merge("late_arrival", self.sql("SELECT * FROM {pending} WHERE month = {month}", month=number))

    def ingest(self, number: int) -> None:
        """Files to bronze: those of the month are appended, the lists are replaced."""
        for name in ("flights", "weather"):
            frame = self.csv(name, f"{name}-2013-{number:02d}.csv")
            if name == "weather":
                frame = frame.where("wind_speed IS NULL OR wind_speed < 200").dropDuplicates(["origin", "time_hour"])
            frame.write.format("delta").mode("append").save(str(self.tables / name))
        if number == 1:
            for name in ("planes", "airports", "airlines"):
                self.csv(name, f"{name}.csv").write.format("delta").mode("overwrite").save(str(self.tables / name))

    def train(self) -> Champion:
        """Fit on the older rows of three months, measure on the newest fifth, keep what monitoring compares with."""
        rows = self.sql(LABELLED).toPandas().sort_values(["sched_dep", "flight_id"], ignore_index=True)
        split = rows["sched_dep"].iloc[round(len(rows) * (1 - TESTED))]
        fitted, tested = rows[rows["sched_dep"] < split], rows[rows["sched_dep"] >= split]
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        model = make_pipeline(
            make_column_transformer((encoder, CATEGORIES), remainder="passthrough"),
            HistGradientBoostingClassifier(
                max_iter=200, early_stopping=False, random_state=7, categorical_features=[0, 1, 2]
            ),
        )
        model.fit(matrix(fitted), fitted["label"])
        scores = model.predict_proba(matrix(tested))[:, 1]
        bins: dict[str, list[Any]] = {name: sorted(fitted[name].dropna().unique()) for name in CATEGORIES}
        bins |= {name: _edges(fitted[name]) for name in NUMBERS}
        bins["score"] = _edges(pd.Series(scores))
        return Champion(
            number=1 if self.champion is None else self.champion.number + 1,
            model=model,
            trained_until=fitted["sched_dep"].iloc[-1].to_pydatetime().replace(tzinfo=UTC),
            auc=float(roc_auc_score(tested["label"], scores)),
            bins=bins,
            counts={name: _counts(fitted[name], bins[name]) for name in (*CATEGORIES, *NUMBERS)}
            | {"score": _counts(pd.Series(scores), bins["score"])},
        )

    def predict(self, number: int) -> None:
        """Score what has no prediction and what the champion has not been fitted on."""
        champion = self.champion
        assert champion is not None
        model, version = champion.model, champion.number

        # All that it needs goes with it: what executes it cannot import this module.
        def score(parts: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for part in parts:
                made = part[["flight_id", "sched_dep"]].copy()
                values = part[CATEGORIES + NUMBERS].copy()
                values[NUMBERS] = values[NUMBERS].astype(float).fillna(DEFAULTS)
                made["score"] = model.predict_proba(values)[:, 1] if len(part) else 0.0
                made["model_version"] = version
                made["month"] = number
                yield made

        rows = f"SELECT f.* FROM {{features}} AS f WHERE f.sched_dep > timestamp'{champion.trained_until:%F %T}+00:00'"
        if (self.tables / "pending").exists():
            rows += " AND NOT EXISTS (SELECT 1 FROM {pending} AS p WHERE p.flight_id = f.flight_id)"
        schema = "flight_id string, sched_dep timestamp, score double, model_version int, month int"
        self.merge("pending", self.sql(rows).mapInPandas(score, schema))

    def watch(self, number: int) -> tuple[float, float]:
        """AUC of the month's predictions, and the largest share of missing values; PSI of each column is stored."""
        champion = self.champion
        assert champion is not None
        tests = {name: _tests(name, bins) for name, bins in champion.bins.items()}
        counts = [f"array({', '.join(f'count_if({one})' for one in found)}) AS {name}" for name, found in tests.items()]
        scored = "{pending} AS p JOIN {features} AS f USING (flight_id) WHERE p.month = {month}"
        found = self.sql(f"SELECT {', '.join(counts)} FROM {scored}", month=number).first()
        assert found is not None
        rows = sum(found["score"])
        psi = {name: _psi(champion.counts[name], np.asarray(found[name])) for name in tests}
        nulls = {name: found[name][-1] / rows for name in tests}
        labels = self.sql(
            "SELECT p.score, CAST(s.arr_delay > 15 AS INT) AS label FROM {pending} AS p JOIN {silver} AS s "
            "USING (flight_id) WHERE p.month = {month} AND s.arr_delay IS NOT NULL",
            month=number,
        ).toPandas()
        auc = float(roc_auc_score(labels["label"], labels["score"]))
        measured = [(number, champion.number, name, psi[name], nulls[name], auc) for name in tests]
        columns = "month int, version int, name string, psi double, null_rate double, auc double"
        frame = self.spark.createDataFrame(measured, columns)
        frame.write.format("delta").mode("append").save(str(self.tables / "figures"))
        return auc, max(nulls.values())

    def challenge(self) -> None:
        """Train on the newest months; who is better on the challenger's test rows serves from then on."""
        champion, challenger = self.champion, self.train()
        assert champion is not None
        rows = self.sql(LABELLED).toPandas()
        tested = rows[rows["sched_dep"] > challenger.trained_until.replace(tzinfo=None)]
        auc = roc_auc_score(tested["label"], champion.model.predict_proba(matrix(tested))[:, 1])
        if challenger.auc >= auc + BETTER:
            self.champion = challenger

    def csv(self, name: str, file: str) -> Any:
        """A landed file."""
        return self.spark.read.csv(str(self.landing / file), schema=SCHEMAS[name], header=True, nullValue="NA")

    def sql(self, text: str, **values: int) -> Any:
        """A query that names our tables and values in braces."""
        names = [*SCHEMAS, "silver", "features", "pending"]
        return self.spark.sql(text.format(**{name: f"delta.`{self.tables / name}`" for name in names}, **values))

    def merge(self, name: str, frame: Any) -> None:
        """Rows by `flight_id` into a table that the first of them make."""
        path = self.tables / name
        if not path.exists():
            frame.write.format("delta").save(str(path))
            return
        self.spark.sql(
            f"MERGE INTO delta.`{path}` AS t USING {{source}} AS s ON t.flight_id = s.flight_id "
            "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
            source=frame,
        )


def matrix(rows: pd.DataFrame) -> pd.DataFrame:
    """The model's inputs, with their defaults."""
    made = rows[CATEGORIES + NUMBERS].copy()
    made[NUMBERS] = made[NUMBERS].astype(float).fillna(DEFAULTS)
    return made


def _edges(values: pd.Series[Any]) -> list[float]:
    return [float(edge) for edge in np.unique(values.dropna().quantile(np.arange(1, 10) / 10))]


def _counts(values: pd.Series[Any], bins: list[Any]) -> np.ndarray[Any, Any]:
    known = values.dropna()
    if known.dtype == object:
        counts = known.value_counts().reindex(bins, fill_value=0).to_numpy()
    else:
        counts = np.bincount(np.searchsorted(bins, known.astype(float)), minlength=len(bins) + 1)
    return np.append(counts, values.isna().sum())


def _tests(name: str, bins: list[Any]) -> list[str]:
    """Conditions that count a column in its bins, rows without a value last."""
    column = f"p.{name}" if name == "score" else f"f.{name}"
    if name in CATEGORIES:
        return [*(f"{column} = '{one}'" for one in bins), f"{column} IS NULL"]
    low = [None, *bins]
    high = [*bins, None]
    between = [
        " AND ".join(
            [*([f"{column} > {a!r}"] if a is not None else []), *([f"{column} <= {b!r}"] if b is not None else [])]
        )
        for a, b in zip(low, high, strict=True)
    ]
    return [*between, f"{column} IS NULL"]


def _psi(expected: np.ndarray[Any, Any], actual: np.ndarray[Any, Any]) -> float:
    first, second = ((side + 0.5) / (side.sum() + 0.5 * side.size) for side in (expected, actual))
    return float(np.sum((second - first) * np.log(second / first)))


def main() -> None:
    """Play the months and print how long each took."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--landing", type=Path, required=True)
    options.add_argument("--tables", type=Path, required=True)
    options.add_argument("--months", type=int, default=4)
    given = options.parse_args()
    flights = Flights(SparkSession.builder.remote(client.spark_remote()).getOrCreate(), given.landing, given.tables)
    for number in range(1, given.months + 1):
        began = time.perf_counter()
        flights.month(number)
        print(f"month {number:2}  {time.perf_counter() - began:6.2f} s")


if __name__ == "__main__":
    main()
