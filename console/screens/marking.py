"""Rows are marked, one by one or all that a filter matches, so that a key does something to all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from console.screens.keys import key
from console.screens.split import SplitScreen
from console.text import glyph, joined
from metadata.database import Database
from metadata.errors import Fault

OF_ROW = frozenset({
    "clone", "edit", "form", "launch", "lineage", "mark", "remove", "rename", "switch", "try",
})  # fmt: skip
"""Keys that act on the row under the cursor."""
OF_MARKS = frozenset({"remove", "switch"})
"""Those of them that act on what is marked, if anything is."""
OF_ROW_OR_MARKS = OF_ROW | {"bulk"}


class Marking(SplitScreen):
    """A screen in whose list rows can be marked: they stay so when it is filtered, and when other rows are shown.

    Their marks end when what was done with them is done, and when one comes for a certain row: then that is meant.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        key("m", "mark", "mark", help="mark it, or mark it no longer; M marks all that the filter matches"),
        key("M,asterisk", "mark_all", "mark all", shown=False, help="mark all that the filter matches, on every page"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._marks: dict[str, dict[str, str]] = {}
        """Uid and key of what is marked, by the list in which it is."""
        self._matching = False
        """Whether all that matches is looked for, which is marked then."""

    @property
    @abstractmethod
    def marks_of(self) -> str:
        """The list that is shown, by name."""

    @abstractmethod
    def marked_as(self) -> tuple[str, str] | None:
        """Uid and key of what is under the cursor."""

    @abstractmethod
    def all_matching(self) -> Callable[[Database], Mapping[str, str]]:
        """Reads uid and key of all that the filter matches."""

    @abstractmethod
    def draw_rows(self) -> None:
        """Draw the rows that are shown once more, with their marks."""

    @property
    def marked(self) -> Mapping[str, str]:
        """Uid and key of what is marked in the list that is shown."""
        return self._marks.get(self.marks_of, {})

    def of_row(self, name: str) -> bool:
        """Whether a key acts on the row under the cursor now, and not on what is marked."""
        return name in OF_ROW and not (self.marked and name in OF_MARKS)

    def let_go(self, which: str, uids: Iterable[str] | None = None) -> None:
        """In the list of that name these are marked no more; without `uids` nothing is."""
        marks = self._marks.setdefault(which, {})
        for uid in tuple(marks) if uids is None else uids:
            marks.pop(uid, None)
        self._draw_marks()

    def come_for_one(self) -> None:
        """One has come for a row of the list that is shown: nothing else there is marked, or going to be."""
        self._matching = False
        if marks := self._marks.pop(self.marks_of, None):
            self.say(f"{len(marks):,} {'is' if len(marks) == 1 else 'are'} marked no more", "quiet")

    def mark_only(self, marks: Mapping[str, str]) -> None:
        """These are marked in the list that is shown, and no others."""
        self._marks[self.marks_of] = dict(marks)

    def unavailable(self, name: str) -> str:
        """What needs a row."""
        if name in ("mark", "mark_all") and (not self.there or not self.list.rows):
            return "there is no row to mark"
        return super().unavailable(name)

    def do_mark(self) -> None:
        """`m`: and on to the next row."""
        found = self.marked_as()
        if found is None or not self.was_seen(self.list):
            return
        uid, name = found
        marks = self._marks.setdefault(self.marks_of, {})
        if marks.pop(uid, None) is None:
            marks[uid] = name
        self._draw_marks()
        self.list.action_move(1)

    def do_mark_all(self) -> None:
        """`M`"""
        self._matching = True
        which, read = self.marks_of, self.all_matching()
        self.session.store.read(self, "matching", lambda database: (which, read(database)))

    def got_matching(self, found: tuple[str, Mapping[str, str]]) -> None:
        """They are known: all of them are marked, unless esc let go of them before."""
        if not self._matching:
            return
        self._matching = False
        which, rows = found
        self._marks.setdefault(which, {}).update(rows)
        if which == self.marks_of:
            self._draw_marks()
            self.say(f"{len(self.marked):,} marked; esc lets go of them")

    def refused(self, job: str, fault: Fault) -> None:
        """What matches is not known."""
        if job == "matching":
            self._matching = False
        super().refused(job, fault)

    def do_back(self) -> None:
        """Esc lets go of what is marked, or is going to be, before it leads anywhere."""
        if self._matching:
            self._matching = False
        elif self.marked and not self.has_class("right"):
            self.let_go(self.marks_of)
        else:
            super().do_back()

    def caption(self) -> Content | str:
        """How many are marked, beside what there is."""
        return self.beside_marks(super().caption())

    def beside_marks(self, there: Content | str) -> Content | str:
        """How many are marked, beside what there is."""
        return joined((glyph(f"{len(self.marked):,} marked · "), "accent"), there) if self.marked else there

    def _draw_marks(self) -> None:
        self.draw_rows()
        self.frame()
