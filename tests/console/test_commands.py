"""Commands: what they print, and the exit code that a script reads; as a process where that is what counts."""

from __future__ import annotations

import io
import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from console.cli import demo
from console.cli.services import tell_what_became_of
from flows import client
from flows.services import process
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.documents import dump
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.migrations import VERSIONS
from metadata.revisions import apply
from metadata.rows.pages import list_decisions, list_runs
from metadata.settings import settings
from metadata.signet import Signet
from metadata.states import State
from tests.console.running import Commands
from tests.flows.homes import OTHER_PROGRAM, from_another_program
from tests.metadata.earlier import up_to


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


def test_a_list_that_is_cut_says_so_and_goes_on(database: Database, run: Commands) -> None:
    first = run("run", "list", "--limit", "2", "--json")
    assert [one["number"] for one in json.loads(first.out)] == [17, 16]
    assert first.err == "(2 of 17; the next ones: --after 16)\n"
    assert [one["number"] for one in run.told("run", "list", "--limit", "2", "--after", "16")] == [15, 14]
    cut = run("blueprint", "list", "--limit", "2")
    after = shlex.split(cut.err.strip("()\n"))[-1]
    assert len(run.told("blueprint", "list", "--after", after)) == len(run.told("blueprint", "list")) - 2
    last = run("run", "list", "--after", "3")
    assert (len(last.out.splitlines()), last.err) == (3, "")
    for thing, after in (("dataset", "bronze.flights"), ("decision", "5"), ("schedule", "flights_monthly")):
        assert len(run.told(thing, "list", "--after", after)) < len(run.told(thing, "list"))
    assert run.told("model", "list", "--after", "late_arrival") == []
    for thing, after, many in (("run", "1", 17), ("model", "late_arrival", 1)):
        assert run(thing, "list", "--after", after).out == f"The list ends there; it has {many}.\n"
    for thing in ("run", "decision"):
        refused = run(thing, "list", "--after", "99999999999999999999")
        assert (refused.code, refused.out) == (2, "")
        assert "is not in the range" in refused.err


@pytest.mark.parametrize("thing", ["dataset list", "model list", "schedule list", "decision list", "blueprint log"])
def test_a_filter_that_leaves_nothing_is_not_told_as_a_list_that_is_empty(
    database: Database, thing: str, run: Commands
) -> None:
    shown = run(*thing.split(), "--filter", r"z\*z").out
    assert shown.startswith("No ")
    assert r"matches 'z\*z'." in shown


def test_logs_of_a_task_that_is_not_there_are_refused(database: Database) -> None:
    found = pilothouse("run", "logs", "13", "--task", "claen")
    assert (found.returncode, found.stdout) == (2, "")
    assert "PH514 run 13 task claen" in found.stderr
    assert "did you mean clean?" in found.stderr
    said = pilothouse("run", "logs", "13", "--task", "clean", TZ="America/New_York").stdout.splitlines()
    assert said
    assert all(line.split()[2] in ("EST", "EDT") for line in said)


def test_the_demo_opens_no_console_where_nothing_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[int] = []
    monkeypatch.setattr(demo, "_play", played.append)
    monkeypatch.setattr(sys, "stdout", Tty())
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    demo.demo.main(["--months", "2"], standalone_mode=False)
    assert played == [2]


def test_an_empty_home_answers_with_what_to_do(empty_database: Database, run: Commands) -> None:
    assert "pilothouse blueprint apply FILE" in run("blueprint", "log").out
    assert run("run", "list").code == 0


def test_a_log_is_one_array_and_each_line_an_object_where_it_is_followed(database: Database, run: Commands) -> None:
    logged = next(one for one in run.told("run", "list") if run.told("run", "logs", str(one["number"])))
    lines = run.told("run", "logs", str(logged["number"]))
    assert {line["run_id"] for line in lines} == {logged["id"]}
    if logged["state"] in ("succeeded", "failed", "cancelled"):
        followed = run("run", "logs", str(logged["number"]), "--follow", "--json").out
        assert [json.loads(line) for line in followed.splitlines()] == lines
    silent = next(one for one in run.told("run", "list") if one["number"] != logged["number"])
    assert isinstance(run.told("run", "logs", str(silent["number"])), list)


def test_settings_keep_their_types_in_json_and_secrets_stay_masked(home: Path, run: Commands) -> None:
    found = run.told("config", "show")
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


def test_services_of_another_program_are_told_and_give_way_to_a_launch(
    database: Database, run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ensure_up", lambda wait: ["worker"])
    with from_another_program() as service:
        shown = run("status")
        assert f"started from another program ({OTHER_PROGRAM})" in shown.out
        assert shown.err.startswith("pilothouse up starts again")
        launched = run("run", "launch", "nothing", "--json")
        assert (launched.code, launched.out) == (2, "")
        replaced, started, refused, *_ = launched.err.splitlines()
        assert replaced == f"Services of another program ({OTHER_PROGRAM}) are taken down: supervisor, worker."
        assert started == "Services are being started: worker."
        assert "PH520" in refused
        assert not service.alive()


def test_a_schema_that_is_upgraded_by_hand_asks_for_services_of_another_program_to_go_down_first(
    home: Path, run: Commands
) -> None:
    earlier = Database.of(settings())
    up_to(earlier, VERSIONS[-2])
    with from_another_program():
        refused = run("db", "upgrade")
        assert (refused.code, "PH349" in refused.err) == (1, True)
        assert "pilothouse down" in refused.err
        assert "pilothouse up" not in refused.err  # which asks for the upgrade, where the database is shared
    earlier.close()


def test_a_launch_says_which_services_it_starts_apart_from_its_answer(
    database: Database, run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned: list[list[str]] = []
    monkeypatch.setattr(process, "spawn", lambda argv, *_: spawned.append(argv))
    launched = run("run", "launch", "weather", "--json")
    assert json.loads(launched.out)["pipeline_key"] == "weather"
    assert launched.err == "Services are being started: supervisor, prefect, spark, worker, projector.\n"
    number = str(json.loads(launched.out)["number"])
    failed = next(one for one in list_runs(database, "state:failed").items)
    for words in (("run", "repeat", number), ("run", "again", str(failed.number))):
        assert run(*words).err == launched.err
    assert len(spawned) == 3


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


def test_json_carries_what_drives_a_terminal_escaped_and_unharmed(database: Database, run: Commands) -> None:
    odd = "a\u009b31m b\u202e c\x7f é 日"
    document = {"datasets": {"made.odd": {"description": odd}}}
    apply(database, Blueprint.model_validate(document), author="tests", settings=settings())
    database.close()
    said = run.said("blueprint", "list", "--filter", "key:made.odd", "--json")
    assert not {"\u009b", "\u202e", "\x7f"} & set(said)
    assert "é 日" in said
    assert [row["description"] for row in json.loads(said)] == [odd]


def test_starting_over_names_what_goes_and_spares_what_is_not_the_demos(
    database: Database, home: Path, run: Commands
) -> None:
    gone = [home / "data" / "tables" / "some" / "part", home / "data" / "landing" / "flights-2013-01.csv"]
    kept = [home / "data" / "landing" / "own.csv", home / "data" / "shop" / "a.csv", home / "drafts" / "edit.yaml"]
    for file in (*gone, *kept):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("here", encoding="utf-8")
    asked = run("demo", "--fresh", "--no-console", given=b"n\n")
    assert asked.code == 1
    assert asked.out.endswith("Nothing was done.\n")
    for words in ("18 definitions", "17 runs", "1 file that the demo has landed", "3 files of yours"):
        assert words in asked.out
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
