"""The first screen: what needs a person and what does not any more, and how things do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import insert, update

from metadata import tables
from metadata.database import Database, next_change
from metadata.kinds import Blueprint
from metadata.rows.overview import overview
from metadata.states import State
from tests.metadata.rows import (
    NOW,
    add_decision,
    add_figure,
    add_run,
    add_state,
    add_version,
    applied,
)


def needed(database: Database) -> list[tuple[str, str, str]]:
    return [(item.what, item.thing, item.key) for item in overview(database, now=NOW).attention]


def test_nothing_needs_anybody_at_first(database: Database) -> None:
    assert overview(database).pipelines.items == ()
    applied(database)
    found = overview(database, now=NOW)
    assert found.attention == ()
    assert [(row.key, row.last, row.newest, row.usual) for row in found.pipelines.items] == [("orders", (), None, None)]
    assert found.freshness.items == ()
    assert [row.model.key for row in found.models.items] == ["returns"]


def test_a_failure_needs_somebody_until_the_pipeline_succeeds(database: Database) -> None:
    uid = applied(database).pipelines["orders"].uid
    add_run(database, uid, "orders", "succeeded")
    add_run(database, uid, "orders", "failed", fault={"code": "PH2", "thing": "x", "cause": "disk", "remedy": "free"})
    add_run(database, uid, "orders", "failed", state_detail="quality")
    add_run(database, uid, "orders", "cancelled")
    (item,) = overview(database, now=NOW).attention
    assert (item.what, item.thing, item.cause, item.key, item.count) == ("failed", "orders #3", "quality", "r", 2)
    assert (item.subject_kind, item.subject) == ("run", "3")
    add_run(database, uid, "orders", "lost")
    assert needed(database) == [("lost", "orders #5", "r")]
    add_run(database, uid, "orders", "succeeded")
    assert needed(database) == []


def test_what_lies_in_a_definition_is_mended_there_and_not_by_another_run_of_the_same_plan(database: Database) -> None:
    uid = applied(database).pipelines["orders"].uid
    for remedy, key in (("Correct the SQL: press e on the definition", "e"), ("mend it (e), run it again (r)", "r")):
        add_run(database, uid, "orders", "failed", fault={"code": "PH2", "thing": "x", "cause": "y", "remedy": remedy})
        (item,) = overview(database, now=NOW).attention
        assert (item.key, item.remedy) == (key, {"e": "definition", "r": "run again"}[key])


def test_runs_of_a_deleted_pipeline_need_nobody(database: Database) -> None:
    applied(database)
    add_run(database, "gone", "gone", "failed")
    assert needed(database) == []


def test_what_is_held_undecided_or_critical_needs_somebody(database: Database) -> None:
    body = {"after": "returns_watch", "when": "rows > 1.0", "then": {"alert": "critical"}}
    rules = dict.fromkeys(("r1", "r2", "r3", "r4", "r5"), body)
    applied(database)
    found = applied(database, Blueprint.model_validate({"decisions": rules}))
    uid = {name: rule.uid for name, rule in found.decisions.items()}
    add_decision(database, uid["r1"], "r1", "fired", waits=True, actions={"alert": "critical", "hold": "publish"})
    add_decision(database, uid["r2"], "r2", "undecided")
    add_decision(database, uid["r3"], "r3", "fired", actions={"alert": "critical"})
    add_decision(database, uid["r4"], "r4", "fired", actions={"alert": "info"})
    add_decision(database, uid["r5"], "r5", "fired", actions={"alert": "warning"})
    assert needed(database) == [
        ("hold", "r1", "a"), ("alert", "r5", "enter"), ("alert", "r3", "enter"), ("undecided", "r2", "enter"),
    ]  # fmt: skip
    add_decision(database, uid["r5"], "r5", "quiet")
    add_decision(database, uid["r2"], "r2", "quiet")
    add_decision(database, uid["r3"], "r3", "quiet")
    assert needed(database) == [("hold", "r1", "a")]
    with database.write() as connection:
        connection.execute(update(tables.decision).values(waits=False, released_by="ada", released_at=NOW))
    assert needed(database) == []


def test_a_run_with_nothing_to_measure_is_no_news_of_a_rule(database: Database) -> None:
    rule = {"after": "returns_watch", "when": "rows > 1.0", "then": {"alert": "critical"}}
    applied(database)
    found = applied(database, Blueprint.model_validate({"decisions": {"r": rule}}))
    uid = found.decisions["r"].uid

    def decided(state: str, monitor: State) -> None:
        _, run_id = add_run(database, found.pipelines["orders"].uid, "orders", "succeeded")
        with database.write() as connection:
            connection.execute(
                insert(tables.task_run).values(
                    id=run_id, run_id=run_id, attempt=1, task_key="watch", task_uid="watch", kind="monitor",
                    position=0, upstream=[], state=monitor, tries=1, changed=next_change(connection),
                )
            )  # fmt: skip
        add_decision(database, uid, "r", state, run_id=run_id, actions={"alert": "critical"})

    decided("undecided", State.SKIPPED)
    assert needed(database) == []
    decided("fired", State.SUCCEEDED)
    decided("undecided", State.SKIPPED)
    assert needed(database) == [("alert", "r", "enter")]
    decided("undecided", State.SUCCEEDED)
    assert needed(database) == [("undecided", "r", "enter")]


def test_a_dataset_that_is_older_than_it_may_be_needs_somebody(database: Database) -> None:
    uid = applied(database).datasets["silver.orders"].uid
    add_state(database, uid, "silver.orders", 10, NOW - timedelta(days=2, seconds=1))
    assert needed(database) == [("stale", "silver.orders", "L")]
    (row,) = overview(database, now=NOW).freshness.items
    assert row.stale
    assert overview(database, now=NOW - timedelta(days=1)).attention == ()


def test_pipelines_show_their_last_runs_and_what_is_usual(database: Database) -> None:
    uid = applied(database).pipelines["orders"].uid
    for number in range(1, 15):
        add_run(database, uid, "orders", "failed" if number == 7 else "succeeded")
    (row,) = overview(database, now=NOW).pipelines.items
    assert [mark.number for mark in row.last] == list(range(3, 15))
    assert row.last[4].state == State.FAILED
    assert row.took == 140, "the fourteenth run takes 10 s times its number"
    assert row.usual == 95, "the median of the newest ten successes: 5, 6, 8, 9 … 14"
    assert row.next_at is not None


def test_a_run_under_way_shows_its_progress_first(database: Database) -> None:
    task = {"tasks": {"t": {"kind": "transform", "to": "d", "sql": "SELECT 1 AS a"}}}
    document = Blueprint.model_validate({"datasets": {"d": {}}, "pipelines": {"a": task, "b": task, "c": task}})
    uids = {key: value.uid for key, value in applied(database, document).pipelines.items()}
    add_run(database, uids["a"], "a", "succeeded")
    _, run_id = add_run(database, uids["b"], "b", "running", ended_at=None)
    states = (("x", "succeeded", None), ("y", "running", {"rows": 5}), ("z", "queued", None))
    with database.write() as connection:
        rows: list[dict[str, Any]] = [
            {"id": key, "task_key": key, "task_uid": key, "position": place, "state": state, "progress": said}
            for place, (key, state, said) in enumerate(states)
        ]
        common = {
            "run_id": run_id,
            "attempt": 1,
            "kind": "transform",
            "upstream": [],
            "changed": next_change(connection),
        }
        for row in rows:
            connection.execute(insert(tables.task_run).values(**row, **common))
    found = overview(database, now=NOW).pipelines.items
    assert [row.key for row in found] == ["b", "a", "c"]
    progress = found[0].progress
    assert progress is not None
    assert (progress.done, progress.total, progress.task_key, progress.said) == (1, 3, "y", {"rows": 5})
    assert found[0].took is None


def test_what_is_beyond_the_limit_is_counted_and_found_by_a_filter(database: Database) -> None:
    task = {"tasks": {"t": {"kind": "transform", "to": "d000", "sql": "SELECT 1 AS a"}}}
    names = [f"{at:03}" for at in range(60)]
    document = {
        "datasets": {f"d{name}": {"fresh_within": "1d"} for name in names},
        "pipelines": {f"p{name}": task for name in names},
    }
    found = applied(database, Blueprint.model_validate(document))
    add_run(database, found.pipelines["p058"].uid, "p058", "succeeded")
    add_run(database, found.pipelines["p059"].uid, "p059", "running", ended_at=None)
    for at, name in enumerate(names):
        age = timedelta(days=3) if name == "057" else timedelta(minutes=60 - at)
        add_state(database, found.datasets[f"d{name}"].uid, f"d{name}", 1, NOW - age)
    seen = overview(database, now=NOW)
    assert [row.key for row in seen.pipelines.items[:3]] == ["p059", "p058", "p000"]
    assert [row.key for row in seen.freshness.items[:3]] == ["d057", "d059", "d058"]
    assert (len(seen.pipelines.items), len(seen.freshness.items)) == (50, 50)
    assert (seen.pipelines.total, seen.freshness.total, seen.models.total) == (60, 60, 0)
    seen = overview(database, "57", now=NOW)
    assert [row.key for row in (*seen.pipelines.items, *seen.freshness.items)] == ["p057", "d057"]
    assert (seen.pipelines.total, seen.freshness.total, seen.models.total) == (1, 1, 0)
    assert [row.key for row in overview(database, "/p05*", now=NOW, limit=2).pipelines.items] == ["p059", "p058"]


def test_all_that_waits_needs_somebody(database: Database) -> None:
    rule = applied(database).decisions["retrain"].uid
    for at in range(60):
        add_decision(database, rule, "retrain", "fired", run_id=f"r{at}", waits=True)
    assert len(overview(database, now=NOW).attention) == 60


def test_models_show_their_champion_its_newest_measure_and_drift(database: Database) -> None:
    found = applied(database)
    model, monitor = found.models["returns"].uid, found.monitors["returns_watch"].uid
    add_version(database, model, "returns", 1, 0.70, "champion")
    for month in range(3):
        end = NOW - timedelta(days=30 * (3 - month))
        add_figure(database, monitor, "psi", 0.1 * month, end, "amount")
        add_figure(database, monitor, "psi", 0.05, end, "hour")
        add_figure(database, monitor, "psi_threshold", 9.0, end, "hour")
        add_figure(database, monitor, "roc_auc", 0.6 + 0.01 * month, end, "version:1")
        add_figure(database, monitor, "roc_auc", 0.9, end, "version:2")
    (health,) = overview(database, now=NOW).models.items
    assert health.model.champion == 1
    assert health.model.metric_value == 0.70
    assert health.measured == 0.62
    assert health.drift == (0.05, 0.1, 0.2)
