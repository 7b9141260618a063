"""Trying: a rule on the past says what was decided then; SQL on real rows says what it would do to them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flows import client, trying, trying_apart
from flows.batches import quarantine_path
from flows.services import process
from flows.trying import try_rows, try_rule
from metadata.errors import Fault, PilothouseError, UsageError
from metadata.kinds import Blueprint
from metadata.revisions import apply_exactly
from metadata.rows.decisions import decisions_of_run
from metadata.rows.staged import stage, stage_removal
from metadata.trying import Checked, RowsTried
from tests.flows import learning
from tests.flows.test_decide import BROKEN, WORSE, a_run
from tests.flows.warehouse import Warehouse, blueprint
from tests.flows.watching import Watched, events, sections


def apply(house: Warehouse, body: dict[str, Any]) -> Blueprint:
    """The blueprint of the plan, uids included, as if it had been applied."""
    body = {"connections": {"landing": {"kind": "files", "path": "landing"}}, **body}
    whole = blueprint(**body)
    apply_exactly(
        house.database,
        lambda _: whole,
        Blueprint(),
        author="tests",
        note="",
        settings=house.settings,
        base_revision=0,
        also=lambda *_: None,
    )
    return whole


@pytest.fixture
def world(tmp_path: Path) -> Watched:
    made = Watched(tmp_path, None)
    body = sections(decisions={"worse": dict(WORSE), "broken": dict(BROKEN)})
    made.define(**body)
    take = {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "silver.events"}
    body["pipelines"]["flow"]["tasks"]["take"] = take
    body["datasets"]["silver.events"]["columns"] = {"id": "string", "at": "timestamp", "x": "double", "c": "string"}
    body["datasets"]["silver.events"]["columns"]["happened"] = "double"
    apply(made, body)
    made.trained(1, events(-20, 20, per_day=50))
    return made


def test_a_rule_on_the_past_says_of_each_run_what_was_decided_then(world: Watched) -> None:
    runs = [a_run(world, number, roc_auc=value) for number, value in ((1, 0.6), (5, 0.6), (6, 0.95), (12, 0.6))]
    runs.append(a_run(world, 30, null_rate=0.1))
    for run in runs[:3]:
        world.keep(run, "decide")
    better = events(-20, 20, per_day=50, seed=9)
    world.trained(2, better.assign(score=better["happened"]), run_id=runs[2].id)
    for run in runs[3:]:
        world.keep(run, "decide")
    tried = try_rule(world.database, "ada", "worse", "", 12)
    decided = [
        decision
        for run in reversed(runs)
        for decision in decisions_of_run(world.database, run.id)
        if decision.rule_key == "worse"
    ]
    assert [(each.run, each.state, each.reason) for each in tried.past] == [
        (run.number, decision.state, decision.reason) for run, decision in zip(reversed(runs), decided, strict=True)
    ]
    assert [each.inputs for each in tried.past] == [decision.inputs for decision in decided]
    assert all(each.then == each.state for each in tried.past)
    assert tried.told == "would have fired 2 of 5 times, held back 1, cannot be evaluated 1"
    assert [each.run for each in try_rule(world.database, "ada", "worse", "", 2).past] == [
        runs[4].number,
        runs[3].number,
    ]


def test_what_is_tried_is_as_the_change_set_has_it_and_another_text_if_one_is_given(world: Watched) -> None:
    run = a_run(world, 1, roc_auc=0.6)
    world.keep(run, "decide")
    edited = {"decisions": {"worse": {**WORSE, "when": "performance.roc_auc > 0.99"}}}
    stage(world.database, "ada", Blueprint.model_validate(edited))
    (hers,) = try_rule(world.database, "ada", "worse", "", 12).past
    assert (hers.state, hers.then) == ("quiet", "fired")
    assert try_rule(world.database, "bea", "worse", "", 12).past[0].state == "fired"
    assert try_rule(world.database, "bea", "worse", "rows > 0", 12).past[0].state == "undecided"
    assert world.plan.decisions["worse"].when == WORSE["when"]


def test_what_cannot_be_tried_says_why(world: Watched) -> None:
    def fault(kind: str, key: str, text: str = "") -> str:
        with pytest.raises(UsageError) as raised:
            if kind == "decision":
                try_rule(world.database, "ada", key, text, 12)
            try_rows(
                world.database, world.settings, lambda: pytest.fail("Spark was asked"), "ada", (kind, key, ""), text
            )
        return f"{raised.value.fault.code} {raised.value.fault.cause}"

    assert fault("decision", "worse") == "PH858 watch has measured nothing yet"
    assert fault("decision", "wors") == "PH857 there is none"
    assert fault("monitor", "watch") == "PH857 nothing of it can be tried"
    assert fault("dataset", "silver.events") == "PH857 it has no quality rule to try"
    assert fault("dataset", "silver.events", "x IN (SELECT 1)") == "PH856 an expression holds a query"
    assert fault("pipeline", "flow", "SELECT * FROM parquet.`/etc`").startswith("PH856 ")
    a_run(world, 1, roc_auc=0.6)
    assert fault("decision", "worse", "foo(").startswith("PH856 it is no CEL")
    assert fault("decision", "worse", "nothing > 1") == "PH856 there is no input nothing"
    stage_removal(world.database, "ada", world.plan.decisions["worse"].uid)
    assert fault("decision", "worse") == "PH857 there is none"


def test_a_process_of_its_own_gives_what_came_of_it() -> None:
    tried = RowsTried("dataset x", 2, "x", True, (Checked("a", "v > 1", 1, 0.5, "warns"),), ("v",), (("1",), (None,)))
    said = json.dumps({"tried": trying_apart.RESULT.dump_python(tried, mode="json")}).encode()
    assert trying_apart.outcome(b"a warning\n" + said + b"\n") == tried
    fault = Fault(code="PH410", thing="x", cause="y", remedy="z")
    assert trying_apart.outcome(json.dumps({"fault": fault.model_dump(mode="json")}).encode()) == fault
    for broken in (b"", b"Killed", b"{}", b"[1]"):
        ended = trying_apart.outcome(broken)
        assert isinstance(ended, Fault) and ended.code == "PH859"


def test_a_process_of_its_own_runs_nothing_of_the_folder_it_starts_in(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('of the folder')\n", encoding="utf-8")
    start = trying_apart.start(tmp_path, "ada", "dataset", "a", "")
    done = subprocess.run(start.argv, env=start.env, cwd=start.folder, input=b"", capture_output=True, check=True)
    fault = trying_apart.outcome(done.stdout)
    assert isinstance(fault, Fault) and "of the folder" not in done.stderr.decode()
    assert process.HOME_MARK not in start.env


def test_a_process_of_its_own_says_what_nobody_foresaw(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("\nthe first line\nthe second")

    monkeypatch.setattr(client, "try_rows", broken)
    trying_apart.main(["ada", "feature_set", "trips", ""], "")
    fault = trying_apart.outcome(capsys.readouterr().out.encode())
    assert isinstance(fault, Fault)
    assert (fault.code, fault.thing, fault.cause) == ("PH859", "feature set trips", "RuntimeError: the first line")


@pytest.mark.slow
def test_sql_is_tried_on_real_rows(tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    body = learning.sections()
    body["datasets"]["bronze.trips"]["quality"] = {
        "mild": {"expect": "temp > 0", "otherwise": "quarantine", "at_most": "1 %"},
        "one": {"unique": ["id"], "otherwise": "warn"},
    }
    body["datasets"]["gold.lines"] = {"storage": {"mode": "overwrite"}}
    sql = "SELECT line, count(*) AS trips, :least AS least FROM bronze.trips GROUP BY line HAVING count(*) > :least"
    body["pipelines"]["flow"]["parameters"] = {"least": {"type": "int", "default": 3}}
    body["pipelines"]["flow"]["tasks"]["lines"] = {"kind": "transform", "to": "gold.lines", "sql": sql}
    house = Warehouse(tmp_path, spark)
    unruled = {**body["datasets"], "bronze.trips": {**body["datasets"]["bronze.trips"], "quality": {}}}
    house.define(**{**body, "datasets": unruled})
    apply(house, body)
    trips = learning.trips(5)
    learning.land(house, "trips-1.csv", trips)
    house.run("ingest")

    def tried(kind: str, key: str, part: str = "", text: str = "") -> RowsTried:
        return try_rows(house.database, house.settings, lambda: spark, "ada", (kind, key, part), text)

    rules = tried("dataset", "bronze.trips")
    cold = int((~(trips["temp"] > 0)).sum())
    assert (rules.read, rules.told) == (200, "200 rows of bronze.trips; 0 rows lie in quarantine now")
    assert [(each.name, each.rows, each.share) for each in rules.checked] == [
        ("mild", cold, cold / 200),
        ("one", 0, 0.0),
    ]
    assert rules.checked[0].says == "such a batch would be refused (more than 1 %)"
    assert rules.columns == ("breaks", "id", "at", "line", "temp", "delay")
    assert len(rules.rows) == 20 and {row[0] for row in rules.rows} == {"mild"}
    aside = quarantine_path(house.settings, house.plan.datasets["bronze.trips"])
    spark.range(3).selectExpr("id", "id AS _batch").write.format("delta").save(aside)
    again = tried("dataset", "bronze.trips", text="id IS NOT NULL")
    assert (again.rows, again.aside) == ((), 3)

    features = tried("feature_set", "trips")
    assert features.columns == ("id", "at", *learning.FEATURES)
    assert {each.name: each.rows for each in features.checked}["temp"] == int(trips["temp"].isna().sum())
    label = tried("model", "late")
    assert label.checked[0].rows == int(trips["delay"].isna().sum())
    assert label.checked[0].says.startswith(f"mean {(trips['delay'].dropna() > 10).mean():.6g}, from 0 to 1")
    lines = tried("pipeline", "flow", "lines")
    assert (lines.columns, lines.whole) == (("line", "trips", "least"), True)
    assert {row[0]: row[1] for row in lines.rows}["D"] == str(int((trips["line"] == "D").sum()))

    with pytest.raises(PilothouseError, match="dep"):
        tried("dataset", "bronze.trips", text="dep > 0")
    monkeypatch.setattr(trying, "SECONDS", 0.5)
    slow = "SELECT count(*) AS n FROM bronze.trips a, bronze.trips b, bronze.trips c, bronze.trips d WHERE a.id < d.id"
    with pytest.raises(PilothouseError, match="PH859"):
        tried("pipeline", "flow", "lines", slow)
