"""The command line as a process: what it prints, and the exit code that a script reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sqlalchemy import update

from metadata.database import Database
from metadata.definitions import definition, load_blueprint
from metadata.documents import dump


def pilothouse(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the home that the environment names."""
    return subprocess.run([sys.executable, "-m", "console", *map(str, words)], capture_output=True, text=True)


def test_exit_codes_tell_what_came_of_it(database: Database, tmp_path: Path) -> None:
    same, other, wrong = (tmp_path / f"{name}.yaml" for name in ("same", "other", "wrong"))
    same.write_text(dump(load_blueprint(database)), encoding="utf-8")
    other.write_text(same.read_text(encoding="utf-8").replace("one file a month", "a file a month"), encoding="utf-8")
    wrong.write_text("datasets:\n  a: {laier: bronze}\n", encoding="utf-8")
    assert pilothouse("blueprint", "diff", same).returncode == 0
    assert pilothouse("blueprint", "diff", other).returncode == 3
    assert pilothouse("blueprint", "check", wrong).returncode == 1
    assert pilothouse("blueprint", "apply", wrong).returncode == 1
    unknown = pilothouse("run", "show", "4711")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "PH501 run 4711" in unknown.stderr
    assert pilothouse("rnu").returncode == 2
    assert pilothouse("status").returncode == 4
    away = pilothouse("query", "SELECT 1")
    assert (away.returncode, away.stdout) == (4, "")
    assert away.stderr.startswith("PH410")


def test_the_log_says_what_a_revision_did(database: Database) -> None:
    listed = pilothouse("blueprint", "log")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["REVISION", "2", "1"]
    assert pilothouse("blueprint", "log", "2").stdout.startswith("+ schedule ")
    beyond = pilothouse("blueprint", "log", "9")
    assert (beyond.returncode, beyond.stderr.splitlines()[0]) == (2, "PH333 revision 9")


def test_a_definition_changed_by_hand_in_the_database_is_named(database: Database) -> None:
    assert pilothouse("blueprint", "verify").stdout == "2 revisions, and the definitions are what they left.\n"
    with database.write() as connection:
        connection.execute(update(definition).where(definition.c.key == "bronze.flights").values(owner="eve"))
    found = pilothouse("blueprint", "verify")
    assert found.returncode == 1
    assert "PH305 dataset bronze.flights" in found.stderr


def test_an_empty_home_answers_with_what_to_do(empty_database: Database) -> None:
    assert "pilothouse blueprint apply FILE" in pilothouse("blueprint", "log").stdout
    assert pilothouse("run", "list").returncode == 0
