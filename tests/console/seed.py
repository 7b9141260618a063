"""A database as some months of operation leave it: runs in every state, failures, logs, decisions, models, figures."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from metadata import tables
from metadata.compiler import compile_plan
from metadata.database import Database, next_change
from metadata.definitions import load_blueprint
from metadata.documents import read
from metadata.kinds import Blueprint
from metadata.plan import Plan
from metadata.reference import Distribution, ModelReference, Slice, bin_slice
from metadata.revisions import apply
from metadata.rows.models import ModelFeature
from metadata.rows.runs import store_plan
from metadata.settings import settings
from metadata.states import BatchState, DecisionState, State

NOW = datetime(2013, 12, 2, 12, 4, 10, tzinfo=UTC)
"""An instant at which a seeded database is looked at."""


SECONDS = {
    "ingest_flights": 6.1, "ingest_weather": 2.4, "clean": 5.2, "summarise": 1.9, "features": 7.7, "train": 9.3,
    "predict": 4.8, "watch": 3.1, "decide": 0.6, "publish": 1.4,
}  # fmt: skip
ROWS = {
    "ingest_flights": 28_796, "ingest_weather": 2_157, "clean": 28_765, "summarise": 452, "features": 28_765,
    "predict": 28_765, "publish": 28_765,
}  # fmt: skip
OPTIONAL = ("retrain late_arrival", "compare late_arrival", "promote late_arrival")
"""Tasks that are skipped unless a decision fires."""

FEATURES = (
    ModelFeature(name="carrier", kind="category"),
    ModelFeature(name="origin", kind="category"),
    ModelFeature(name="temp", kind="number", default=55.0),
)
EDGES = (0.033, 0.049, 0.067, 0.086, 0.11, 0.141, 0.188, 0.266, 0.413)

BAD_FILE = {
    "code": "PH214",
    "thing": "task ingest_flights: landing/flights-2013-05.csv",
    "cause": "the column arr_delay is missing; the file has 18 columns, bronze.flights declares 19",
    "remedy": "mend the file or declare the change in the blueprint (e), then run again (r)",
    "detail": "org.apache.spark.sql.AnalysisException: [UNRESOLVED_COLUMN] arr_delay\n  at scala.Predef$.require",
}
BAD_QUALITY = {
    "code": "PH221",
    "thing": "dataset silver.flights: quality rule has_aircraft",
    "cause": "4.1 % of the rows break it, at most 2 % may",
    "remedy": "look at the quarantine, then run again (r) or widen the rule (e)",
    "detail": "1,180 of 28,796 rows: tailnum IS NOT NULL",
}


def uid(*names: str) -> str:
    """The id that the seed gives to a run, task run, decision or batch of that name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "pilothouse:" + ":".join(names)))


def apply_blueprint(database: Database) -> None:
    """The blueprint beside this file, as two revisions."""
    document = read(Path(__file__).with_name("seed.yaml")).blueprint
    first = document.model_copy(update={"schedules": {}})
    apply(database, first, author="operator", note="first blueprint", settings=settings())
    apply(database, document, author="operator", note="schedules", settings=settings())


