"""A small world for tests of monitors and decisions: scored rows whose features can be made to drift at a known row."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from flows import engine
from flows.batches import table_path
from flows.context import Figure, Outcome
from flows.schema import types_of
from flows.statistics import build_reference
from flows.training import metrics
from metadata.intents import Intent
from metadata.rows.batches import Owner, Written, close_batch, open_batch, state_of
from metadata.rows.models import Appointment, ModelFeature, ModelVersion, promote, record_version
from metadata.rows.outcomes import figures_of_run, record_figures
from metadata.rows.runs import Run
from metadata.settings import Settings
from tests.flows.warehouse import Warehouse

START = datetime(2024, 1, 1, tzinfo=UTC)
FEATURES = ("x", "c")


def sections(monitor: Mapping[str, Any] | None = None, decisions: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A blueprint: events → features → model → predictions, watched by day, decided on, published."""
    keys = {"storage": {"mode": "merge", "keys": ["id"]}}
    watch = {
        "model": "risk",
        "predictions": "predictions.pending",
        "window": "day",
        "watch": {"features": ["psi", "null_rate"], "prediction": ["psi"], "performance": ["roc_auc"]},
        "threshold": {"kind": "calibrated", "min_rows": 500},
        **(monitor or {}),
    }
    rules = decisions or {
        "retrain_when_worse": {
            "after": "watch",
            "when": "performance.roc_auc < champion.roc_auc - 0.1",
            "then": {"retrain": "risk"},
            "cooldown": "10 d",
        }
    }
    publish = {
        "kind": "transform",
        "to": "predictions.published",
        "sql": "SELECT * FROM predictions.pending",
        "reads": {"predictions.pending": "new"},
        "after": ["decide"],
    }
    tasks = {
        "features": {"kind": "features", "set": "events", "to": "features.events"},
        "train": {"kind": "train", "model": "risk", "when": "champion == null"},
        "predict": {"kind": "infer", "model": "risk", "to": "predictions.pending"},
        "watch": {"kind": "monitor", "monitor": "watch"},
        "decide": {"kind": "decide", "decisions": list(rules)},
        "publish": publish,
    }
    return {
        "datasets": {
            "silver.events": dict(keys),
            "features.events": dict(keys),
            "predictions.pending": dict(keys),
            "predictions.published": dict(keys),
        },
        "feature_sets": {
            "events": {
                "from": "silver.events",
                "entity": ["id"],
                "event_time": "at",
                "features": {"x": {"default": 0}, "c": {}},
            }
        },
        "models": {
            "risk": {
                "predicts": {"label": "happened", "from": "silver.events", "known_after": "1 d"},
                "features": ["events"],
                "estimator": {"class": "sklearn.linear_model.LogisticRegression"},
            }
        },
        "monitors": {"watch": watch},
        "decisions": dict(rules),
        "pipelines": {"flow": {"tasks": tasks}},
    }


def events(first_day: int, days: int, per_day: int = 1_000, seed: int = 1) -> pd.DataFrame:
    """Rows in time order, with the score that a good model gives them."""
    draw = np.random.default_rng([seed, first_day + 100])
    count = days * per_day
    x = draw.normal(size=count)
    chance = 1 / (1 + np.exp(-2 * x))
    step = timedelta(days=1) / per_day
    return pd.DataFrame(
        {
            "id": [f"{seed}/{first_day}/{number}" for number in range(count)],
            "at": [START + timedelta(days=first_day) + number * step for number in range(count)],
            "x": np.where(draw.uniform(size=count) < 0.1, np.nan, x),
            "c": draw.choice(np.array(["a", "b", "it's"], dtype=object), count, p=[0.6, 0.3, 0.1]),
            "happened": (draw.uniform(size=count) < chance).astype(float),
            "score": chance,
            "model_version": 1,
        }
    )


def day(number: int, hour: int = 0) -> datetime:
    """The instant so many days after the first event."""
    return START + timedelta(days=number, hours=hour)


