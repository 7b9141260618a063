"""A read-only query over datasets by key, for people who look."""

from __future__ import annotations

import difflib
from typing import Any

from flows import engine
from flows.batches import table_path
from flows.spark_errors import explain
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError, UsageError
from metadata.rows.batches import state_of
from metadata.settings import Settings
from metadata.sql import compile_query, findings, render


def run_query(
    database: Database, settings: Settings, remote: str, session_id: str, sql: str, limit: int
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows, at most `limit`. Raises UsageError PH591 for SQL that is unsafe or names what is no dataset."""
    blueprint = load_blueprint(database)
    wrong = findings(sql)
    if wrong:
        raise UsageError("PH591", "query", str(wrong[0]), "write one SELECT over datasets by key")
    query = compile_query(sql)
    relations: dict[str, str] = {}
    for key in {token.dataset for token in query.tokens}:
        dataset = blueprint.datasets.get(key)
        if dataset is None:
            near = difflib.get_close_matches(key, blueprint.datasets, 1)
            hint = f"did you mean {near[0]}?" if near else "pilothouse dataset list shows them"
            raise UsageError("PH591", f"dataset {key}", "there is no such dataset", hint)
        state = state_of(database, dataset.uid)
        if state is None or state.version is None:
            raise UsageError("PH592", f"dataset {key}", "nothing was written to it yet", "run the pipeline that does")
        relations[key] = engine.relation(table_path(settings, dataset), state.version)
    spark = engine.connect(remote, session_id=session_id)
    try:
        frame = spark.sql(render(query, relations)).limit(limit)
        return list(frame.columns), [tuple(row) for row in frame.collect()]
    except PilothouseError:
        raise
    except Exception as error:
        fault = explain(error, "query")
        raise PilothouseError(fault.code, fault.thing, fault.cause, fault.remedy, fault.detail) from error