@dataclass
class _Writer:
    connection: Connection
    now: datetime
    blueprint: Blueprint
    number: int = 0
    changes: int = 0
    rows: dict[tuple[str, ...], list[dict[str, Any]]] = field(default_factory=dict)
    """What is to be written, by table and columns."""
    plans: dict[str, Plan] = field(default_factory=dict)

    def plan(self, pipeline: str) -> Plan:
        """The stored plan of a pipeline."""
        if pipeline not in self.plans:
            self.plans[pipeline] = compile_plan(self.blueprint, pipeline)
            store_plan(self.connection, self.plans[pipeline], 2)
        return self.plans[pipeline]

    def uid_of(self, kind: str, key: str) -> str:
        """The uid of a definition."""
        definition = self.blueprint.get(kind, key)
        assert definition is not None, (kind, key)
        return definition.uid

    def add(self, table: str, **values: Any) -> None:
        """One row, with the next number of a change where the table has one. It is written by `flush`."""
        if "changed" in tables.metadata.tables[table].c:
            self.changes += 1
            values["changed"] = self.changes
        self.rows.setdefault((table, *values), []).append(values)

    def flush(self) -> None:
        """Write all rows, those of tables that were named first before the others."""
        for (table, *_), rows in self.rows.items():
            self.connection.execute(insert(tables.metadata.tables[table]), rows)
        self.connection.execute(update(tables.counter).values(value=self.changes))

    def run(
        self,
        pipeline: str,
        as_of: datetime,
        started: datetime,
        state: State,
        *,
        failing: str = "",
        fault: Mapping[str, Any] | None = None,
        running: str = "",
        trigger: str = "schedule",
        detail: str = "",
        author: str = "operator",
    ) -> str:
        """A run with its tasks and some log lines; what comes after `failing` is blocked, after `running` waits."""
        self.number += 1
        run_id, made = uid("run", str(self.number)), self.plan(pipeline)
        passed = timedelta(seconds=1)
        rows: list[dict[str, Any]] = []
        stopped: set[str] = set()
        for position, task in enumerate(made.tasks):
            at, length = started + passed, SECONDS.get(task.key, 1.0)
            word, out, ended = State.SUCCEEDED, ROWS.get(task.key), at + timedelta(seconds=length)
            begun: datetime | None = at
            progress = why = None
            if stopped.intersection(task.upstream):
                word = State.BLOCKED if failing else State.QUEUED
                why = f"waits for {sorted(stopped.intersection(task.upstream))[0]}"
                stopped.add(task.key)
                out, begun = None, None
            elif task.key == failing:
                word, out = (state if state != State.CANCELLED else State.CANCELLED), None
                stopped.add(task.key)
            elif task.key == running:
                word, out, progress = State.RUNNING, None, {"what": "stage 2 of 3", "done": 6, "total": 9}
                stopped.add(task.key)
            elif task.key in OPTIONAL or (task.key == "train" and self.number > 4):
                word, out, why, begun = State.SKIPPED, None, "champion == null said no", None
                if task.key in OPTIONAL:
                    why = 'decisions["retrain_when_worse"] said no'
            if state in (State.QUEUED, State.SCHEDULED):
                word, out, begun, why = State.QUEUED, None, None, ""
            rows.append(
                {
                    "id": uid("task_run", str(self.number), task.key), "run_id": run_id, "attempt": 1,
                    "task_key": task.key, "task_uid": task.spec.uid, "kind": task.kind, "position": position,
                    "upstream": list(task.upstream), "state": word, "state_detail": why or "",
                    "fault": dict(fault) if fault and task.key == failing else None, "tries": 1 if begun else 0,
                    "rows_in": out, "rows_out": out, "rows_bad": 31 if task.key == "clean" and out else None,
                    "progress": progress, "started_at": begun,
                    "ended_at": ended if begun and word.final else None,
                    "heartbeat_at": self.now if word == State.RUNNING else None,
                }
            )  # fmt: skip
            passed += timedelta(seconds=length) if begun else timedelta()
        ended_at = started + passed if state.final else None
        self.add(
            "run", id=run_id, number=self.number, pipeline_uid=made.pipeline_uid, pipeline_key=pipeline,
            plan_hash=made.hash, revision=2, bindings={}, as_of=as_of, trigger=trigger, author=author, attempt=1,
            state=state, state_detail=detail, fault=dict(fault) if fault else None, created_at=started,
            started_at=None if state in (State.QUEUED, State.SCHEDULED) else started, ended_at=ended_at,
            heartbeat_at=self.now,
        )  # fmt: skip
        for row in rows:
            self.add("task_run", **row)
        self.log(run_id, rows)
        return run_id

    def log(self, run_id: str, rows: list[dict[str, Any]]) -> None:
        """What tasks say; one line tries to be markup, one to move the cursor."""
        for row in rows:
            if row["started_at"] is None:
                continue
            lines = [("INFO", f"{row['task_key']} begins")]
            if row["rows_out"]:
                lines.append(("INFO", f"wrote {row['rows_out']:,} rows [bold red]not markup[/] \x1b[31mnot red\x1b[0m"))
            if row["fault"]:
                lines.append(("ERROR", row["fault"]["cause"]))
            for offset, (level, message) in enumerate(lines):
                self.add(
                    "task_log", run_id=run_id, attempt=1, task_key=row["task_key"],
                    at=row["started_at"] + timedelta(milliseconds=250 * offset), level=level, message=message,
                )  # fmt: skip


