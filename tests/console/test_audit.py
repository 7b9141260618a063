"""`pilothouse audit`, as a person types it: what was done, and what somebody changed by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from metadata import tables
from metadata.database import Database
from metadata.documents import dump
from metadata.settings import settings
from tests.console.test_commands import pilothouse, told
from tests.metadata.blueprints import orders

SSH = {"SSH_CONNECTION": "10.0.0.7 50022 10.0.0.1 22"}


@pytest.fixture
def operated(empty_database: Database, tmp_path: Path) -> Database:
    """A home in which somebody applied a blueprint over SSH, and took it back on the host."""
    document = tmp_path / "orders.yaml"
    document.write_text(dump(orders()), encoding="utf-8")
    made = pilothouse("blueprint", "apply", document, "--note", "the first", **SSH)
    assert made.returncode == 0, made.stderr
    assert pilothouse("blueprint", "undo", "--yes").returncode == 0
    return empty_database


def test_it_says_who_from_where_what_and_why(operated: Database) -> None:
    undo, apply, begin = told("audit", "log")
    assert (begin["deed"], undo["deed"], undo["note"]) == ("begin", "undo", "undo revision 1")
    assert (apply["deed"], apply["of"], apply["note"]) == ("apply", 1, "the first")
    assert "10.0.0.7" in apply["origin"] and "10.0.0.7" not in undo["origin"]
    assert [entry["number"] for entry in told("audit", "log", "--filter", "from:10.0.0.7")] == [2]
    cut = pilothouse("audit", "log", "--limit", "1")
    assert (len(cut.stdout.splitlines()), cut.stderr) == (2, "(1 of 3; the next ones: --after 3)\n")
    assert pilothouse("audit", "log", "--filter", "deed:undone").returncode == 2


def test_verify_exits_with_1_and_names_what_was_done_by_hand(operated: Database) -> None:
    fine = pilothouse("audit", "verify")
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout.startswith("3 entries of the audit, 2 revisions, 0 runs and 0 decisions are what was written.\n")
    assert told("audit", "verify")["entries"] == 3
    assert {(path.name, path.stat().st_mode & 0o777) for path in settings().home.glob("audit.*")} == {
        ("audit.head", 0o600),
        ("audit.key", 0o600),
    }
    with operated.write() as connection:
        connection.execute(update(tables.audit).where(tables.audit.c.number == 2).values(actor="nobody"))
    changed = pilothouse("audit", "verify")
    assert (changed.returncode, changed.stdout) == (1, "")
    assert changed.stderr.startswith("PH360 audit entry 2\n")


def test_an_export_is_verified_where_the_key_is(operated: Database, tmp_path: Path) -> None:
    exported, cut = tmp_path / "audit.jsonl", tmp_path / "cut.jsonl"
    exported.write_text(pilothouse("audit", "export").stdout, encoding="utf-8")
    assert all(json.loads(line) for line in exported.read_text(encoding="utf-8").splitlines())
    assert pilothouse("audit", "verify", exported).returncode == 0
    elsewhere = pilothouse("audit", "verify", exported, PILOTHOUSE_HOME=str(tmp_path / "other"))
    assert elsewhere.returncode == 1 and "PH363 audit entry 1" in elsewhere.stderr
    shared = {"PILOTHOUSE_HOME": str(tmp_path / "other"), "PILOTHOUSE_AUDIT_KEY": str(settings().signet.key_file)}
    assert pilothouse("audit", "verify", exported, **shared).returncode == 0
    cut.write_text("".join(exported.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    for file in (cut, tmp_path / "nothing"):
        refused = pilothouse("audit", "verify", file)
        assert refused.returncode == 2 and "PH366" in refused.stderr


def test_a_restore_says_what_the_audit_had_seen(operated: Database, tmp_path: Path) -> None:
    assert pilothouse("db", "backup", tmp_path / "monday.backup").returncode == 0
    assert pilothouse("blueprint", "redo", "--yes").returncode == 0
    done = pilothouse("db", "restore", tmp_path / "monday.backup")
    assert done.returncode == 0, done.stderr
    assert "The audit says: the database is at entry 3 of the audit; this home had seen entry 4; backup" in done.stdout
    assert pilothouse("audit", "verify").returncode == 0


def test_what_is_gone_is_missed_until_somebody_says_that_it_may_be(operated: Database) -> None:
    with operated.write() as connection:
        connection.execute(delete(tables.audit))
        connection.execute(delete(tables.audit_head))
    assert pilothouse("audit", "verify").returncode == 1
    assert pilothouse("audit", "anchor", answer="n\n").returncode == 1
    anchored = pilothouse("audit", "anchor", "--yes", "--note", "a server that lost power")
    assert anchored.stdout == "The audit says: the database is at entry 0 of the audit; this home had seen entry 3.\n"
    assert told("audit", "log")[0]["note"].endswith("; a server that lost power")
