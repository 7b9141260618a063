"""Column lineage as rows: traced when a blueprint is applied, followed both ways."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, insert, select, update

from metadata import tables
from metadata.column_lineage import trace
from metadata.column_uses import own_uses
from metadata.database import Database
from metadata.definitions import LAYOUTS, column_edge, load_blueprint, traced_task
from metadata.impact import impact_of
from metadata.kinds import Blueprint
from metadata.migrations import upgrade
from metadata.revisions import apply, changes_of, prepare
from metadata.rows.columns import column_lineage, columns_known, readers_of
from metadata.settings import Settings
from tests.metadata.blueprints import orders_document
from tests.metadata.earlier import back_to

SETTINGS = Settings()


def put(database: Database, body: dict[str, Any], **more: Any) -> Blueprint:
    apply(database, Blueprint.model_validate(body), author="ada", settings=SETTINGS, **more)
    return load_blueprint(database)


def lines(database: Database, found: Blueprint, dataset: str, column: str) -> tuple[list[str], list[str]]:
    """Both ways of a column, each step as `depth key.column how via`."""
    lineage = column_lineage(database, found.datasets[dataset].uid, column)
    up, down = (
        [f"{one.depth} {one.key}.{one.column} {one.how} {'+'.join(via.task for via in one.via)}" for one in steps]
        for steps in (lineage.up, lineage.down)
    )
    return up, down


def test_a_column_is_followed_from_its_file_to_the_model_that_learns_from_it(database: Database) -> None:
    found = put(database, orders_document())
    up, down = lines(database, found, "features.orders", "MEAN_30D")
    assert up == [
        "1 silver.orders.amount aggregated features",
        "2 bronze.orders.amount copied clean",
        "3 landing.amount copied ingest",
    ]
    assert "1 returns. trained train+retrain returns" in down or "1 returns. trained train" in down
    assert "1 predictions.returns.score scored predict" in down
    up, down = lines(database, found, "bronze.orders", "amount")
    assert up == ["1 landing.amount copied ingest"]
    assert {line[2:] for line in down} >= {
        "silver.orders.amount copied clean",
        "features.orders.amount copied features",
        "features.orders.mean_30d aggregated features",
        "predictions.returns.predicted scored predict",
    }
    assert readers_of(database, found.datasets["bronze.orders"].uid)["amount"] == 1


def test_columns_that_nobody_declared_are_followed_by_name(database: Database) -> None:
    body: dict[str, Any] = {
        "connections": {"in": {"kind": "files", "path": "in"}},
        "datasets": {"a": {}, "b": {"storage": {"mode": "overwrite"}}, "c": {"storage": {"mode": "overwrite"}}},
        "pipelines": {
            "p": {
                "tasks": {
                    "load": {"kind": "ingest", "from": {"connection": "in", "files": "*.csv"}, "to": "a"},
                    "widen": {"kind": "transform", "to": "b", "sql": "SELECT *, x * 2 AS y, 1 AS one FROM a"},
                    "copy": {"kind": "transform", "to": "c", "sql": "SELECT * FROM b"},
                }
            }
        },
    }
    found = put(database, body)
    assert lines(database, found, "c", "z")[0] == ["1 b.z copied copy", "2 a.z copied widen", "3 in.z copied load"]
    assert lines(database, found, "c", "y")[0][:2] == ["1 b.y copied copy", "2 a.x computed widen"]
    assert lines(database, found, "b", "one")[0] == ["1 b. made widen"]
    down = ["1 b.y computed widen", "2 c.y copied copy", "1 b.x copied widen", "2 c.x copied copy"]
    assert sorted(lines(database, found, "a", "x")[1]) == sorted(down)
    assert columns_known(database, found.datasets["b"].uid) == ("y", "one")
    left = {"dataset_key": "b", "columns": {"y": "int", "one": "int"}, "rows": 1, "version": 0, "changed": 1}
    with database.write() as connection:
        connection.execute(insert(tables.dataset_state).values(dataset_uid=found.datasets["b"].uid, **left))
    assert "1 b.x copied widen" not in lines(database, found, "a", "x")[1]  # it was written, and has no such column


def test_a_writer_that_is_off_costs_the_columns_of_the_other_nothing(database: Database) -> None:
    body = chained("SELECT * FROM d1", 2)
    tasks = body["pipelines"]["p"]["tasks"]
    old = {"kind": "transform", "to": "d1", "sql": "SELECT x, x AS z FROM d0", "enabled": False, "after": ["t1"]}

    def known() -> tuple[str, ...]:
        return columns_known(database, put(database, body).datasets["out"].uid)

    assert known() == ("x",)
    tasks["old"] = old
    assert known() == ("x",)
    back_to(database, "0009")
    assert upgrade(database)
    assert known() == ("x",)
    tasks |= {"t1": tasks["t1"] | {"enabled": False}, "old": old | {"enabled": True, "after": []}}
    assert known() == ("x", "z")
    tasks["old"] = old | {"after": []}
    assert known() == (), "of two that are off nobody knows which wrote it last"


def chained(last: str, tasks: int) -> dict[str, Any]:
    """`d0`, `d1` … one out of the other, and `out`, whose query is `last`."""
    load = {"kind": "ingest", "from": {"connection": "in", "files": "*.csv"}, "to": "d0"}
    steps = {
        f"t{at}": {"kind": "transform", "to": f"d{at}", "sql": f"SELECT x FROM d{at - 1}"} for at in range(1, tasks)
    }
    rewritten: dict[str, Any] = {"storage": {"mode": "overwrite"}}
    return {
        "connections": {"in": {"kind": "files", "path": "in"}},
        "datasets": {
            "d0": {"columns": {"x": "long"}},
            **{f"d{at}": rewritten for at in range(1, tasks)},
            "out": rewritten,
        },
        "pipelines": {"p": {"tasks": {"load": load, **steps, "o": {"kind": "transform", "to": "out", "sql": last}}}},
    }


def test_what_is_near_is_told_whatever_long_way_leads_there_too_and_a_cut_is_said(database: Database) -> None:
    found = put(database, chained("SELECT a.x + b.x AS x FROM d5 a JOIN d1 b ON a.x = b.x", 6))
    uid = found.datasets["out"].uid

    def told(depth: int) -> tuple[list[tuple[int, str]], bool]:
        lineage = column_lineage(database, uid, "x", depth)
        return [(step.depth, step.key) for step in lineage.up if step.how != "rows"], lineage.cut

    short, long = [(1, "d1"), (2, "d0"), (3, "in")], [(1, "d5"), (2, "d4"), (3, "d3"), (4, "d2"), (5, "d1")]
    assert told(6) == told(5) == (short + long, False)
    assert told(4) == (short + long[:4], True)
    assert told(1)[1]
    assert not column_lineage(database, found.datasets["d0"].uid, "x", 12).cut


def test_only_tasks_for_which_something_is_another_are_traced_again(database: Database) -> None:
    body = orders_document()
    put(database, body)

    def again(body: dict[str, Any]) -> set[str]:
        changes = changes_of(database, Blueprint.model_validate(body))[1]
        plans = prepare(changes, SETTINGS)
        keys = {task.spec.uid: task.key for plan in plans for task in plan.tasks}
        return {keys[uid] for uid in trace(database, changes.blueprint, plans).tasks}

    assert again(body) == set()
    body["datasets"]["bronze.orders"]["columns"]["channel"] = "string"
    body["datasets"]["silver.orders"]["owner"] = "others"
    assert again(body) == {"ingest", "clean"}


def test_what_is_gone_is_not_told_of(database: Database) -> None:
    put(database, orders_document())
    put(database, {"datasets": {"other": {}}}, prune=True)
    with database.read() as connection:
        for table in (column_edge, traced_task):
            assert connection.execute(select(table)).first() is None


def test_what_was_applied_before_is_traced_by_the_upgrade(database: Database) -> None:
    found = put(database, orders_document())
    before = lines(database, found, "features.orders", "mean_30d")
    back_to(database, "0007")
    commits = []
    event.listen(database.engine, "commit", commits.append)
    assert upgrade(database)
    assert len(commits) == 1, "who is killed in between leaves no tables without their rows"
    assert lines(database, found, "features.orders", "mean_30d") == before


def test_a_pipeline_that_nobody_could_apply_today_leaves_only_itself_out_of_the_upgrade(database: Database) -> None:
    body, beside = orders_document(), chained("SELECT x FROM d0", 1)
    found = put(database, {name: {**body.get(name, {}), **beside.get(name, {})} for name in {*body, *beside}})
    before = lines(database, found, "features.orders", "mean_30d")
    task = LAYOUTS["pipeline"].entries["tasks"].table
    with database.write() as connection:
        connection.execute(update(task).where(task.c.name == "o").values(parameters={"to": "out", "sql": "no query"}))
    back_to(database, "0007")
    assert upgrade(database)
    assert lines(database, found, "features.orders", "mean_30d") == before
    assert lines(database, found, "out", "x") == ([], [])


def test_keys_and_rules_are_uses_of_a_column(database: Database) -> None:
    body = orders_document()
    body["datasets"]["silver.orders"]["quality"] = {
        "sane": {"expect": "amount >= 0 AND Customer IS NOT NULL"},
        "once": {"unique": ["customer", "ordered_at"]},
    }
    uses = own_uses(Blueprint.model_validate(body).datasets["silver.orders"])
    assert uses["order_id"] == ("merge key",)
    assert uses["customer"] == ("quality rule sane", "quality rule once")


def test_the_impact_of_a_column_names_who_reads_it(database: Database) -> None:
    body = orders_document()
    put(database, body)
    body["datasets"]["bronze.orders"]["columns"]["amount"] = "decimal(10,2)"
    why = {each.key: each.why for each in impact_of(changes_of(database, Blueprint.model_validate(body))[1])}
    assert "read by task orders/clean" in why["silver.orders"]