def operate(database: Database, now: datetime) -> None:
    """Some months of operation, up to `now`, in a database that has the blueprint."""
    blueprint = load_blueprint(database)
    with database.write() as connection:
        changes = connection.execute(select(tables.counter.c.value)).scalar_one()
        writer = _Writer(connection, now, blueprint, changes=changes)
        _backfill(writer)
        months = [datetime(2013, month, 2, 6, tzinfo=UTC) for month in range(1, 13)]
        runs = []
        for index, as_of in enumerate(months):
            back = now - timedelta(hours=12 - index)
            if index == 11:
                runs.append(writer.run("flights", as_of, now - timedelta(seconds=34), State.RUNNING, running="predict"))
            elif index == 10:
                runs.append(
                    writer.run(
                        "flights", as_of, back, State.FAILED, failing="clean", fault=BAD_QUALITY, trigger="manual"
                    )
                )
            elif index == 4:
                runs.append(writer.run("flights", as_of, back, State.FAILED, failing="ingest_flights", fault=BAD_FILE))
            else:
                runs.append(writer.run("flights", as_of, back, State.SUCCEEDED))
        writer.run("weather", now - timedelta(hours=2), now - timedelta(hours=2), State.SUCCEEDED)
        writer.run(
            "weather", now - timedelta(hours=1), now - timedelta(hours=1), State.LOST, failing="ingest_weather",
            detail="no heartbeat for 20 s; its process is gone",
        )  # fmt: skip
        writer.run("weather", now, now - timedelta(seconds=3), State.QUEUED, detail="waits for a slot: 4 of 4 run")
        _data(writer, runs)
        _models(writer, runs, months)
        _decisions(writer, runs, months)
        writer.flush()


def _backfill(writer: _Writer) -> None:
    long_ago = writer.now - timedelta(days=3)
    writer.run("backfill_2012", datetime(2012, 1, 1, tzinfo=UTC), long_ago, State.CANCELLED, failing="ingest_flights",
               trigger="manual", detail="cancelled by operator")  # fmt: skip
    writer.run("weather", long_ago, long_ago + timedelta(hours=1), State.SUCCEEDED)


def _data(writer: _Writer, runs: list[str]) -> None:
    for key, rows, age in (
        ("bronze.flights", 28_796 * 10, timedelta(minutes=1)),
        ("bronze.weather", 23_910, timedelta(hours=26)),
        ("silver.flights", 287_650, timedelta(minutes=3)),
        ("gold.delay_by_hour", 6_112, timedelta(hours=2)),
        ("features.flight_context", 287_650, timedelta(minutes=2)),
        ("predictions.late_arrival", 201_355, timedelta(hours=2)),
    ):
        dataset = writer.uid_of("dataset", key)
        writer.add(
            "dataset_state", dataset_uid=dataset, dataset_key=key, columns={"origin": "string"}, rows=rows, version=12,
            sequence=12, as_of=writer.now - age, written_at=writer.now - age,
        )  # fmt: skip
        writer.add(
            "batch", id=uid("batch", key), dataset_uid=dataset, sequence=12, state=BatchState.WRITTEN,
            held=key == "predictions.late_arrival", run_id=runs[9], task_run_id=uid("task_run", "12", "clean"),
            task_key="clean", task_uid=writer.blueprint.pipelines["flights"].tasks["clean"].uid,
            plan_hash=writer.plan("flights").hash, as_of=writer.now - age,
            intent={}, rows_in=28_796, rows_out=28_765, rows_bad=31, quality={"has_aircraft": {"bad": 31}}, version=12,
            opened_at=writer.now - age, closed_at=writer.now - age,
        )  # fmt: skip


def _models(writer: _Writer, runs: list[str], months: list[datetime]) -> None:
    model = writer.uid_of("model", "late_arrival")
    monitor = writer.uid_of("monitor", "late_arrival_watch")
    for version, index, value in ((1, 3, 0.641), (2, 8, 0.652), (3, 11, 0.664)):
        until = months[index]
        writer.add(
            "model_version", model_uid=model, version=version, model_key="late_arrival", run_id=runs[index],
            task_run_id=uid("task_run", str(index + 3), "train"),
            tracking_run_id=uid("mlflow", str(version)).replace("-", ""),
            source=f"models:/late_arrival/{version}", trained_from=until - timedelta(days=90),
            trained_until=until - timedelta(days=18),
            tested_from=until - timedelta(days=18), tested_until=until, rows_trained=64_310, rows_tested=16_077,
            metric="roc_auc", metric_value=value, digest="9c41e07", features=[each.model_dump() for each in FEATURES],
            reference=_reference(value).model_dump(),
            created_at=until,
        )  # fmt: skip
    aliases = (("champion", 1, None, 3), ("champion", 2, 1, 8), ("challenger", 3, None, 11))
    for alias, version, previous, index in aliases:
        writer.add(
            "alias_history", model_uid=model, alias=alias, version=version, previous=previous, run_id=runs[index],
            author="operator", reason="+0.011 roc_auc [0.004, 0.018] over the champion", as_of=months[index],
            at=months[index],
        )  # fmt: skip
    for index, version, champion, challenger, reach in ((8, 2, 0.640, 0.652, 0.007), (11, 3, 0.668, 0.664, 0.011)):
        difference = challenger - champion
        figures = {
            "challenger_version": version, "champion": champion, "challenger": challenger, "difference": difference,
            "difference_low": difference - reach, "difference_high": difference + reach,
            "better": float(difference > 0), "rows": 16_077.0,
        }  # fmt: skip
        for name, figure in figures.items():
            writer.add(
                "outcome", run_id=runs[index], attempt=1, task_key="compare late_arrival", subject_kind="model",
                subject_uid=model, slice="", name=name, value=figure, as_of=months[index],
            )  # fmt: skip
    for index in range(4, 12):
        window = {"window_start": months[index - 1], "window_end": months[index]}
        for slice_, name, value in _window(index):
            writer.add(
                "outcome", run_id=runs[index], attempt=1, task_key="watch", subject_kind="monitor", subject_uid=monitor,
                slice=slice_, name=name, value=value, as_of=months[index], **window,
            )  # fmt: skip


