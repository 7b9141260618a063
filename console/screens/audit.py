"""`:audit`, `A`: all that was done, newest first: who, when, from where, what and why, and whether it is sound."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.content import Content

from console.paged import Paged
from console.places import Place
from console.screens.keys import key
from console.screens.log_screen import LogScreen
from console.screens.paging import Listed
from console.text import ago, glyph, instant, joined, plain, styled
from console.widgets.rows import Column, Row, Rows
from metadata.audit import AUDIT_DEEDS, Entry
from metadata.audit_check import Checked, doubts, verify
from metadata.database import Database
from metadata.errors import Fault
from metadata.rows.audit_log import KINDS, Last, changed_by, list_entries
from metadata.values import counted, utc_now

QUIET = frozenset({"decide", "begin"})
"""Deeds that no person did."""


@dataclass(frozen=True)
class _Read:
    """A page of the audit, and of each of its entries what is not right with it, empty where all is."""

    paged: Paged[Entry]
    doubts: dict[int, str]
    changed: dict[int, str]
    """What entries changed that name no key, by their number."""


class AuditScreen(LogScreen):
    """The audit; `subject` is a filter, such as `key:silver.flights`."""

    WHAT = "entry"
    EMPTY = "Nothing was done yet. Whatever changes the blueprint, a run or a decision stands here."
    FILTER_HELP = "who:anna deed:cancel kind:run key:silver.flights from:10.0.0.7 of:12 note:urgent age:<7d words"
    COLUMNS = (
        Column("#", 5, "right"),
        Column("DEED", 7),
        Column("WHAT"),
        Column("NOTE", 17, shown_from=76, prose=True),
        Column("WHO", 8, shown_from=50),
        Column("WHEN", 13),
    )
    PANES = ("Entry",)
    BINDINGS: ClassVar[list[BindingType]] = [
        key("v", "verify", "verify", help="hold all of it against its hashes, its signatures and what was seen of it"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self.filter = subject
        self._doubts: dict[int, str] = {}
        self._changed: dict[int, str] = {}
        self._verdict: Content = styled("not verified yet: v", "quiet")
        self._verifies = False
        self._wanted = ""
        """The entry that `verify` named."""
        self._folded = True
        """Whether comments that came together have one row, until `verify` names an entry."""

    def turn_to(self, subject: str) -> None:
        """To another filter."""
        self.set_filter(subject)

    def listed(self) -> Listed:
        """Entries."""
        return partial(list_entries, folded=self._folded)

    def read(self) -> Callable[[Database], Any]:
        """A page of entries, each held against its hash and signature."""
        read = self.reading(self._wanted, "number")

        def query(database: Database) -> _Read:
            paged = read(database)
            return _Read(paged, doubts(database, paged.page.items), changed_by(database, paged.page.items))

        return query

    def show(self, data: _Read) -> None:
        """The page; the entry that `verify` named is under the cursor."""
        self._doubts, self._changed = data.doubts, data.changed
        self.take(data.paged)
        if data.paged.wanted and data.paged.wanted == self._wanted:
            self._wanted = ""
            self.list.select(data.paged.wanted)
        self.landed(data.paged)
        self.moved()

    def row_of(self, one: Entry) -> Row:
        """Number, deed, what, note, who, when; enter leads to what it speaks of."""
        wrong = one.number in self._doubts and bool(self._doubts[one.number])
        tone = "bad" if wrong else "quiet" if one.deed in QUIET else ""
        cells = (
            styled(f"{glyph('✗') if wrong else ''}{one.number}", tone),
            styled(one.deed, tone),
            styled(self._what(one), tone),
            styled(one.note, "quiet"),
            styled(one.actor, "quiet"),
            styled(ago(one.at, utc_now()), "quiet"),
        )
        return Row(str(one.number), cells, _place(one), one)

    def _what(self, one: Entry) -> str:
        """What it speaks of; its kind is left out where the deed says it, and a revision of several tells which."""
        if one.deed in ("begin", "restore"):
            return one.what
        changed = self._changed.get(one.number, "")
        return f"{one.of} {changed}" if changed else one.what.removeprefix(f"{one.kind} ")

    def _entry(self) -> Entry | None:
        return self.row.value if self.row else None

    def about(self) -> str:
        """Which entry."""
        one = self._entry()
        return f"#{one.number} {one.deed} {one.what}" if one else ""

    def lines(self, pane: str) -> Sequence[Content]:
        """All that it says, and what it is worth."""
        one = self._entry()
        if one is None:
            return ()
        wrong = self._doubts.get(one.number, "")
        state = joined(("✗ ", "bad"), wrong) if wrong else _signed(one)
        found = [
            joined(("who        ", "quiet"), (plain(one.actor), "strong")),
            joined(("when       ", "quiet"), instant(one.at)),
            joined(("from       ", "quiet"), plain(one.origin) or "not recorded"),
            joined(("deed       ", "quiet"), f"{one.deed} {plain(one.what)}"),
            *([joined(("changed    ", "quiet"), plain(changed))] if (changed := self._changed.get(one.number)) else []),
            joined(("why        ", "quiet"), plain(one.note) or styled("no note", "quiet")),
            Content(""),
            state,
            *(joined((f"{name:<11}", "quiet"), value) for name, value in _proofs(one) if value),
        ]
        return [*found, Content(""), joined(("enter", "key"), f" {_where(one)}")] if _place(one) else found

    def opened(self, rows: Rows, row: Row | None) -> None:
        """What has no place of its own is told at the right."""
        if row is None or row.place is None:
            super().opened(rows, row)

    def unavailable(self, name: str) -> str:
        """One verification at a time."""
        if name == "verify" and self._verifies:
            return "it is being verified"
        return super().unavailable(name)

    def do_verify(self) -> None:
        """`v`"""
        self._verifies = True
        self._told(styled("verifying …", "active"))
        self._voice.well("verified")
        self.session.store.verify(self, "verified", verify)

    def got_verified(self, found: Checked) -> None:
        """All of it is what was written."""
        self._verifies, self._folded = False, True
        signer = f", signed with key {found.signer}" if found.signer else ", not signed"
        self._told(styled(glyph(f"✓ {counted(found.entries, 'entry', 'entries')} verified"), "good"))
        self.say(
            f"{counted(found.entries, 'entry', 'entries')}, {counted(found.revisions, 'revision')}, "
            f"{counted(found.runs, 'run')} and {counted(found.decisions, 'decision')} are what was written{signer}"
        )

    def refused(self, job: str, fault: Fault) -> None:
        """Something was changed, put in or removed: it is named, and shown where it is an entry that is there."""
        if job == "verified":
            self._verifies = False
            self._told(styled(glyph(f"✗ {fault.code} {fault.thing}"), "bad"))
            named = re.fullmatch(r"audit entry (\d+)", fault.thing)
            if named is not None:
                self._wanted, self._folded = named[1], False
                self.reload()
        super().refused(job, fault)

    def _told(self, verdict: Content) -> None:
        self._verdict = verdict
        self.frame()

    def copied(self) -> str:
        """Its hash."""
        one = self._entry()
        return one.hash if one else ""

    def candidates(self) -> Sequence[str]:
        """Words of the filter."""
        who = sorted({row.value.actor for row in self.list.rows})
        return [
            *(f"who:{one}" for one in who),
            *(f"deed:{deed}" for deed in AUDIT_DEEDS),
            *(f"kind:{kind}" for kind in KINDS),
        ]

    def caption(self) -> Content | str:
        """Whether it verifies, then which rows of how many."""
        rows = super().caption()
        return joined(self._verdict, "  ", rows) if rows else self._verdict

    def trail(self) -> Content | str:
        """Where one is."""
        return self.trail_of("audit")


def _place(one: Entry) -> Place | None:
    """Where the thing is looked at that an entry speaks of."""
    if isinstance(one, Last) and one.first < one.number:
        return Place("audit", f"deed:comment number:>={one.first} number:<={one.number}")
    if one.of is None or one.deed == "begin":
        return None
    if one.kind == "revision":
        return Place("history", f"number:{one.of}")
    return Place({"run": "run", "decision": "decisions"}[one.kind], str(one.of)) if one.kind in _WHERE else None


_WHERE = {"revision": "what it changed, in the history", "run": "the run", "decision": "the decision"}


def _where(one: Entry) -> str:
    return "each of them" if one.kind == "definition" else _WHERE.get(one.kind, "")


def _signed(one: Entry) -> Content:
    if not one.signer:
        return joined(("✓ ", "good"), "its hash is right; ", ("it is not signed", "warn"))
    return joined(("✓ ", "good"), f"its hash is right; signed with the key of this home, {one.signer}")


def _proofs(one: Entry) -> tuple[tuple[str, str], ...]:
    return (
        ("hash", one.hash),
        ("after", one.previous),
        ("of the row", one.digest),
        ("signature", one.signature),
    )
