"""A small world for tests of features and models: trips of bus lines, whose delays follow line, hour and frost."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metadata.rows.models import ModelVersion, versions
from tests.flows.warehouse import Warehouse

START = datetime(2024, 1, 1, tzinfo=UTC)
MODEL: dict[str, Any] = {
    "predicts": {"label": "delay > 10", "from": "bronze.trips", "known_after": "1 d"},
    "features": ["trips"],
    "estimator": {"class": "sklearn.ensemble.HistGradientBoostingClassifier", "params": {"max_iter": 20}, "seed": 3},
    "trained_on": {"window": "60 d", "min_history": "20 d", "test": "25 %"},
    "promote_when": {"at_least": 0.55},
}
FEATURES: dict[str, Any] = {
    "line": {},
    "temp": {"default": 5},
    "hour": {"expr": "hour(at)"},
    "late_7d": {
        "expr": "avg(CAST(delay > 10 AS DOUBLE))",
        "by": ["line"],
        "over": "7 d",
        "known_after": "1 d",
    },
}


def sections(model: dict[str, Any] | None = None, features: dict[str, Any] | None = None) -> dict[str, Any]:
    """A blueprint: trips → features → model → predictions, watched, with the tasks that a decision may start."""
    keys = {"storage": {"mode": "merge", "keys": ["id"]}}
    columns = {"id": "string", "at": "timestamp", "line": "string", "temp": "double", "delay": "double"}
    return {
        "datasets": {
            "bronze.trips": {"columns": columns, **keys},
            "features.trips": dict(keys),
            "predictions.trips": dict(keys),
        },
        "feature_sets": {
            "trips": {"from": "bronze.trips", "entity": ["id"], "event_time": "at", "features": features or FEATURES}
        },
        "models": {"late": {**MODEL, **(model or {})}},
        "monitors": {"watch": {"model": "late", "predictions": "predictions.trips", "watch": {"features": ["psi"]}}},
        "decisions": {"worse": {"after": "watch", "when": "worst(psi) > 9.0", "then": {"retrain": "late"}}},
        "pipelines": {
            "flow": {
                "tasks": {
                    "ingest": {
                        "kind": "ingest",
                        "from": {"connection": "landing", "files": "trips-*.csv"},
                        "to": "bronze.trips",
                    },
                    "features": {
                        "kind": "features",
                        "set": "trips",
                        "to": "features.trips",
                        "reads": {"bronze.trips": "new"},
                    },
                    "train": {"kind": "train", "model": "late", "when": "champion == null"},
                    "predict": {"kind": "infer", "model": "late", "to": "predictions.trips"},
                    "monitor": {"kind": "monitor", "monitor": "watch"},
                    "decide": {"kind": "decide", "decisions": ["worse"]},
                }
            }
        },
    }


def trips(days: int, seed: int = 1, first_day: int = 0, per_day: int = 40) -> pd.DataFrame:
    """Trips of some days: several at one instant, temperatures and delays missing, a day without any in between."""
    draw = np.random.default_rng(seed)
    count = days * per_day
    day = draw.integers(first_day, first_day + days, count)
    day = np.where(day % 9 == 4, day + 1, day)
    hour = draw.integers(5, 23, count)
    line = draw.choice(["A", "B,2", "C é", "D"], count, p=[0.4, 0.3, 0.2, 0.1])
    temp = np.where(draw.random(count) < 0.1, np.nan, np.round(draw.normal(4, 6, count), 1))
    risk = (line == "A") * 6 + (hour > 15) * 6 + (temp < 0) * 5
    delay = np.where(draw.random(count) < 0.05, np.nan, np.round(draw.normal(risk, 6), 1))
    return pd.DataFrame(
        {
            "id": [f"{seed}-{number}" for number in range(count)],
            "at": [START + timedelta(days=int(d), hours=int(h)) for d, h in zip(day, hour, strict=True)],
            "line": np.where(draw.random(count) < 0.02, None, line),
            "temp": temp,
            "delay": delay,
        }
    )


def land(house: Warehouse, name: str, rows: pd.DataFrame) -> None:
    """Put trips into the landing folder."""
    house.land(name, rows.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ"))


def open_house(folder: Path, spark: Any, store: Path, **changes: Any) -> Warehouse:
    """A home with its own copy of an empty model registry."""
    house = Warehouse(folder, spark)
    shutil.copy(store, house.settings.home / "mlflow.db")
    house.define(**sections(**changes))
    return house


def furnished_house(world: Path, folder: Path, spark: Any, **changes: Any) -> Warehouse:
    """A copy of a home in which 60 days of trips have their features, with another model if so wished."""
    shutil.copytree(world, folder, dirs_exist_ok=True)
    house = Warehouse(folder, spark)
    house.define(**sections(**changes))
    return house


def day(number: int) -> datetime:
    """The instant so many days after the first trips, six in the morning."""
    return START + timedelta(days=number, hours=6)


def version_numbers(house: Warehouse) -> list[ModelVersion]:
    """All versions of the model, newest first."""
    return versions(house.database, house.plan.models["late"].uid)
