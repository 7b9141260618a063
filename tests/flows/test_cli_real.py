"""The command line on real services: what each command does, what it says as JSON, how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.services import process
from metadata.revision_log import newest_revision
from metadata.rows.runs import find_run
from metadata.settings import settings
from tests.console.pty_terminal import Terminal
from tests.console.running import Commands
from tests.flows import learning
from tests.flows.homes import fresh_home, until
from tests.flows.house import House

pytestmark = pytest.mark.slow

BLUEPRINT = """
connections:
  lines: {kind: files, path: lines}
datasets:
  bronze.trips:
    columns: {id: string, at: timestamp, line: string, temp: double, delay: double}
    storage: {mode: merge, keys: [id]}
  features.trips: {storage: {mode: merge, keys: [id]}}
  predictions.pending: {storage: {mode: merge, keys: [id]}}
  predictions.trips: {storage: {mode: merge, keys: [id]}}
feature_sets:
  trips:
    from: bronze.trips
    entity: [id]
    event_time: at
    features: {line: {}, temp: {default: 5}}
models:
  late:
    predicts: {label: delay > 10, from: bronze.trips, known_after: 1 d}
    features: [trips]
    estimator: {class: sklearn.ensemble.HistGradientBoostingClassifier, params: {max_iter: 5}, seed: 3}
    trained_on: {window: 60 d, min_history: 20 d, test: 25 %}
monitors:
  watch: {model: late, predictions: predictions.pending, watch: {features: [null_rate]}}
decisions:
  broken: {after: watch, when: worst(null_rate) >= 0.0, then: {hold: publish, alert: critical}}
pipelines:
  trips:
    tasks:
      ingest: {kind: ingest, from: {connection: lines, files: "*.csv"}, to: bronze.trips}
      features: {kind: features, set: trips, to: features.trips}
      train: {kind: train, model: late, when: champion == null}
      predict: {kind: infer, model: late, to: predictions.pending}
      watch: {kind: monitor, monitor: watch}
      decide: {kind: decide, decisions: [broken]}
      publish:
        kind: transform
        to: predictions.trips
        sql: SELECT * FROM predictions.pending
        reads: {predictions.pending: new}
        after: [decide]
schedules:
  nightly: {pipeline: trips, cron: "30 2 * * *", timezone: UTC, enabled: false}
"""

TROUBLE = """
connections:
  narrow: {kind: files, path: narrow}
  wrong: {kind: files, path: wrong}
datasets:
  bronze.narrow: {columns: {id: long, place: string}}
  bronze.wrong:
    columns: {id: long, place: string}
    quality: {positive: {expect: id > 0, otherwise: fail}}
pipelines:
  narrow:
    tasks:
      ingest: {kind: ingest, from: {connection: narrow, files: "*.csv"}, to: bronze.narrow}
  wrong:
    tasks:
      ingest: {kind: ingest, from: {connection: wrong, files: "*.csv"}, to: bronze.wrong}
