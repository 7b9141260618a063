"""Trying expressions: rules on what runs of the past have measured, SQL on real rows, bounded and read only."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flows.champions import champion_seen
from metadata.cel import Rule, RuleError
from metadata.checks.rules import RULE_INPUTS
from metadata.database import Database
from metadata.errors import PilothouseError, UsageError
from metadata.findings import instead
from metadata.judging import judged
from metadata.kinds import SECTIONS, Blueprint, Dataset, DecisionRule, Definition, FeatureSet, Model, Pipeline
from metadata.rows.decisions import decisions_of_run
from metadata.rows.outcomes import figures_of_run, runs_about
from metadata.rows.staged import load_nearby
from metadata.rows.task_runs import tasks_of
from metadata.settings import Settings
from metadata.sql import table_keys
from metadata.trying import Checked, Part, Past, RowsTried, RuleTried, cooled, part_of, refuse_unsafe, with_text
from metadata.values import period, utc_now

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SAMPLE = 100_000
"""Rows that rules and labels are counted on."""
FEATURED = 1_000
"""Rows that features are computed for: each may read its whole window."""
SHOWN = 20
SECONDS = 60.0
"""After which Spark is stopped."""
LONGEST = 200
"""Characters of a cell."""


@dataclass(frozen=True)
class _Tried:
    """What is tried: a definition as it is with the edits of somebody, and the part of it."""

    blueprint: Blueprint
    thing: str
    definition: Definition
    part: Part


def try_rule(database: Database, owner: str, key: str, text: str, runs: int) -> RuleTried:
    """A decision rule, or `text` in its place, on the last runs that its monitor measured in.

    As somebody's change set has it. Raises UsageError PH856 (it cannot be read), PH857 (no such rule) and PH858
    (nothing was measured yet).
    """
    tried = _find(database, owner, "decision", key, "", text)
    rule = tried.definition
    assert isinstance(rule, DecisionRule)  # noqa: S101 - it was found by its kind
    try:
        Rule.compile(rule.when, RULE_INPUTS)
    except RuleError as error:
        raise UsageError("PH856", tried.thing, error.cause, error.remedy) from None
    monitor = tried.blueprint.monitors.get(rule.after)
    model = tried.blueprint.models.get(monitor.model) if monitor else None
    about = runs_about(database, monitor.uid, runs) if monitor and model else []
    if monitor is None or model is None or not about:
        cause = f"{rule.after} has measured nothing yet" if monitor else f"there is no monitor {rule.after}"
        raise UsageError("PH858", tried.thing, cause, "launch the pipeline that measures, then try again")
    past = []
    for run_id, number, as_of in about:
        measured = [figure for figure in figures_of_run(database, run_id) if figure.subject_uid == monitor.uid]
        champion = champion_seen(database, model.uid, run_id, "decide", _decided_at(database, run_id))
        said = judged(rule, monitor, measured, champion)
        then = {each.rule_uid: each.state for each in decisions_of_run(database, run_id)}.get(rule.uid)
        past.append(Past(number, as_of, said.state, said.reason, said.inputs, then))
    return RuleTried(tried.thing, rule.when, cooled(past, period(rule.cooldown) if rule.cooldown else None))


def _decided_at(database: Database, run_id: str) -> datetime | None:
    """When a run had measured and decided; None while it has not."""
    ends = [task.ended_at for task in tasks_of(database, run_id) if task.kind in ("monitor", "decide")]
    return max((end for end in ends if end is not None), default=None)


def try_rows(
    database: Database,
    settings: Settings,
    spark: Callable[[], SparkSession],
    owner: str,
    named: tuple[str, str, str],
    text: str,
) -> RowsTried:
    """Expressions of a definition (`named`: kind, key, part), or `text` in place of one, on real rows.

    As somebody's change set has it. Raises UsageError PH856 (unsafe SQL), PH857 (nothing to try), PH858 (a dataset that
    was never written), PilothouseError PH859 (it took too long), and what Spark says of the SQL.
    """
    tried = _find(database, owner, *named, text)
    refuse_unsafe(tried.thing, tried.part, tried.definition)
    with _Rows(database, settings, tried).bounded(spark) as rows:
        definition = tried.definition
        if isinstance(definition, Dataset):
            return rows.quality(named[1], definition)
        if isinstance(definition, FeatureSet):
            return rows.features(named[1], definition)
        if isinstance(definition, Model):
            return rows.label(definition)
        assert isinstance(definition, Pipeline)  # noqa: S101 - nothing else has a part that rows are needed for
        return rows.query(definition)


def _find(database: Database, owner: str, kind: str, key: str, name: str, text: str) -> _Tried:
    tables = table_keys(text) if kind == "pipeline" else ()
    names = {(kind, key), *(("dataset", table) for table in tables)}
    blueprint = load_nearby(database, owner, names).working.blueprint
    thing = f"{kind.replace('_', ' ')} {key}"
    definition = blueprint.get(kind, key)
    if definition is None:
        raise UsageError("PH857", thing, "there is none", instead(key, getattr(blueprint, SECTIONS[kind])))
    if text and kind == "pipeline":
        name = part_of(kind, key, definition, name).name
    if text:
        definition = with_text(definition, name, text)
    return _Tried(blueprint, thing, definition, part_of(kind, key, definition, name))


class _Rows:
    """The rows of one trial, while Spark is asked."""

    def __init__(self, database: Database, settings: Settings, tried: _Tried) -> None:
        self._database, self._settings, self._tried = database, settings, tried
        self._session: SparkSession | None = None

    @contextmanager
    def bounded(self, spark: Callable[[], SparkSession]) -> Iterator[_Rows]:
        """Within a time; what Spark says of the SQL is told as it is of a query."""
        from flows import engine
        from flows.spark_errors import explain, is_about_the_work

        self._session = spark()
        tag, late = f"try-{uuid.uuid4()}", threading.Event()

        def stop(session: SparkSession = self._session) -> None:
            late.set()
            engine.interrupt(session, tag)

        timer = threading.Timer(SECONDS, stop)
        timer.daemon = True
        timer.start()
        try:
            with engine.operation_tag(self._session, tag):
                yield self
        except PilothouseError:
            raise
        except KeyboardInterrupt:
            engine.interrupt(self._session, tag)
            raise
        except Exception as error:
            if late.is_set():
                cause = f"Spark was not done within {SECONDS:.0f} s, and was stopped"
                remedy = "narrow the SQL, or ask with pilothouse query"
                raise PilothouseError("PH859", self._tried.thing, cause, remedy) from error
            fault = explain(error, self._tried.thing)
            remedy = "correct the text (e) and try again" if is_about_the_work(error) else fault.remedy
            raise PilothouseError(fault.code, fault.thing, fault.cause, remedy, fault.detail) from error
        finally:
            timer.cancel()

    def quality(self, key: str, dataset: Dataset) -> RowsTried:
        """Each rule on the first rows of a dataset, and rows that break one."""
        from flows.quality import broken, flag, marked
        from flows.schema import quoted

        source = self._select(f"SELECT * FROM {self._relation(key)} LIMIT {SAMPLE}")  # noqa: S608
        columns = [name for name in source.columns if not name.startswith("_")]
        rules = dataset.quality
        frame, marks = marked(source.selectExpr(*map(quoted, columns)), columns, rules, None)
        flagged = flag(frame, columns, marks)
        names = [f"count_if({broken(name)})" for name in rules]
        read, *bad = flagged.selectExpr("count(*)", *names).collect()[0]
        shares = [count / read if read else 0.0 for count in bad]
        checked = tuple(
            Checked(name, _said(self._tried.part, name), count, share, _consequence(dataset, name, share))
            for name, count, share in zip(rules, bad, shares, strict=True)
        )
        first = flagged.where("size(_reasons) > 0").selectExpr("array_join(_reasons, ', ')", *map(quoted, columns))
        tried = self._tried_rows(key, read, SAMPLE, checked, ("breaks", *columns), first)
        return replace(tried, aside=self._aside(dataset))

    def features(self, key: str, definition: FeatureSet) -> RowsTried:
        """Each feature of the first rows of the source."""
        from flows.features_sql import features_query

        relation = self._relation(definition.source)
        some = f"(SELECT * FROM {relation} LIMIT {FEATURED})"  # noqa: S608
        frame = self._select(features_query(key, definition, some, relation))
        rows = frame.collect()
        nulls = {name: sum(row[name] is None for row in rows) for name in definition.features}
        checked = tuple(_nulls(self._tried.part, name, count, len(rows)) for name, count in nulls.items())
        shown = tuple(_texts(tuple(row)) for row in rows[:SHOWN])
        whole = len(rows) < FEATURED
        columns = tuple(frame.columns)
        return RowsTried(self._tried.thing, len(rows), definition.source, whole, checked, columns, shown)

    def label(self, model: Model) -> RowsTried:
        """The label of the first rows of its dataset."""
        source = model.predicts.source
        label = f"CAST((\n{model.predicts.label}\n) AS DOUBLE) AS _label"
        rows = self._select(f"SELECT {label}, * FROM (SELECT * FROM {self._relation(source)} LIMIT {SAMPLE})")  # noqa: S608
        figures = ("count(*)", "count_if(_label IS NULL)", "avg(_label)", "min(_label)", "max(_label)")
        read, nulls, mean, low, high = rows.selectExpr(*figures).collect()[0]
        says = "" if mean is None else f"mean {mean:.6g}, from {low:.6g} to {high:.6g}"
        check = _nulls(self._tried.part, "label", nulls, read, says)
        columns = [name for name in rows.columns if not name.startswith("_")]
        first = rows.select("_label", *columns)
        return self._tried_rows(source, read, SAMPLE, (check,), ("label", *columns), first)

    def query(self, pipeline: Pipeline) -> RowsTried:
        """The first rows of a transform, its parameters as they are by default."""
        from flows.parameters import filled, literals
        from metadata.sql import compile_query, render

        name, text = next(iter(self._tried.part.texts.items()))
        query = compile_query(text)
        relations = {token.dataset: self._relation(token.dataset) for token in query.tokens}
        values = literals(pipeline.parameters, {}, utc_now())
        frame = self._select(filled(f"task {name}", render(query, relations), values))
        rows = frame.limit(SHOWN).collect()
        shown = tuple(_texts(tuple(row)) for row in rows)
        whole = len(rows) < SHOWN
        return RowsTried(self._tried.thing, len(rows), f"task {name}", whole, (), tuple(frame.columns), shown)

    def _tried_rows(
        self, key: str, read: int, most: int, checked: tuple[Checked, ...], columns: tuple[str, ...], first: DataFrame
    ) -> RowsTried:
        rows = tuple(_texts(tuple(row)) for row in first.limit(SHOWN).collect())
        return RowsTried(self._tried.thing, read, key, read < most, checked, columns, rows)

    def _aside(self, dataset: Dataset) -> int:
        """How many rows of a dataset are in quarantine."""
        from flows import engine
        from flows.batches import quarantine_path

        path = quarantine_path(self._settings, dataset)
        version = engine.table_version(self._spark, path)
        if version is None:
            return 0
        return int(self._select(f"SELECT count(*) FROM {engine.relation(path, version)}").collect()[0][0])  # noqa: S608

    @property
    def _spark(self) -> SparkSession:
        assert self._session is not None  # noqa: S101 - rows are read within `bounded`
        return self._session

    def _select(self, sql: str) -> DataFrame:
        from flows import engine

        return engine.select(self._spark, sql)

    def _relation(self, key: str) -> str:
        """The table of a dataset as its last batch left it. Raises UsageError PH858."""
        from flows.query import last_batch

        datasets: Mapping[str, Dataset] = self._tried.blueprint.datasets
        dataset = datasets.get(key)
        if dataset is None:
            raise UsageError("PH858", f"dataset {key}", "there is no such dataset", instead(key, datasets))
        return last_batch(self._database, self._settings, self._spark, key, dataset, "PH858")


def _said(part: Part, name: str) -> str:
    return part.texts.get(name, "")


def _consequence(dataset: Dataset, name: str, share: float) -> str:
    """What a batch with that share of bad rows would meet."""
    rule = dataset.quality[name]
    limit = rule.at_most if rule.at_most is not None else 0.0 if rule.otherwise == "fail" else None
    if limit is not None and share > limit:
        return f"such a batch would be refused (more than {limit * 100:g} %)"
    return {"warn": "warns", "drop": "drops them", "quarantine": "sets them aside"}.get(rule.otherwise, "")


def _nulls(part: Part, name: str, count: int, rows: int, says: str = "") -> Checked:
    return Checked(name, _said(part, name), count, count / rows if rows else 0.0, says)


def _texts(row: tuple[Any, ...]) -> tuple[str | None, ...]:
    return tuple(None if value is None else str(value)[:LONGEST] for value in row)
