"""One batch into one table: shaped, checked, counted and written in as few passes as its rules allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows import engine, quality
from flows.quality import stops
from flows.schema import (
    BATCH,
    ORDER,
    REASONS,
    UNCASTABLE,
    Conformed,
    as_text,
    conform,
    explain_misfits,
    missing_columns,
    quoted,
    types_of,
)
from metadata.errors import PilothouseError
from metadata.kinds import Dataset
from metadata.parts import QualityRule
from metadata.rows.batches import Batch, DatasetState, Written, taken

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


STOPPED = "PILOTHOUSE_STOPPED"
"""What a write in one pass says that met a row which must not be written like this."""


class RefusedError(PilothouseError):
    """The rows of a batch break a rule that lets none of them through."""

    quality: dict[str, Any] | None = None


@dataclass(frozen=True)
class Target:
    """A dataset and where its rows go."""

    key: str
    dataset: Dataset
    path: str
    quarantine: str

    @property
    def thing(self) -> str:
        """How faults call it."""
        return f"dataset {self.key}"

    @property
    def sets_aside(self) -> bool:
        """Whether a rule of it puts rows into the quarantine."""
        return any(rule.otherwise == "quarantine" for rule in self.dataset.quality.values())


@dataclass(frozen=True)
class _Job:
    """One batch on its way into its table."""

    spark: SparkSession
    target: Target
    batch: Batch
    state: DatasetState | None
    conformed: Conformed
    owned: Callable[[], bool]
    calm: bool

    @property
    def columns(self) -> list[str]:
        """All columns of the conformed frame, `_order` among them where it is there."""
        return [*self.conformed.columns, *([ORDER] if self.conformed.ordered else [])]

    @property
    def rules(self) -> Mapping[str, QualityRule]:
        return self.target.dataset.quality

    @property
    def merges(self) -> bool:
        return self.target.dataset.storage.mode == "merge"

    @property
    def keys(self) -> tuple[str, ...]:
        return self.target.dataset.storage.keys if self.merges else ()

    @property
    def keyless(self) -> str:
        """Predicate of rows that a merge cannot tell from each other: every column of its key is NULL."""
        return " AND ".join(f"{quoted(name)} IS NULL" for name in self.keys) or "false"

    def check_owned(self) -> None:
        """Raises PilothouseError PH202 when somebody else has taken the batch over."""
        if not self.owned():
            raise taken(self.target.key, self.batch)


def store(
    spark: SparkSession,
    target: Target,
    batch: Batch,
    frame: DataFrame,
    state: DatasetState | None,
    owned: Callable[[], bool],
    calm: bool,
) -> Written:
    """Write the rows of a batch under the dataset's storage rule, types and quality rules.

    Rows that share the keys of a merge must be identical, or differ in the hidden column `_order`: then the highest
    wins (the file that changed last, the highest watermark); otherwise the batch is refused (PH216), as is one with
    rows that have no key at all (PH217): the next of them would replace them. When nothing
    must be known of the rows beforehand they are counted while they are written; what does not fit its column's type
    stops the write, which leaves nothing behind. Rows are also written in one pass where rules could stop some but
    were not broken lately (`calm`): the first bad row stops that pass, and all are counted before a second one.
    `owned` is asked once more before each try of a write. Raises PilothouseError.
    """
    goes_on = target.dataset.storage.mode != "overwrite" or not target.dataset.columns
    known = state.columns if state and goes_on else {}
    conformed = conform(frame, target.thing, target.dataset, known)
    there = {name.lower() for name in frame.columns}
    placing = (*target.dataset.storage.keys, *target.dataset.storage.partition_by)
    if lost := [name for name in placing if name.lower() not in there]:
        raise missing_columns(target.thing, lost, dict.fromkeys(frame.columns))
    job = _Job(spark, target, batch, state, conformed, owned, calm)
    try:
        return _store(job)
    except PilothouseError:
        raise
    except Exception as error:
        misfits = explain_misfits(conformed, target.thing) if UNCASTABLE in str(error) else None
        if misfits is None:
            raise
        raise RefusedError(**misfits.fault.model_dump()) from None


def recount(spark: SparkSession, target: Target, batch: Batch, version: int) -> Written:
    """The figures of a batch whose rows are in the table already, at `version`, as far as rows can tell them.

    Those that were dropped are nowhere, and those that shared the key of a merge are one: how many came in, and how
    many of them broke a rule, is unknown then. So is how many of all repeat each other where some were set aside.
    """
    mine = f"{BATCH} = {batch.sequence}"
    table = engine.select(spark, f"SELECT * FROM {_at(target, version)}")  # noqa: S608
    columns = {name: kind for name, kind in types_of(table.schema).items() if name != BATCH}
    rules = target.dataset.quality
    drops = any(rule.otherwise == "drop" for rule in rules.values())
    whole = not drops and target.dataset.storage.mode != "merge"
    aside, set_aside = 0, dict.fromkeys(rules, 0)
    if target.sets_aside and engine.table_exists(spark, target.quarantine):
        rows = engine.select(spark, f"SELECT * FROM delta.{quoted(target.quarantine)}").where(mine)  # noqa: S608
        aside, set_aside = _tally(rows, {name: quality.broken(name) for name in rules})
    told = {name: rule for name, rule in rules.items() if whole and not (aside and rule.unique)}
    frame = table.where(mine).selectExpr(*map(quoted, columns))
    frame, marks = quality.marked(frame, list(columns), told, _table_before(spark, target, batch))
    rows_out, found = _tally(frame, marks)
    found = {name: count + set_aside[name] for name, count in found.items()}
    return Written(
        rows_in=rows_out + aside if whole else None,
        rows_out=rows_out,
        rows_bad=None if drops else aside,
        version=version,
        rows=table.count(),
        columns=columns,
        quality=_recorded(quality.counts(told, rows_out + aside, found)) if told else None,
    )


def drop_aside(spark: SparkSession, target: Target, batch: Batch) -> None:
    """Take the rows out of the quarantine that an earlier try of a batch has set aside there."""
    if target.sets_aside:
        engine.remove(spark, target.quarantine, batch.sequence)


def _store(job: _Job) -> Written:
    if _may_go_at_once(job):
        try:
            return _store_at_once(job)
        except Exception as error:
            if STOPPED not in str(error):
                raise
    return _store_checked(job)


def _may_go_at_once(job: _Job) -> bool:
    """Whether one pass may do: rows need no order, what merely warns can be counted, and nothing is likely to stop."""
    if job.merges and (job.conformed.ordered or any(rule.unique and not stops(rule) for rule in job.rules.values())):
        return False
    return job.calm or not any(map(stops, job.rules.values()))


def _store_at_once(job: _Job) -> Written:
    """One pass, counted while it is written, but for a MERGE, of which nothing can be observed.

    A row that a rule stops, or the key of a merge that comes twice, fails it.
    What Spark raises then says `STOPPED`, and nothing is written.
    """
    from pyspark.sql.connect.observation import Observation

    frame, marks = quality.marked(
        job.conformed.frame, job.columns, job.rules, _table_before(job.spark, job.target, job.batch), job.keys
    )
    stopping = [marks[name] for name, rule in job.rules.items() if stops(rule)]
    warning = [name for name, rule in job.rules.items() if not stops(rule)]
    counts = {"n": "count(*)"} | {f"n{index}": f"count_if({marks[name]})" for index, name in enumerate(warning)}
    observation = Observation(f"batch-{job.batch.id}")
    observed = not job.merges or job.batch.intent.target_version is None
    if observed:
        frame = engine.observe(frame, observation, counts)
    if job.merges:
        keys = ", ".join(quoted(name) for name in job.keys)
        frame = frame.selectExpr("*", f"count(*) OVER (PARTITION BY {keys}) AS _twins")
        stopping += ["_twins > 1", f"({job.keyless})"]
    if stopping:
        frame = frame.where(f"IF({' OR '.join(stopping)}, CAST(raise_error('{STOPPED}') AS BOOLEAN), true)")
    commit = _put(job, frame.selectExpr(*map(quoted, job.columns)))
    merged = _merged(job, commit)
    seen = observation.get if observed and commit.merged is None else {}
    if job.merges and not seen:
        seen = {"n": merged.source_rows} if merged and not warning else _counted(job, commit.version, counts)
    if not seen:  # an earlier try's write, taken for dead, came first: nothing was written now
        return recount(job.spark, job.target, job.batch, commit.version)
    rows = int(seen["n"])
    found = dict.fromkeys(job.rules, 0) | {name: int(seen[f"n{index}"]) for index, name in enumerate(warning)}
    return _written(job, rows, rows, 0, commit, quality.counts(job.rules, rows, found))


def _store_checked(job: _Job) -> Written:
    """Rows are kept at hand, counted in one pass, and only then written."""
    rules = job.rules
    frame = job.conformed.frame
    if rules:
        frame, marks = quality.marked(
            frame, job.columns, rules, _table_before(job.spark, job.target, job.batch), job.keys
        )
        frame = quality.flag(frame, job.columns, marks)
    frame = frame.persist()
    try:
        keeps = f"NOT {quality.bad(rules, 'drop', 'quarantine')}" if rules else "true"
        aside = quality.bad(rules, "quarantine")
        keys = ", ".join(quoted(name) for name in job.keys)
        seen = frame.selectExpr(
            "count(*) AS rows",
            f"count_if({keeps}) AS good",
            f"count_if({aside}) AS aside",
            f"count(DISTINCT CASE WHEN {keeps} THEN struct({keys}) END) AS apart" if keys else "0L AS apart",
            f"count_if({keeps} AND {job.keyless}) AS keyless",
            *(f"count_if({quality.broken(name)}) AS bad{index}" for index, name in enumerate(rules)),
        ).collect()[0]
        found = {name: int(seen[f"bad{index}"]) for index, name in enumerate(rules)}
        figures = quality.counts(rules, seen["rows"], found)
        _refuse(job, frame, figures, seen["rows"])
        if seen["keyless"]:
            raise RefusedError(**quality.keyless(job.target.thing, job.keys, seen["keyless"]).model_dump())
        good = frame.where(keeps).drop(REASONS) if rules else frame
        written = seen["good"]
        if keys and seen["apart"] != seen["good"]:
            good, written = _one_a_key(job, good), seen["apart"]
        if seen["aside"]:
            _set_aside(job, frame.where(aside).drop(ORDER))
        commit = _put(job, good)
        return _written(job, seen["rows"], written, seen["rows"] - seen["good"], commit, figures)
    finally:
        frame.unpersist()


def _set_aside(job: _Job, rows: DataFrame) -> None:
    """Rows for the quarantine. A column that has another type there is text from then on."""
    spark, path, number = job.spark, job.target.quarantine, job.batch.sequence
    if engine.table_exists(spark, path):
        table = engine.select(spark, f"SELECT * FROM delta.{quoted(path)}")  # noqa: S608
        there = {name.lower(): kind for name, kind in types_of(table.schema).items()}
        kinds = {name.lower(): kind for name, kind in job.conformed.columns.items()}
        mixed = [name for name, kind in kinds.items() if there.get(name, kind) != kind]
        if any(there[name] != "string" for name in mixed):
            engine.overwrite(spark, as_text(table, mixed), path, number, evolve=True, check=job.check_owned)
        rows = as_text(rows, mixed)
    rows = rows.selectExpr("*", f"{number}L AS {BATCH}")
    engine.append(spark, rows, path, number, evolve=True, check=job.check_owned)


def _table_before(spark: SparkSession, target: Target, batch: Batch) -> DataFrame | None:
    """The table as it was before a batch, where its rows stay beside those of the batch, if a rule looks at it."""
    version = batch.intent.target_version
    looked_at = any(rule.unique for rule in target.dataset.quality.values())
    if version is None or not looked_at or target.dataset.storage.mode == "overwrite":
        return None
    return engine.select(spark, f"SELECT * FROM {engine.relation(target.path, version, None)}")  # noqa: S608


def _refuse(job: _Job, frame: DataFrame, figures: list[quality.Count], total: int) -> None:
    refused = quality.refused_by(job.rules, figures)
    if not refused:
        return
    shown = frame.where(quality.broken(refused[0].rule)).drop(REASONS, ORDER).limit(1).collect()
    fault = quality.refusal(job.target.thing, job.rules, refused, total, shown[0].asDict() if shown else {}).fault
    error = RefusedError(**fault.model_dump())
    error.quality = _recorded(figures)
    raise error


def _one_a_key(job: _Job, frame: DataFrame) -> DataFrame:
    """One row a key: identical rows are one, and of different ones the highest `_order` wins."""
    keys = ", ".join(quoted(name) for name in job.keys)
    newest = frame
    if job.conformed.ordered:
        newest = (
            frame.selectExpr("*", f"rank() OVER (PARTITION BY {keys} ORDER BY {ORDER} DESC) AS _rank")
            .where("_rank = 1")
            .drop("_rank")
        )
    single = newest.drop(ORDER).distinct()
    twice = single.selectExpr(f"struct({keys}) AS mine").groupBy("mine").count().where("count > 1").limit(1).collect()
    if twice:
        shown = ", ".join(f"{name}={value!r}" for name, value in twice[0]["mine"].asDict().items())
        raise RefusedError(
            "PH216",
            job.target.thing,
            f"{twice[0]['count']} different rows of one batch have the same key ({shown})",
            "let the query give one row a key, for example the newest by row_number() (e)",
        )
    return single


def _put(job: _Job, frame: DataFrame) -> engine.Commit:
    """Write the rows; a repeat of the same batch leaves the same table."""
    storage = job.target.dataset.storage
    number = job.batch.sequence
    rows = frame.drop(ORDER).selectExpr("*", f"{number}L AS {BATCH}")
    path, partition_by, evolve = job.target.path, storage.partition_by, job.conformed.evolves
    after, check = job.batch.intent.target_version, job.check_owned
    if storage.mode == "overwrite":
        other = job.state is not None and job.conformed.columns != job.state.columns
        return engine.overwrite(job.spark, rows, path, number, partition_by, other, after, check)
    if storage.mode == "append":
        return engine.append(job.spark, rows, path, number, partition_by, evolve, after, job.batch.id, check)
    return engine.merge(job.spark, rows, path, storage.keys, number, partition_by, evolve, after, check)


def _written(
    job: _Job, rows_in: int, rows_out: int, rows_bad: int, commit: engine.Commit, figures: list[quality.Count]
) -> Written:
    return Written(
        rows_in=rows_in,
        rows_out=rows_out,
        rows_bad=rows_bad,
        version=commit.version,
        rows=_table_rows(job, rows_out, commit),
        columns=job.conformed.columns,
        quality=_recorded(figures) if job.rules else None,
    )


def _table_rows(job: _Job, rows_out: int, commit: engine.Commit) -> int:
    """Rows of the whole table after a write, counted only where an earlier try may have left its rows already."""
    mode = job.target.dataset.storage.mode
    if mode == "overwrite" or (job.state is None and commit.merged is None):
        return rows_out
    if job.state is not None and job.state.rows is not None:
        if mode == "append":
            return job.state.rows + rows_out
        if merged := _merged(job, commit):
            return job.state.rows + merged.inserted_rows
    table = _at(job.target, commit.version)
    return int(engine.select(job.spark, f"SELECT count(*) FROM {table}").collect()[0][0])  # noqa: S608


def _merged(job: _Job, commit: engine.Commit) -> engine.Merged | None:
    """What a MERGE counted; None where a commit came between, which may be what was counted, or be in the table."""
    before = job.batch.intent.target_version
    return commit.merged if before is not None and commit.version == before + 1 else None


def _counted(job: _Job, version: int, aggregates: Mapping[str, str]) -> Mapping[str, Any]:
    """Aggregates over the rows of the batch that are in the table."""
    wanted = ", ".join(f"{text} AS {name}" for name, text in aggregates.items())
    query = f"SELECT {wanted} FROM {_at(job.target, version)} WHERE {BATCH} = {job.batch.sequence}"  # noqa: S608
    return dict(engine.select(job.spark, query).collect()[0].asDict())


def _tally(frame: DataFrame, marks: Mapping[str, str]) -> tuple[int, dict[str, int]]:
    """How many rows there are, and of how many each mark is true."""
    wanted = ["count(*) AS n", *(f"count_if({mark}) AS n{index}" for index, mark in enumerate(marks.values()))]
    seen = frame.selectExpr(*wanted).collect()[0]
    return int(seen["n"]), {name: int(seen[f"n{index}"]) for index, name in enumerate(marks)}


def _at(target: Target, version: int) -> str:
    return f"delta.{quoted(target.path)} VERSION AS OF {version}"


def _recorded(figures: list[quality.Count]) -> dict[str, Any]:
    return {
        count.rule: {"otherwise": count.otherwise, "rows_bad": count.rows_bad, "share": count.share}
        for count in figures
    }
