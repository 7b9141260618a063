"""The command line as a process: what it prints, and the exit code that a script reads."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import update

from console.cli import demo
from console.cli.services import tell_what_became_of
from flows import client
from metadata.database import Database
from metadata.definitions import definition, load_blueprint
from metadata.documents import dump
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.rows.pages import list_decisions, list_runs
from metadata.signet import Signet
from metadata.states import State
from metadata.values import utc_now
from tests.console.running import Commands


class Tty(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def pilothouse(*words: str | Path, answer: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the home that the environment names."""
    return subprocess.run(
        [sys.executable, "-m", "console", *map(str, words)],
        capture_output=True,
        text=True,
        input=answer,
        env={**os.environ, **variables},
    )


def told(*words: str | Path) -> Any:
    """What a command that succeeds says as JSON: nothing else stands on its standard output."""
    made = pilothouse(*words, "--json")
    assert made.returncode == 0, made.stdout + made.stderr
    return json.loads(made.stdout)


def test_exit_codes_tell_what_came_of_it(database: Database, tmp_path: Path, run: Commands) -> None:
    same, other, wrong = (tmp_path / f"{name}.yaml" for name in ("same", "other", "wrong"))
    same.write_text(dump(load_blueprint(database)), encoding="utf-8")
    other.write_text(same.read_text(encoding="utf-8").replace("one file a month", "a file a month"), encoding="utf-8")
    wrong.write_text("datasets:\n  a: {laier: bronze}\n", encoding="utf-8")
    assert run("blueprint", "diff", same).code == 0
    assert run("blueprint", "diff", other).code == 3
    assert run("blueprint", "check", wrong).code == 1
    assert run("blueprint", "apply", wrong).code == 1
    unknown = run("run", "show", "4711")
    assert (unknown.code, unknown.out) == (2, "")
    assert "PH501 run 4711" in unknown.err
    assert run("rnu").code == 2
    assert run("status").code == 4
    away = run("query", "SELECT 1")
    assert (away.code, away.out) == (4, "")
    assert away.err.startswith("PH410")


