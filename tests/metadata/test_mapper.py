"""Definitions and their rows: what is written is what is read, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import insert, select

from metadata.contents import content
from metadata.database import Database
from metadata.definitions import (
    LAYOUTS,
    definition,
    from_rows,
    reference,
    to_rows,
    write_rows,
)
from metadata.errors import PilothouseError
from metadata.kinds import KIND_MODELS, Dataset, Definition
from metadata.references import references, with_new_keys
from metadata.tables import metadata
from metadata.tasks import task_kinds
from tests.metadata.blueprints import definitions, orders


def common(value: Definition) -> dict[str, Any]:
    said = {"uid": value.uid, "description": value.description, "owner": value.owner, "tags": list(value.tags)}
    return said | {"enabled": value.enabled}


@given(definitions())
def test_rows_hold_all_that_a_definition_says(pair: tuple[str, Definition]) -> None:
    kind, value = pair
    assert from_rows(kind, common(value), to_rows(kind, value)) == value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(pair=definitions())
def test_a_database_gives_back_what_it_was_given_with_entries_in_order(
    database: Database, pair: tuple[str, Definition]
) -> None:
    kind, value = pair
    row = {**common(value), "kind": kind, "key": "k", "position": 1, "hash": ""}
    with database.write() as connection:
        connection.execute(definition.delete())
        connection.execute(insert(definition).values(**row, revision_created=1, revision_changed=1, changed=1))
        write_rows(connection, [(kind, value)])
    with database.read() as connection:
        layout = LAYOUTS[kind]
        rows = {table.name: connection.execute(select(table)).mappings().all() for table in layout.tables()}
        again = from_rows(kind, dict(connection.execute(select(definition)).mappings().one()), rows)
    assert again == value
    assert content(again) == content(value)
    for entries in LAYOUTS[kind].entries:
        assert list(getattr(again, entries) or {}) == list(getattr(value, entries) or {})


def test_the_tables_that_people_look_for_are_there() -> None:
    wanted = "connection dataset dataset_column storage_rule quality_rule feature_set feature model monitor"
    more = "decision_rule pipeline task dependency schedule parameter reference revision revision_item definition"
    assert set(f"{wanted} {more}".split()) <= set(metadata.tables)


def test_every_field_of_every_kind_is_kept_somewhere() -> None:
    for kind, models in KIND_MODELS.items():
        layout = LAYOUTS[kind]
        kept = {
            *layout.columns,
            *layout.parts,
            *layout.entries,
            "uid",
            "was",
            "description",
            "owner",
            "tags",
            "enabled",
        }
        assert kept == {name for model in models for name in model.model_fields}


def test_a_new_task_kind_needs_no_new_column() -> None:
    columns = set(LAYOUTS["pipeline"].entries["tasks"].table.c.keys())
    special = {name for kind in task_kinds().values() for name in kind.model_fields} - {"uid", "description"}
    assert columns & special == {"kind", "after", "when", "retries", "retry_delay", "timeout", "enabled"}


def test_a_reference_to_nothing_is_refused_by_the_database(database: Database) -> None:
    with pytest.raises(PilothouseError, match="PH334"), database.write() as connection:
        connection.execute(insert(reference).values(from_uid="x", path="p", to_uid="nothing"))


def test_references_are_found_by_the_types_of_fields_and_in_sql() -> None:
    found = {(each.path, each.kind, each.key) for each in references(orders().pipelines["orders"])}
    assert ("tasks.ingest.source.connection", "connection", "landing") in found
    assert ("tasks.clean.sql", "dataset", "bronze.orders") in found
    assert ("tasks.clean.reads", "dataset", "bronze.orders") in found
    assert ("tasks.decide.decisions", "decision", "retrain") in found
    assert ("predicts.source", "dataset", "silver.orders") in {
        tuple(each) for each in references(orders().models["returns"])
    }
    assert references(Dataset()) == ()


def test_renaming_a_reference_changes_sql_only_where_it_names_the_dataset() -> None:
    pipeline = orders().pipelines["orders"]
    clean = pipeline.tasks["clean"]
    odd = clean.model_copy(
        update={"sql": "SELECT 'bronze.orders' AS note, o.order_id /* bronze.orders */ FROM bronze.orders AS o"}
    )
    renamed = with_new_keys(odd, {("dataset", "bronze.orders"): "raw.orders"})
    assert renamed.queries()["sql"] == (
        "SELECT 'bronze.orders' AS note, o.order_id /* bronze.orders */ FROM raw.orders AS o"
    )
    assert with_new_keys(pipeline, {("dataset", "other"): "x"}) is pipeline