class Watched(Warehouse):
    """A warehouse whose tables are planted, so that what a monitor sees is known to the row."""

    def plant(self, dataset: str, frame: pd.DataFrame, run_id: str = "planted", as_of: datetime = START) -> None:
        """Append rows to a dataset as a batch of that run."""
        path = table_path(self.settings, self.plan.datasets[dataset])

        rows = self.spark.createDataFrame(frame)

        def write(sequence: int) -> int:
            numbered = rows.selectExpr("*", f"{sequence}L AS _batch")
            return engine.append(self.spark, numbered, path, sequence).version

        self.write_batch(dataset, run_id, as_of, write, types_of(rows.schema))

    def write_batch(
        self,
        dataset: str,
        run_id: str,
        as_of: datetime,
        write: Callable[[int], int],
        columns: Mapping[str, str] = MappingProxyType({"id": "string"}),
    ) -> int:
        """A batch of that run; `write` gets its sequence and gives the table's version. Returns the sequence."""
        uid = self.plan.datasets[dataset].uid
        state = state_of(self.database, uid)
        owner = Owner(run_id, f"{run_id}-task", "planted", "planted", self.start().plan_hash, as_of)
        batch = open_batch(self.database, uid, owner, Intent(), state.sequence if state else None)
        assert batch is not None
        close_batch(self.database, batch, dataset, Written(1, 1, 0, write(batch.sequence), 1, columns))
        return batch.sequence

    def say(self, run: Run, *figures: Figure, task: str = "watch") -> None:
        """Record figures of a task of the run, as if it had run."""
        record_figures(
            self.database, run_id=run.id, attempt=run.attempt, task_key=task, as_of=run.as_of, figures=figures
        )

    def measured(self, name: str, value: float | None, part: str = "", number: int = 0) -> Figure:
        """A figure of the monitor, of the window that is day `number`."""
        return Figure(name, value, "monitor", self.plan.monitors["watch"].uid, day(number), day(number + 1), part)

    def score(self, frame: pd.DataFrame) -> None:
        """Plant events with their features and predictions, which were made at the midnight after each event."""
        self.plant("silver.events", frame[["id", "at", "x", "c", "happened"]])
        self.plant("features.events", frame[["id", "at", "x", "c"]])
        scored = frame[["id", "at", "score", "model_version"]]
        self.plant("predictions.pending", scored.assign(scored_as_of=frame["at"].dt.floor("D") + timedelta(days=1)))

    def copy(self, folder: Path) -> Watched:
        """The same tables and rows of metadata; what is done with the copy, this one does not see."""
        folder.mkdir(parents=True, exist_ok=True)
        self.database.close()  # the last connection that is closed puts all of the database into its one file
        shutil.copy(self.settings.home / "metadata.db", folder)
        made = Watched(folder, self.spark)
        made.settings = Settings(home=folder, data_url=self.settings.data)
        made.plan = self.plan
        return made

    def trained(
        self, number: int, frame: pd.DataFrame, run_id: str = "training", champion: bool = True
    ) -> ModelVersion:
        """Record a version that was fitted on the first three quarters of these rows and tested on the rest."""
        place = len(frame) * 3 // 4
        train, test = frame.iloc[:place], frame.iloc[place:]
        performance = metrics("binary", test["happened"].to_numpy(), test["score"].to_numpy())
        reference = build_reference(
            {name: train[name].to_numpy() for name in FEATURES},
            {name: test[name].to_numpy() for name in FEATURES},
            categorical={"c"},
            scores=test["score"].to_numpy(),
            performance=performance,
        )
        model = self.plan.models["risk"]
        version = ModelVersion(
            model_uid=model.uid,
            version=number,
            model_key="risk",
            run_id=run_id,
            task_run_id=f"{run_id}-task",
            tracking_run_id="none",
            source="none",
            trained_from=train["at"].iloc[0].to_pydatetime(),
            trained_until=train["at"].iloc[-1].to_pydatetime(),
            tested_from=test["at"].iloc[0].to_pydatetime(),
            tested_until=test["at"].iloc[-1].to_pydatetime(),
            rows_trained=len(train),
            rows_tested=len(test),
            metric="roc_auc",
            metric_value=performance["roc_auc"],
            digest=f"digest-{number}",
            features=(ModelFeature(name="x", kind="number", default=0.0), ModelFeature(name="c", kind="category")),
            reference=reference.model_dump(mode="json"),
            created_at=START,
        )
        by = Appointment(run_id, self.author, "trained", version.tested_until)
        record_version(self.database, version, by, serves=champion)
        if champion:
            promote(self.database, model.uid, number, by)
        return version

    def watch(self, as_of: datetime, run: Run | None = None) -> tuple[Run, Outcome]:
        """Run the monitor, and keep its figures as a run does."""
        return self.keep(run or self.start(as_of=as_of), "watch")

    def keep(self, run: Run, task: str) -> tuple[Run, Outcome]:
        """Execute one task of a run and record its figures."""
        outcome = self.execute(run, task)
        self.say(run, *outcome.figures, task=task)
        return run, outcome

    def figures(self, run: Run, name: str, part: str = "") -> dict[int, float | None]:
        """One figure of a run, by the number of the day at which its window begins."""
        return {
            (figure.window_start - START).days: figure.value
            for figure in figures_of_run(self.database, run.id)
            if figure.name == name and figure.slice == part and figure.window_start is not None
        }