def test_an_apply_that_is_refused_tells_of_no_impact(database: Database, tmp_path: Path, run: Commands) -> None:
    text = dump(load_blueprint(database)).replace("cron: 0 6 2 * *", "cron: never")
    (tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    refused = run("blueprint", "apply", tmp_path / "wrong.yaml", "--yes")
    assert (refused.code, refused.out) == (1, "")
    assert "error PH153 schedule flights_monthly cron" in refused.err


def test_a_list_that_is_cut_says_so_and_goes_on(database: Database) -> None:
    first = pilothouse("run", "list", "--limit", "2", "--json")
    assert [run["number"] for run in json.loads(first.stdout)] == [17, 16]
    assert first.stderr == "(2 of 17; the next ones: --after 16)\n"
    assert [run["number"] for run in told("run", "list", "--limit", "2", "--after", "16")] == [15, 14]
    last = pilothouse("run", "list", "--after", "3")
    assert (len(last.stdout.splitlines()), last.stderr) == (3, "")
    for thing, after in (("dataset", "bronze.flights"), ("decision", "5"), ("schedule", "flights_monthly")):
        assert len(told(thing, "list", "--after", after)) < len(told(thing, "list"))
    assert told("model", "list", "--after", "late_arrival") == []
    for thing, after, many in (("run", "1", 17), ("model", "late_arrival", 1)):
        assert pilothouse(thing, "list", "--after", after).stdout == f"The list ends there; it has {many}.\n"
    for thing in ("run", "decision"):
        refused = pilothouse(thing, "list", "--after", "99999999999999999999")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "is not in the range" in refused.stderr


@pytest.mark.parametrize("thing", ["dataset list", "model list", "schedule list", "decision list", "blueprint log"])
def test_a_filter_that_leaves_nothing_is_not_told_as_a_list_that_is_empty(
    database: Database, thing: str, run: Commands
) -> None:
    shown = run(*thing.split(), "--filter", "zzz").out
    assert shown.startswith("No ")
    assert "matches 'zzz'." in shown


def test_logs_of_a_task_that_is_not_there_are_refused(database: Database) -> None:
    found = pilothouse("run", "logs", "13", "--task", "claen")
    assert (found.returncode, found.stdout) == (2, "")
    assert "PH514 run 13 task claen" in found.stderr
    assert "did you mean clean?" in found.stderr
    said = pilothouse("run", "logs", "13", "--task", "clean", TZ="America/New_York").stdout.splitlines()
    assert said
    assert all(line.split()[2] in ("EST", "EDT") for line in said)


def test_a_task_that_is_added_is_shown_as_it_is_written(database: Database, tmp_path: Path, run: Commands) -> None:
    more = tmp_path / "more.yaml"
    task = "{kind: ingest, from: {connection: landing, files: 'x-*.csv'}, to: bronze.weather, after: [ingest_weather]}"
    pipeline = load_blueprint(database).pipelines["weather"]
    text = dump(Blueprint(pipelines={"weather": pipeline})).rstrip("\n") + f"\n      again: {task}\n"
    more.write_text(text, encoding="utf-8")
    shown = run("blueprint", "diff", more).out
    assert "    + tasks.again:\n    +   kind: ingest\n    +   from: {connection: landing, files: x-*.csv}" in shown
    assert "'" not in shown
    assert run("blueprint", "apply", more).code == 0
    assert "+ tasks.again:\n    +   kind: ingest\n" in run("blueprint", "log", "3").out


def test_the_demo_opens_no_console_where_nothing_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[int] = []
    monkeypatch.setattr(demo, "_play", played.append)
    monkeypatch.setattr(sys, "stdout", Tty())
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    demo.demo.main(["--months", "2"], standalone_mode=False)
    assert played == [2]


def test_the_log_says_what_a_revision_did(database: Database, run: Commands) -> None:
    listed = run("blueprint", "log")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["REVISION", "2", "1"]
    assert run("blueprint", "log", "2").out.startswith("+ schedule ")
    beyond = run("blueprint", "log", "9")
    assert (beyond.code, beyond.err.splitlines()[0]) == (2, "PH333 revision 9")


def test_a_change_is_undone_done_again_and_reverted_after_a_yes(database: Database) -> None:
    whole = load_blueprint(database)
    undone = pilothouse("blueprint", "undo", answer="n\n")
    assert (undone.returncode, load_blueprint(database)) == (1, whole)
    assert "Undo revision 2?" in undone.stdout
    assert "Nothing was done." in undone.stdout
    assert "Revision 3 is applied." in pilothouse("blueprint", "undo", answer="y\n").stdout
    assert load_blueprint(database) != whole
    assert pilothouse("blueprint", "redo", "--yes", "--note", "a mistake").returncode == 0
    assert load_blueprint(database) == whole
    nothing = pilothouse("blueprint", "redo", "--yes")
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert "PH347" in nothing.stderr
    assert "Nothing to change: the blueprint is what revision 4 left." in pilothouse("blueprint", "revert", "4").stdout
    assert pilothouse("blueprint", "revert", "1", "--yes").returncode == 0
    assert load_blueprint(database) == load_blueprint(database, 1)
    assert pilothouse("blueprint", "revert", "99", "--yes").returncode == 2
    log = told("blueprint", "log", "--filter", "deed:redo,revert")
    assert [(each["number"], each["deed"], each["of"], each["note"]) for each in log] == [
        (5, "revert", 1, ""),
        (4, "redo", 2, "a mistake"),
    ]


def test_two_revisions_are_compared_and_differences_are_told_by_the_exit_code(
    database: Database, run: Commands
) -> None:
    between = run("blueprint", "diff", "--from", "1", "--to", "2", "--json")
    assert between.code == 3
    changed = json.loads(between.out)
    assert changed["changes"] == json.loads(run("blueprint", "log", "2", "--json").out)
    assert (changed["impact"], changed["findings"]) == ([], [])
    assert run("blueprint", "diff", "--from", "1").code == 3
    same = run("blueprint", "diff", "--from", "2")
    assert (same.code, same.out) == (0, "No differences.\n")
    for wrong in ([], ["--to", "2"], ["some.yaml", "--from", "1"], ["some.yaml", "--to", "1"], ["--from", "9"]):
        assert run("blueprint", "diff", *wrong).code == 2


def with_sql(database: Database, folder: Path) -> Path:
    """A document in which silver.flights has another weather, and the delays by hour are merged."""
    text = dump(load_blueprint(database)).replace("AND w.time_hour = f.time_hour", "AND w.time_hour < f.time_hour", 1)
    path = folder / "with_sql.yaml"
    path.write_text(text.replace("mode: overwrite", "mode: merge, keys: [carrier, hour]"), encoding="utf-8")
    return path


def test_what_a_change_touches_is_told_with_what_it_needs_and_how_many_rows_that_is(
    database: Database, tmp_path: Path, run: Commands
) -> None:
    document = with_sql(database, tmp_path)
    shown = run("blueprint", "diff", document)
    assert shown.code == 3, shown.err
    touched, findings = shown.out.split("\nImpact")[1].split("\nFindings\n")
    assert all(len(line) <= 80 for line in touched.splitlines())
    assert "warning PH134 pipeline weather tasks.ingest_weather\n  cause  " in findings
    day = utc_now() - timedelta(minutes=3)
    rebuilt = f"""
  rebuilt   dataset silver.flights
            about 287,650 rows, as of {day:%Y-%m-%d}
            sql of task flights/clean
"""
    assert rebuilt in touched
    assert "\n  retrain   model late_arrival\n            about 64,310 rows, as of " in touched
    assert touched.endswith("\n  touched   schedule flights_monthly\n            it runs pipeline flights\n")
    whole = json.loads(run("blueprint", "diff", document, "--json").out)
    assert set(whole) == {"changes", "impact", "findings"}
    backfill = whole["impact"][0]
    assert set(backfill) == {"kind", "key", "uid", "needs", "why", "rows", "written_at"}
    assert (backfill["key"], backfill["needs"], backfill["rows"]) == ("gold.delay_by_hour", "backfill", 6_112)
    assert backfill["why"] == "its storage.mode, storage.keys"
    assert [each["needs"] for each in whole["impact"]][:4] == ["backfill", "rebuilt", "rebuilt", "retrain"]


def test_the_impact_is_told_before_anybody_is_asked_and_not_where_there_is_none(
    database: Database, tmp_path: Path
) -> None:
    applied = pilothouse("blueprint", "apply", with_sql(database, tmp_path)).stdout
    assert applied.index("\nImpact\n  backfill  dataset gold.delay_by_hour\n") < applied.index("Revision 3 is applied.")
    undone = pilothouse("blueprint", "undo", answer="n\n").stdout
    assert undone.index("sql of task flights/clean") < undone.index("Undo revision 3?")
    described = tmp_path / "described.yaml"
    text = dump(load_blueprint(database)).replace("one file a month", "a file a month")
    described.write_text(text, encoding="utf-8")
    shown = pilothouse("blueprint", "diff", described)
    assert (shown.returncode, "Impact" in shown.stdout) == (3, False)
    assert json.loads(pilothouse("blueprint", "diff", described, "--json").stdout)["impact"] == []
    same = tmp_path / "same.yaml"
    same.write_text(dump(load_blueprint(database)), encoding="utf-8")
    nothing = pilothouse("blueprint", "diff", same, "--json")
    assert (nothing.returncode, json.loads(nothing.stdout)) == (0, {"changes": [], "impact": [], "findings": []})


def test_a_definition_changed_by_hand_in_the_database_is_named(database: Database, run: Commands) -> None:
    assert run("blueprint", "verify").out == "2 revisions, and the definitions are what they left.\n"
    with database.write() as connection:
        connection.execute(update(definition).where(definition.c.key == "bronze.flights").values(owner="eve"))
    found = run("blueprint", "verify")
    assert found.code == 1
    assert "PH305 dataset bronze.flights" in found.err


def test_an_empty_home_answers_with_what_to_do(empty_database: Database, run: Commands) -> None:
    assert "pilothouse blueprint apply FILE" in run("blueprint", "log").out
    assert run("run", "list").code == 0


def test_a_log_is_one_array_and_each_line_an_object_where_it_is_followed(database: Database) -> None:
    logged = next(run for run in told("run", "list") if told("run", "logs", str(run["number"])))
    lines = told("run", "logs", str(logged["number"]))
    assert {line["run_id"] for line in lines} == {logged["id"]}
    if logged["state"] in ("succeeded", "failed", "cancelled"):
        followed = pilothouse("run", "logs", str(logged["number"]), "--follow", "--json").stdout
        assert [json.loads(line) for line in followed.splitlines()] == lines
    silent = next(run for run in told("run", "list") if run["number"] != logged["number"])
    assert isinstance(told("run", "logs", str(silent["number"])), list)


def test_settings_keep_their_types_in_json_and_secrets_stay_masked(home: Path) -> None:
    found = told("config", "show")
    assert found["run_limit"] == {"value": 4, "origin": "default"}
    assert found["database_url"]["value"] is None
    assert found["estimator_prefixes"]["value"] == ["sklearn.", "lightgbm."]
    assert found["home"] == {"value": str(home), "origin": "environment"}
    masked = pilothouse("config", "show", "--json", PILOTHOUSE_DATABASE_URL="postgresql://eve:hidden@h/d")
    assert "hidden" not in masked.stdout
    assert json.loads(masked.stdout)["database_url"]["value"]


def test_a_terminal_that_knows_few_letters_gets_what_it_can_show(home: Path) -> None:
    shown = pilothouse("config", "show", PYTHONIOENCODING="latin-1")
    assert shown.returncode == 0, shown.stderr
    assert "database_url" in shown.stdout


def test_hidden_files_and_folders_are_no_part_of_a_blueprint(database: Database, tmp_path: Path, run: Commands) -> None:
    folder = tmp_path / ".kept" / "blueprint"
    for name in ("one.yaml", ".two.yaml", ".git/three.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("datasets:\n  bronze.one: {}\n", encoding="utf-8")
    changes = run("blueprint", "diff", folder, "--json")
    assert changes.code == 3, changes.err
    assert [change["key"] for change in json.loads(changes.out)["changes"]] == ["bronze.one"]


def test_the_names_of_a_foreign_document_drive_no_terminal(database: Database, tmp_path: Path, run: Commands) -> None:
    foreign, whole = tmp_path / "foreign.yaml", dump(load_blueprint(database))
    foreign.write_text(whole.replace("    columns:\n", '    columns:\n      "\\e[2Jone": long\n', 1), encoding="utf-8")
    shown = run("blueprint", "diff", foreign)
    assert "[2Jone" in shown.out, shown.err
    assert "\x1b" not in shown.out


def test_no_to_a_question_changes_nothing_and_is_told(database: Database, tmp_path: Path) -> None:
    before, little = load_blueprint(database), tmp_path / "little.yaml"
    little.write_text("datasets:\n  bronze.one: {}\n", encoding="utf-8")
    refused = pilothouse("blueprint", "apply", little, "--prune", answer="n\n")
    assert refused.returncode == 1
    assert refused.stdout.endswith("Nothing was done.\n")
    assert load_blueprint(database) == before


def test_lineage_of_what_is_not_there_names_what_is(database: Database, run: Commands) -> None:
    unknown = run("lineage", "silver.flight")
    assert unknown.code == 2
    assert "did you mean silver.flights?" in unknown.err


def test_what_is_given_by_url_and_is_not_there_is_down_also_while_nobody_looks_at_it(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there, socket.create_server(("127.0.0.1", 0)) as gone:
        there_at, gone_at = there.getsockname()[1], gone.getsockname()[1]
        gone.close()
        shown = pilothouse(
            "status",
            "--json",
            PREFECT_API_URL=f"http://127.0.0.1:{gone_at}/api",
            SPARK_REMOTE=f"sc://127.0.0.1:{there_at}",
        )
    found = {one["name"]: one for one in json.loads(shown.stdout)}
    assert shown.returncode == 4
    assert (found["prefect"]["state"], found["spark"]["state"]) == ("down", "external")
    assert "refused" in found["prefect"]["detail"]


class Watched(Database):
    """A database that tells which are open."""

    open: ClassVar[list[Database]] = []

    def __init__(self, url: str, signet: Signet | None = None) -> None:
        super().__init__(url, signet)
        self.open.append(self)

    def close(self) -> None:
        super().close()
        self.open.remove(self)


def test_no_action_leaves_the_database_open(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "Database", Watched)
    launched = client.launch("weather", {}, None, "operator")
    client.cancel(launched.id, "operator")
    failed = next(run for run in list_runs(database, "state:failed").items)
    client.again(failed.id, "failed", "operator")
    client.release(next(one.id for one in list_decisions(database, "waits:yes").items), "operator")
    for refused in (lambda: client.launch("nothing", {}, None, "operator"), lambda: client.query("SELECT 1", 1)):
        with pytest.raises(PilothouseError):
            refused()
    assert client.demo_files() == ([], [])
    assert Watched.open == []


def test_running_again_promises_what_incremental_tasks_do(run: Commands) -> None:
    assert "No file, row or batch is taken in twice" in " ".join(run("run", "again", "--help").out.split())


def test_help_lists_every_exit_code(run: Commands) -> None:
    shown = run("--help").out
    assert all(code in shown for code in ("0 done", "1 failed", "2 wrong", "3 diff", "4 a service", "130 stopped"))


def test_starting_over_names_what_goes_and_spares_what_is_not_the_demos(database: Database, home: Path) -> None:
    gone = [home / "data" / "tables" / "some" / "part", home / "data" / "landing" / "flights-2013-01.csv"]
    kept = [home / "data" / "landing" / "own.csv", home / "data" / "shop" / "a.csv", home / "drafts" / "edit.yaml"]
    for file in (*gone, *kept):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("here", encoding="utf-8")
    asked = pilothouse("demo", "--fresh", "--no-console", answer="n\n")
    assert asked.returncode == 1
    assert asked.stdout.endswith("Nothing was done.\n")
    for words in ("18 definitions", "17 runs", "1 file that the demo has landed", "3 files of yours"):
        assert words in asked.stdout
    assert all(file.exists() for file in (*gone, *kept))
    database.close()
    client.forget_everything()
    assert [file for file in (*gone, *kept) if file.exists()] == kept
    assert not (home / "metadata.db").exists()


def test_what_a_decision_holds_is_let_go_once(database: Database, run: Commands) -> None:
    waiting = [one["number"] for one in run.told("decision", "list") if one["waits"]]
    assert waiting
    let_go = str(waiting[0])
    assert run("decision", "release", let_go).code == 0
    assert [one["number"] for one in run.told("decision", "list") if one["waits"]] == waiting[1:]
    assert run("decision", "release", let_go).code == 2


def test_down_says_of_a_run_what_the_database_says(
    database: Database, run: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = {one.state: one for one in list_runs(database, "", limit=50).items}
    running, cancelled = runs[State.RUNNING], runs[State.CANCELLED]
    tell_what_became_of([running.id, cancelled.id, runs[State.SUCCEEDED].id])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"Run {running.number} of {running.pipeline_key} is still said to be running")
    assert second.endswith(f"is interrupted; go on with: pilothouse run again {cancelled.number}")
