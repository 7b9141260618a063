"""The history of the blueprint: every revision, newest first, what it did, and what differs since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.content import Content

from console.paged import Paged
from console.screens.blueprint_keys import BlueprintKeys
from console.screens.keys import key
from console.screens.log_screen import LogScreen
from console.screens.paging import Listed
from console.screens.review import change_lines
from console.text import ago, instant, joined, plain, styled
from console.widgets.rows import Column, Row
from metadata.changes import Change
from metadata.database import Database
from metadata.errors import Fault
from metadata.revision_log import edits_of
from metadata.rows.history import RevisionRow, changes_between, list_revisions
from metadata.values import utc_now

DID, SINCE = "What it did", "Difference"
MOST_CHANGES = 500
"""Definitions of which a pane tells what became of them."""


@dataclass(frozen=True)
class _Wanted:
    """What the right half tells: of a revision what it did, or what differs between it and another, or today."""

    number: int
    pane: str
    marked: int | None = None

    @property
    def between(self) -> tuple[int, int | None]:
        """The older revision, and the newer one; None for today."""
        if self.marked is None or self.marked == self.number:
            return self.number, None
        return min(self.number, self.marked), max(self.number, self.marked)

    @property
    def stays(self) -> bool:
        """Whether it is the same for ever, as all that is not told of today."""
        return self.pane == DID or self.between[1] is not None


class HistoryScreen(LogScreen, BlueprintKeys):
    """Revisions; `subject` is a filter, such as `key:silver.flights`."""

    WHAT = "revision"
    EMPTY = "No revision yet: pilothouse blueprint apply FILE"
    FILTER_HELP = "key:silver.* kind:dataset author:ada deed:undo note:urgent age:<7d number:>12 words"
    COLUMNS = (
        Column("#", 5, "right"),
        Column("WHAT"),
        Column("NOTE", 20, shown_from=70, prose=True),
        Column("BY", 10, shown_from=56),
        Column("WHEN", 13),
    )
    PANES = (DID, SINCE)
    LOOKS = "enter"
    BINDINGS: ClassVar[list[BindingType]] = [
        key(
            "b", "revert", "back to it", help="make the blueprint what this revision left, as a new one; it shows first"
        ),
        key("m", "mark", "mark", help="compare with this one: the difference to another is in the right half"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self.filter = subject
        self._marked: int | None = None
        self._told: dict[_Wanted, tuple[int, tuple[Content, ...]]] = {}
        """Each change, line by line, and how many pages had come when that was asked for."""
        self._pages = 0
        """How many have come: since the last of them the blueprint may be another one."""
        self._under_way: _Wanted | None = None

    def turn_to(self, subject: str) -> None:
        """To another filter."""
        self.set_filter(subject)

    def listed(self) -> Listed:
        """Revisions."""
        return list_revisions

    def read(self) -> Callable[[Database], Any]:
        """A page of revisions."""
        return self.reading(field="number")

    def show(self, data: Paged[RevisionRow]) -> None:
        """The page; what differs since may be another now."""
        self.take(data)
        self._pages += 1
        self.landed(data)
        self.moved()

    def row_of(self, one: RevisionRow) -> Row:
        """Number, what was done, why, by whom, when."""
        marked = one.number == self._marked
        number = styled(f"{'*' if marked else ''}{one.number}", "accent" if marked else "")
        note, author = styled(one.note, "quiet"), styled(one.author, "quiet")
        return Row(str(one.number), (number, one.what, note, author, ago(one.applied_at, utc_now())), value=one)

    def _revision(self) -> RevisionRow | None:
        return self.row.value if self.row else None

    def _wanted(self) -> _Wanted | None:
        one = self._revision()
        pane = self.PANES[self.pane]
        return _Wanted(one.number, pane, self._marked if pane == SINCE else None) if one else None

    def moved(self) -> None:
        """What the right half tells of the revision under the cursor is read."""
        self.draw_detail()
        self._read_changes()

    def turn_pane(self, by: int) -> None:
        """To what it did, or to what differs."""
        super().turn_pane(by)
        self._read_changes()

    def _read_changes(self) -> None:
        """One read at a time."""
        wanted, pages, store = self._wanted(), self._pages, self.session.store
        if wanted is None or self._under_way is not None:
            return
        if wanted in self._told and (wanted.stays or self._told[wanted][0] == pages):
            return
        self._under_way = wanted
        read = store.check if wanted.pane == SINCE else store.read
        read(self, "changes", lambda database: (wanted, pages, _changes(database, wanted)))

    def got_changes(self, value: tuple[_Wanted, int, tuple[Content, ...]]) -> None:
        """They were read; what differs today stands there, and is read once more, where something came meanwhile."""
        self._under_way = None
        wanted, pages, found = value
        self._told[wanted] = pages, found
        self.draw_detail()
        self._read_changes()

    def refused(self, job: str, fault: Fault) -> None:
        """What could not be read is read again when the cursor or the database moves."""
        if job == "changes":
            self._under_way = None
        super().refused(job, fault)

    def about(self) -> str:
        """Which revision, or which two."""
        wanted = self._wanted()
        if wanted is None or wanted.pane == DID:
            return f"revision {wanted.number}" if wanted else ""
        older, newer = wanted.between
        return f"revision {older} → {newer if newer is not None else 'today'}"

    def lines(self, pane: str) -> Sequence[Content]:
        """Who, when, why, and each change."""
        one, wanted = self._revision(), self._wanted()
        if one is None or wanted is None:
            return ()
        found: list[Content] = []
        if pane == DID:
            found += [
                joined(("by     ", "quiet"), plain(one.author)),
                joined(("when   ", "quiet"), instant(one.applied_at)),
                *([joined(("how    ", "quiet"), one.way)] if one.way else []),
                *([joined(("note   ", "quiet"), plain(one.note))] if one.note else []),
                Content(""),
            ]
        if wanted not in self._told:
            return [*found, styled("…", "quiet")]
        _, changes = self._told[wanted]
        return [*found, *(changes or [styled("Nothing differs.", "quiet")])]

    def unavailable(self, name: str) -> str:
        """What needs a revision under the cursor."""
        if name in ("revert", "mark") and (not self.there or self._revision() is None):
            return "there is no revision under the cursor"
        return super().unavailable(name)

    def do_revert(self) -> None:
        """`b`"""
        one = self._revision()
        if one is not None:
            self.revert(one.number)

    def do_mark(self) -> None:
        """`m`: mark it, or take the mark from it."""
        one = self._revision()
        if one is not None:
            self._marked = None if self._marked == one.number else one.number
            self.draw()
            self.moved()

    def audited(self) -> str:
        """Who did it, from where, signed."""
        one = self._revision()
        return f"kind:revision of:{one.number}" if one else ""

    def copied(self) -> str:
        """Its number."""
        return self.row.key if self.row else ""

    def trail(self) -> Content | str:
        """Where one is."""
        return self.trail_of("Blueprint", "history")


def _changes(database: Database, wanted: _Wanted) -> tuple[Content, ...]:
    changes: Sequence[Change]
    if wanted.pane == DID:
        changes = [edit.change for edit in edits_of(database, wanted.number, MOST_CHANGES + 1)]
        all_of_it = f"log {wanted.number}"
    else:
        older, newer = wanted.between
        changes = changes_between(database, older, newer)
        all_of_it = f"diff --from {older}" + (f" --to {newer}" if newer is not None else "")
    lines = [line for change in changes[:MOST_CHANGES] for line in change_lines(change)]
    more = f"and more: pilothouse blueprint {all_of_it} tells all of it" if len(changes) > MOST_CHANGES else ""
    return (*lines, *([styled(more, "quiet")] if more else []))