def _reference(auc: float) -> ModelReference:
    """Tenths of the scores, as training leaves them."""
    score = Distribution(kind="numeric", edges=EDGES, slices=(Slice(counts=(1_607,) * 10),))
    carrier = Distribution(kind="category", categories=("UA", "B6"), slices=(Slice(counts=(900, 600, 107)),))
    features = {"carrier": carrier, "temp": Distribution(kind="numeric", edges=(40.0,), slices=(Slice(counts=(5, 5)),))}
    return ModelReference(features=features, test_features=features, score=score, performance={"roc_auc": auc})


def _window(index: int) -> list[tuple[str, str, float]]:
    """Figures of one window as the monitor leaves them: slice, name, value. From September on version 2 scores."""
    newest = 2 if index > 8 else 1
    auc = {1: 0.66 - 0.006 * index, 2: 0.685 - 0.004 * index}
    found = [("", "rows", 28_000.0), ("", "labels", 27_400.0), ("", "version", float(newest))]
    for version in range(1, newest + 1):
        slice_ = f"version:{version}"
        found += [(slice_, "rows", 28_000.0), (slice_, "labels", 27_400.0), (slice_, "roc_auc", auc[version])]
    found.append(("", "roc_auc", auc[newest]))
    for feature, drift in (("temp", 0.35 * index), ("carrier", 0.02), ("origin", 0.01 * index)):
        found += [(feature, "psi", drift), (feature, "psi_threshold", 0.4), (feature, "null_rate", 0.01)]
        found.append((feature, "alarm", float(drift > 0.4)))
    shares = [0.04, 0.05, 0.06, 0.08, 0.1, 0.1, 0.12, 0.14, 0.15, 0.16]
    found += [(bin_slice(at), "score_share", share) for at, share in enumerate(shares)]
    return [*found, ("", "prediction_psi", 0.03 * index)]


def _decisions(writer: _Writer, runs: list[str], months: list[datetime]) -> None:
    rules = {
        "retrain_when_worse": "performance.roc_auc < champion.roc_auc - 0.02",
        "hold_when_broken": "worst(null_rate) > 0.3",
    }
    told = (
        ("retrain_when_worse", 3, DecisionState.UNDECIDED, "performance.roc_auc is not there yet", False),
        ("retrain_when_worse", 7, DecisionState.QUIET, "0.641 is not below 0.621", False),
        ("retrain_when_worse", 8, DecisionState.FIRED, "0.618 < 0.641 - 0.02", False),
        ("retrain_when_worse", 9, DecisionState.HELD, "cooldown until 2013-11-01", False),
        ("hold_when_broken", 8, DecisionState.QUIET, "0.01 is not above 0.3", False),
        ("hold_when_broken", 9, DecisionState.FIRED, "null_rate of temp 0.41 > 0.3", True),
    )
    for number, (rule, index, state, reason, waits) in enumerate(told, 1):
        writer.add(
            "decision", id=uid("decision", str(number)), number=number, run_id=runs[index], attempt=1,
            task_key="decide",
            rule_uid=writer.uid_of("decision", rule), rule_key=rule, state=state, reason=reason, expression=rules[rule],
            inputs={"performance": {"roc_auc": 0.618}, "champion": {"roc_auc": 0.641}, "null_rate": {"temp": 0.41}},
            actions={"hold": "publish", "alert": "critical"} if waits else {"retrain": "late_arrival"},
            as_of=months[index], decided_at=writer.now - timedelta(hours=12 - index), waits=waits,
        )  # fmt: skip


def go_on(database: Database, number: int, task_key: str, state: State = State.SUCCEEDED) -> None:
    """Move a task of a seeded run, as its flow would."""
    with database.write() as connection:
        connection.execute(
            update(tables.task_run)
            .where(tables.task_run.c.id == uid("task_run", str(number), task_key))
            .values(state=state, progress=None, ended_at=NOW, changed=next_change(connection))
        )