"""


def pilothouse(*words: str | Path) -> str:
    """What a command that succeeds says, as a process in the home that the environment names."""
    made = subprocess.run([sys.executable, "-m", "console", *map(str, words)], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """The command line in this process."""
    return Commands(monkeypatch, capsys)


@dataclass(frozen=True)
class Operated:
    """A home in which the pipeline ran once; `run` is what the launch said of it."""

    house: House
    run: dict[str, Any]
    documents: Path


@pytest.fixture(scope="module")
def operated(house: House, tmp_path_factory: pytest.TempPathFactory) -> Operated:
    """Applied, landed and launched by the command line alone."""
    documents = tmp_path_factory.mktemp("documents")
    (documents / "trips.yaml").write_text(BLUEPRINT, encoding="utf-8")
    house.land("lines", "trips-1.csv", learning.trips(60).to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ"))
    number = newest_revision(house.database) + 1
    applied = pilothouse("blueprint", "apply", documents, "--prune", "--yes", "--note", "first")
    assert f"Revision {number} is applied." in applied
    as_of = learning.day(60).isoformat()
    launched = json.loads(pilothouse("run", "launch", "trips", "--as-of", as_of, "--wait", "--json"))
    return Operated(house, launched, documents)


def test_a_launch_that_is_waited_for_tells_the_run_and_its_tasks(operated: Operated, run: Commands) -> None:
    number = str(operated.run["number"])
    assert (operated.run["state"], operated.run["pipeline_key"]) == ("succeeded", "trips")
    assert number in [str(one["number"]) for one in run.told("run", "list", "--filter", "state:succeeded")]
    shown = run.told("run", "show", number)
    states = {task["task_key"]: task["state"] for task in shown["tasks"]}
    assert states["ingest"] == states["train"] == states["decide"] == "succeeded"
    assert {"rows", "roc_auc"} <= {figure["name"] for figure in shown["figures"]}
    assert {line["task_key"] for line in run.told("run", "logs", number)} >= {"ingest", "train"}
    assert {line["task_key"] for line in run.told("run", "logs", number, "--task", "train")} == {"train"}
    assert "succeeded" in run.said("run", "show", number)


def test_what_succeeded_is_neither_run_again_nor_cancelled(operated: Operated, run: Commands) -> None:
    number = str(operated.run["number"])
    for word, code in (("again", "PH504"), ("cancel", "PH505")):
        refused = run("run", word, number)
        assert (refused.code, refused.err.split()[0]) == (2, code)


def test_a_run_is_cancelled(operated: Operated, run: Commands) -> None:
    launched = run.told("run", "launch", "trips")
    assert "is being cancelled" in run.said("run", "cancel", str(launched["number"]))
    ended = operated.house.ended(find_run(operated.house.database, launched["number"]))
    assert ended.state == "cancelled"


def test_datasets_and_their_rows(operated: Operated, run: Commands) -> None:
    rows = {row["key"]: row["rows"] for row in run.told("dataset", "list")}
    landed = len(learning.trips(60))
    assert rows["bronze.trips"] == landed
    shown = run.told("dataset", "show", "bronze.trips")
    assert (shown["state"]["rows"], shown["state"]["columns"]["delay"]) == (landed, "double")
    assert run.told("query", "SELECT count(*) AS rows FROM bronze.trips") == [{"rows": landed}]
    assert run("query", "DROP TABLE bronze.trips").code in (1, 2)
    cut = run("query", "SELECT id FROM bronze.trips", "--limit", "1", "--json")
    assert len(json.loads(cut.out)) == 1 and "the first 1" in cut.err
    twice = run("query", "SELECT id AS a, id AS a FROM bronze.trips", "--json")
    assert twice.code == 2 and "two columns are called a" in twice.err


def test_models_lineage_and_schedules(operated: Operated, run: Commands) -> None:
    (model,) = run.told("model", "list")
    assert (model["key"], model["champion"], model["metric"]) == ("late", 1, "roc_auc")
    shown = run.told("model", "show", "late")
    assert [version["version"] for version in shown["versions"]] == [1]
    assert "champion" in {change["alias"] for change in shown["aliases"]}
    lineage = run.told("lineage", "features.trips")
    assert {step["step"]["node"]["key"] for step in lineage["up"]} >= {"bronze.trips", "lines"}
    assert {step["step"]["node"]["key"] for step in lineage["down"]} >= {"late", "predictions.pending"}
    (schedule,) = run.told("schedule", "list")
    assert (schedule["pipeline"], schedule["cron"], schedule["enabled"]) == ("trips", "30 2 * * *", False)


def test_services_settings_and_database(operated: Operated, run: Commands) -> None:
    states = {service["name"]: service["state"] for service in run.told("status")}
    assert states == {
        "supervisor": "up", "prefect": "up", "spark": "external", "worker": "up", "projector": "up",
    }  # fmt: skip
    assert run.told("config", "show")["spark_remote"]["origin"] == "environment"
    assert "up to date" in run.said("db", "upgrade")
    assert "Everything is up" in run.said("up")


@pytest.mark.parametrize(
    ("pipeline", "text", "code"),
    [("narrow", "id\n1\n", "PH210"), ("wrong", "id,place\n1,Rome\n-2,Oslo\n", "PH220")],
    ids=["missing column", "broken rule"],
)
def test_a_run_that_fails_exits_with_1_says_why_and_runs_again(
    operated: Operated, run: Commands, pipeline: str, text: str, code: str
) -> None:
    operated.house.apply(TROUBLE)
    operated.house.land(pipeline, "a.csv", text)
    failed = run("run", "launch", pipeline, "--wait")
    assert failed.code == 1
    assert failed.err.startswith(code)
    assert all(word in failed.err for word in ("cause", "next"))
    operated.house.land(pipeline, "a.csv", "id,place\n1,Rome\n")
    number = run.told("run", "list", "--filter", f"pipeline:{pipeline}")[0]["number"]
    again = run.told("run", "again", str(number), "--wait")
    assert (again["attempt"], again["state"]) == (2, "succeeded")


def test_an_export_applied_again_changes_nothing_and_what_it_does_not_name_is_pruned(
    operated: Operated, run: Commands
) -> None:
    operated.house.apply(TROUBLE)
    exported = operated.documents / "all.yml"
    exported.write_text(run.said("blueprint", "export"), encoding="utf-8")
    assert "Nothing to change." in run.said("blueprint", "apply", exported, "--prune", "--yes")
    pruned = run.said("blueprint", "apply", operated.documents / "trips.yaml", "--prune", "--yes")
    assert "- pipeline narrow" in pruned
    assert "bronze.narrow" not in {row["key"] for row in run.told("dataset", "list")}
    exported.unlink()


def plays(shown: Terminal) -> bool:
    """Whether the process that plays the months behind a console goes on."""
    children = [process.identify(child.pid) for child in psutil.Process(shown.pid).children()]
    return any("--no-console" in process.command(child) for child in children if child is not None)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[None]:
    """A home that is to use services of others, which are not there."""
    with fresh_home(tmp_path, PREFECT_API_URL="http://127.0.0.1:9/api", SPARK_REMOTE="sc://127.0.0.1:9"):
        House(tmp_path).apply(TROUBLE)
        yield


@pytest.mark.usefixtures("alone")
def test_a_run_that_waits_for_a_service_of_others_says_which_and_exits_with_4(run: Commands) -> None:
    waits = run("run", "launch", "narrow", "--wait")
    assert waits.code == 4, waits.out + waits.err
    assert waits.err.splitlines()[-3].startswith("PH310 prefect at http://127.0.0.1:9/api")
    assert [one["state"] for one in run.told("run", "list")] == ["queued"]


@pytest.mark.usefixtures("alone")
def test_a_demo_that_stopped_behind_its_console_is_told_when_the_console_closes() -> None:
    with Terminal((sys.executable, "-m", "console", "demo", "--months", "1"), size=(120, 40)) as shown:
        shown.until("PIPELINES", "q quit")
        log = settings().logs / "demo.log"
        until(lambda: log.exists() and "PH310" in log.read_text(encoding="utf-8"), 60, "the months stopped")
        until(lambda: not plays(shown), 20, "their process ended")
        shown.send("q")
        shown.until("PH310 prefect at", "cause", "next")
        assert shown.ended()
