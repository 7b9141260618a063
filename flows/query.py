"""A read-only query over datasets by key, for people who look."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from flows import engine
from flows.batches import quarantine_path, table_path
from flows.spark_errors import explain, is_about_the_work
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError, UsageError
from metadata.kinds import Blueprint, Dataset
from metadata.rows.batches import state_of
from metadata.settings import Settings
from metadata.sql import compile_query, findings, render

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


ASIDE = "quarantine."
"""Before the key of a dataset: the rows that were set aside of it, with `_reasons`, the rules that they broke."""


def run_query(
    database: Database, settings: Settings, remote: str, session_id: str, sql: str, limit: int
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows, at most `limit`. Raises UsageError PH591 for SQL that is unsafe or names what is no dataset.

    PH592 for a dataset of which no batch is known, or of which nothing was set aside.
    """
    blueprint = load_blueprint(database)
    wrong = findings(sql)
    if wrong:
        raise UsageError("PH591", "query", str(wrong[0]), "write one SELECT over datasets by key")
    query = compile_query(sql)
    keys = {token.dataset for token in query.tokens}
    named = {key: blueprint.datasets.get(key.removeprefix(ASIDE)) for key in keys - blueprint.datasets.keys()}
    aside = {key: dataset for key, dataset in named.items() if dataset is not None}
    read = {key: _known(blueprint, key) for key in keys - aside.keys()}
    spark = engine.connect(remote, session_id=session_id)
    relations = {key: last_batch(database, settings, spark, key, dataset) for key, dataset in read.items()}
    relations |= {key: _set_aside(spark, settings, key, dataset) for key, dataset in aside.items()}
    try:
        frame = engine.select(spark, render(query, relations)).limit(limit)
        return list(frame.columns), [tuple(row) for row in frame.collect()]
    except PilothouseError:
        raise
    except Exception as error:
        fault = explain(error, "query")
        remedy = "correct the query and ask again" if is_about_the_work(error) else fault.remedy
        raise PilothouseError(fault.code, fault.thing, fault.cause, remedy, fault.detail) from error


def _known(blueprint: Blueprint, key: str) -> Dataset:
    dataset = blueprint.datasets.get(key)
    if dataset is None:
        near = difflib.get_close_matches(key, blueprint.datasets, 1)
        hint = f"did you mean {near[0]}?" if near else "pilothouse dataset list shows them"
        raise UsageError("PH591", f"dataset {key}", "there is no such dataset", hint)
    return dataset


def last_batch(
    database: Database, settings: Settings, spark: SparkSession, key: str, dataset: Dataset, code: str = "PH592"
) -> str:
    """The table of a dataset as its last batch left it. Raises UsageError `code` where no batch of it is known."""
    path, state = table_path(settings, dataset), state_of(database, dataset.uid)
    if state is not None and state.version is not None:
        return engine.relation(path, state.version)
    cause, remedy = "nothing was written to it yet", "run the pipeline that does"
    if engine.table_version(spark, path) is not None:
        cause = "its table is there, but the metadata know no finished batch of it: they are of before it (db restore)"
        cause, remedy = f"{cause}, or its first one was interrupted", "run the pipeline that writes it"
    raise UsageError(code, f"dataset {key}", cause, remedy)


def _set_aside(spark: SparkSession, settings: Settings, key: str, dataset: Dataset) -> str:
    path = quarantine_path(settings, dataset)
    version = engine.table_version(spark, path)
    if version is None:
        raise UsageError("PH592", f"dataset {key}", "no row was set aside yet", "nothing has to be done")
    return engine.relation(path, version)
