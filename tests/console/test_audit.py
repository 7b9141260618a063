"""`pilothouse audit`, as a person types it: what was done, and what somebody changed by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from metadata import tables
from metadata.database import Database
from metadata.definitions import revision
from metadata.documents import dump
from metadata.settings import settings
from tests.console.running import Commands
from tests.metadata.blueprints import orders

SSH = {"SSH_CONNECTION": "10.0.0.7 50022 10.0.0.1 22"}


@pytest.fixture
def operated(empty_database: Database, tmp_path: Path, run: Commands) -> Database:
    """A home in which somebody applied a blueprint over SSH, and took it back on the host."""
    document = tmp_path / "orders.yaml"
    document.write_text(dump(orders()), encoding="utf-8")
    made = run("blueprint", "apply", document, "--note", "the first", **SSH)
    assert made.code == 0, made.err
    assert run("blueprint", "undo", "--yes").code == 0
    return empty_database


def test_it_says_who_from_where_what_and_why(operated: Database, run: Commands) -> None:
    undo, apply, begin = run.told("audit", "log")
    assert (begin["deed"], undo["deed"], undo["note"]) == ("begin", "undo", "undo revision 1")
    assert (apply["deed"], apply["of"], apply["note"]) == ("apply", 1, "the first")
    assert "10.0.0.7" in apply["origin"] and "10.0.0.7" not in undo["origin"]
    assert [entry["number"] for entry in run.told("audit", "log", "--filter", "from:10.0.0.7")] == [2]
    cut = run("audit", "log", "--limit", "1")
    assert (len(cut.out.splitlines()), cut.err) == (2, "(1 of 3; the next ones: --after 3)\n")
    assert run("audit", "log", "--filter", "deed:undone").code == 2


def test_comments_that_came_together_are_one_line_and_each_for_a_program(
    empty_database: Database, tmp_path: Path, run: Commands
) -> None:
    document = tmp_path / "commented.yaml"
    document.write_text(
        "datasets:\n" + "".join(f"  d{n}:  # why\n    owner: ops\n" for n in range(9)), encoding="utf-8"
    )
    assert run("blueprint", "apply", document).code == 0
    lines = run("audit", "log").out.splitlines()
    assert len(lines) == 3 + len(run.told("audit", "log", "--filter", "deed:begin"))
    assert "definition d8 and 8 more" in lines[1]
    assert len(run.told("audit", "log", "--filter", "!deed:begin")) == 10


def test_a_database_that_is_away_is_no_fault_of_the_audit(home: Path, run: Commands) -> None:
    away = run("audit", "verify", "--json", PILOTHOUSE_DATABASE_URL="postgresql+psycopg://a@127.0.0.1:1/x")
    assert (away.code, away.out) == (4, "")
    assert away.err.startswith("PH301 metadata database\n")


def test_verify_exits_with_1_and_names_what_was_done_by_hand(operated: Database, run: Commands) -> None:
    fine = run("audit", "verify")
    assert (fine.code, fine.err) == (0, "")
    assert fine.out.startswith("3 entries of the audit, 2 revisions, 0 runs and 0 decisions are what was written.\n")
    assert run.told("audit", "verify")["entries"] == 3
    assert {(path.name, path.stat().st_mode & 0o777) for path in settings().home.glob("audit.*")} == {
        ("audit.head", 0o600),
        ("audit.key", 0o600),
    }
    with operated.write() as connection:
        connection.execute(update(tables.audit).where(tables.audit.c.number == 2).values(actor="nobody"))
    changed = run("audit", "verify")
    assert (changed.code, changed.out) == (1, "")
    assert changed.err.startswith("PH360 audit entry 2\n")
    with operated.write() as connection:
        connection.execute(update(tables.audit).values(actor="nobody"))
        connection.execute(update(revision).values(note="forged"))
    changed = run("audit", "verify")
    assert [line for line in changed.err.splitlines() if line.startswith("PH")] == [
        *(f"PH360 audit entry {number}" for number in (1, 2, 3)),
        *(f"PH305 revision {number}" for number in (1, 2)),
    ]
    as_json = run("audit", "verify", "--json")
    assert as_json.code == 1
    assert json.loads(as_json.out)["faults"][-1]["thing"] == "revision 2"


def test_an_export_is_verified_where_the_key_is(operated: Database, tmp_path: Path, run: Commands) -> None:
    exported, cut = tmp_path / "audit.jsonl", tmp_path / "cut.jsonl"
    exported.write_text(run("audit", "export").out, encoding="utf-8")
    assert all(json.loads(line) for line in exported.read_text(encoding="utf-8").splitlines())
    assert run("audit", "verify", exported).code == 0
    elsewhere = run("audit", "verify", exported, PILOTHOUSE_HOME=str(tmp_path / "other"))
    assert elsewhere.code == 1 and "PH363 audit entry 1" in elsewhere.err
    shared = {"PILOTHOUSE_HOME": str(tmp_path / "other"), "PILOTHOUSE_AUDIT_KEY": str(settings().signet.key_file)}
    assert run("audit", "verify", exported, **shared).code == 0
    cut.write_text("".join(exported.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    for file in (cut, tmp_path / "nothing"):
        refused = run("audit", "verify", file)
        assert refused.code == 2 and "PH366" in refused.err


def test_a_restore_says_what_the_audit_had_seen(operated: Database, tmp_path: Path, run: Commands) -> None:
    assert run("db", "backup", tmp_path / "monday.backup").code == 0
    assert run("blueprint", "redo", "--yes").code == 0
    done = run("db", "restore", tmp_path / "monday.backup")
    assert done.code == 0, done.err
    assert "The audit says: the database is at entry 3 of the audit; this home had seen entry 4; backup" in done.out
    assert run("audit", "verify").code == 0


def test_what_is_gone_is_missed_until_somebody_says_that_it_may_be(operated: Database, run: Commands) -> None:
    with operated.write() as connection:
        connection.execute(delete(tables.audit))
        connection.execute(delete(tables.audit_head))
    assert run("audit", "verify").code == 1
    assert run("audit", "anchor", given=b"n\n").code == 1
    anchored = run("audit", "anchor", "--yes", "--note", "a server that lost power")
    assert anchored.out == "The audit says: the database is at entry 0 of the audit; this home had seen entry 3.\n"
    assert run.told("audit", "log")[0]["note"].endswith("; a server that lost power")
