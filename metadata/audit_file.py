"""An audit as a file: JSON lines with all that it takes to verify it elsewhere, and without the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from metadata.audit import Entry
from metadata.audit_check import (
    Checked,
    Told,
    check_comments,
    check_decisions,
    check_entries,
    check_plans,
    check_revisions,
    decisions_of,
    entries_of,
    head_of,
    plans_of,
    runs_of,
)
from metadata.audit_runs import check_runs, not_told
from metadata.contents import json_text
from metadata.database import Database
from metadata.database import installation as installation_of
from metadata.definitions import revision, revision_item
from metadata.errors import Faults, PilothouseError, UsageError
from metadata.plan import text_hash
from metadata.revision_log import ITEM, Revision, check_log, to_revision
from metadata.rows.sources import texts_applied
from metadata.signet import Head, Signet

FORMAT = 2
"""One of format 1 has no comments in it."""


def export(database: Database) -> Iterator[str]:
    """The lines: which database, each entry, revision, run, plan, decision and text with comments, the signed head."""
    yield json_text({"audit": FORMAT, "installation": installation_of(database)})
    with database.read() as connection:
        head = head_of(connection)
        for entry in entries_of(connection):
            yield _line("entry", asdict(entry))
        for found, items in _log(connection):
            yield _line("revision", {**asdict(found), "items": items})
        for run in runs_of(connection):
            yield _line("run", run)
        for plan_hash, body in plans_of(connection):
            yield _line("plan", {"hash": plan_hash, "body": body})
        for row in decisions_of(connection):
            yield _line("decision", row)
        for uid, key, text in texts_applied(connection):
            yield _line("comments", {"uid": uid, "key": key, "text": text})
        yield _line("head", asdict(head) if head else {})


def verify_lines(lines: Iterable[str], signet: Signet, name: str) -> Checked:
    """As `audit_check.verify`, of a file; what this home has seen counts where the file goes that far.

    Raises UsageError PH366 for a file that is no export, or not whole.
    """
    found = _Parts(name)
    for number, line in enumerate(lines, start=1):
        found.take(number, line)
    try:
        return found.check(signet)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise found.refused("it holds what no export does") from error


class _Parts:
    """What the lines of an export hold."""

    def __init__(self, name: str) -> None:
        self._thing = f"file {name}"
        self._installation = ""
        self._ended = False
        self._entries: list[Entry] = []
        self._revisions: list[tuple[Revision, list[Any]]] = []
        self._decisions: list[Mapping[str, Any]] = []
        self._runs: list[Mapping[str, Any]] = []
        self._plans: set[str] = set()
        self._comments: dict[str, tuple[str, str]] | None = None
        """Key and text of the definitions (uids) that have any; None in an export of before these were in it."""
        self._forged: list[tuple[str, str]] = []
        self._head: Head | None = None

    def take(self, number: int, line: str) -> None:
        """Read one line."""
        try:
            body = json.loads(line)
            if number == 1 and body["audit"] in (1, FORMAT):
                self._comments = {} if body["audit"] == FORMAT else None
                self._installation = str(body["installation"])
                return
            ((word, said),) = body.items()
            self._take(word, {name: _read(name, value) for name, value in said.items()})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise self.refused(f"line {number} is none of an export") from error

    def check(self, signet: Signet) -> Checked:
        """Hold them against each other. Raises UsageError PH366 for a file that was cut."""
        if not self._ended:
            raise self.refused("its last line is missing, which holds the head")
        key, seen = signet.key(), signet.seen(self._installation)
        if seen is not None and self._head is not None and seen.number > self._head.number:
            seen = None
        faults, log_is_told, decisions, runs = Faults(), True, 0, 0
        told = check_entries(self._entries, self._head, self._installation, key, seen, faults)
        if not faults:
            log_is_told = check_revisions(told, ((one.number, one.hash) for one, _ in self._revisions), faults)
            if self._comments is not None:
                check_comments(told, ((uid, *each) for uid, each in self._comments.items()), faults)
            decisions, runs = check_decisions(told, self._decisions, faults), self._check_runs(told, faults)
        if log_is_told:
            check_log(self._revisions, faults)
        faults.tell()
        return Checked(told.entries, len(self._revisions), decisions, runs, key.name)

    def refused(self, cause: str) -> PilothouseError:
        """What is said of a file that is no export."""
        return UsageError("PH366", self._thing, cause, "make one anew: pilothouse audit export > FILE")

    def _take(self, word: str, said: dict[str, Any]) -> None:
        if self._ended or not self._installation:
            raise ValueError(word)
        if word == "entry":
            self._entries.append(Entry(**said))
        elif word == "revision":
            self._revisions.append((to_revision(said), [{name: each[name] for name in ITEM} for each in said["items"]]))
        elif word == "plan":
            self._take_plan(said["hash"], said["body"])
        elif word == "run":
            self._runs.append(said)
        elif word == "decision":
            self._decisions.append(said)
        elif word == "comments" and self._comments is not None and said["uid"] not in self._comments:
            self._comments[said["uid"]] = (said["key"], said["text"])
        elif word == "head":
            self._ended, self._head = True, Head(**said) if said else None
        else:
            raise ValueError(word)

    def _take_plan(self, plan_hash: str, body: str) -> None:
        """A sound one is not kept: plans are large."""
        if plan_hash in self._plans:
            raise ValueError(plan_hash)
        self._plans.add(plan_hash)
        if text_hash(body) != plan_hash:
            self._forged.append((plan_hash, body))

    def _check_runs(self, told: Told, faults: Faults) -> int:
        """Runs and plans; an export of before these were in it has none of them, and no digest of a run."""
        entries = [entry for entry in self._entries if entry.kind == "run" and entry.deed != "begin"]
        if not self._runs and not any(entry.digest for entry in entries):
            return 0
        entries.sort(key=lambda entry: (entry.of or 0, entry.number))
        count = check_runs(entries, self._runs, told.older_runs, faults)
        check_plans(self._forged, self._runs_on, faults)
        for run in self._runs:
            if run["plan_hash"] is not None and run["plan_hash"] not in self._plans:
                faults.add(not_told(f"plan {run['plan_hash'][:8]}", f"it was removed; run {run['number']} is on it"))
        return count

    def _runs_on(self, plan_hash: str) -> list[int]:
        return [run["number"] for run in self._runs if run["plan_hash"] == plan_hash]


def _log(connection: Connection) -> Iterator[tuple[Revision, list[dict[str, Any]]]]:
    rows = connection.execute(select(revision).order_by(revision.c.number)).mappings().all()
    for row in rows:
        items = select(*(revision_item.c[name] for name in ITEM)).where(revision_item.c.revision == row["number"])
        found = connection.execute(items.order_by(revision_item.c.position)).mappings()
        yield to_revision(row), [dict(item) for item in found]


def _line(word: str, row: Mapping[str, Any]) -> str:
    said = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    return json_text({word: said})


_INSTANTS = {"at", "applied_at", "as_of", "created_at", "decided_at", "released_at"}


def _read(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in _INSTANTS and value is not None else value
