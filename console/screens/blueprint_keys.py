"""The keys that take the blueprint back: undo, redo, and back to a revision. What that changes is shown before."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import BindingType

from console.edit import Review, review_way
from console.mending import OVERTAKEN
from console.noting import of_way
from console.places import Place
from console.screens.base import BaseScreen
from console.screens.keys import key
from console.screens.note import ask_why
from console.screens.review import ReviewScreen
from metadata.database import Database
from metadata.errors import Fault
from metadata.revision_log import Revision, WayBack
from metadata.revisions import go_back
from metadata.undoing import redo_of, revert_to, undo_of


class BlueprintKeys(BaseScreen):
    """A screen of the blueprint or of its history."""

    KEPT = frozenset({"way"})
    BINDINGS: ClassVar[list[BindingType]] = [
        key("u", "undo", "undo", help="take back the last change to the blueprint; it shows first what that changes"),
        key("P", "changes", "change set", help="edits that wait: what they change, take out, apply together"),
        key("A", "audit", "audit", shown=False, help="who did what to it, when and why: the signed log of all deeds"),
        key("ctrl+r", "redo", "redo", shown=False, help="do again what was undone last"),
    ]

    _way = "u"
    """The key of the way back that was asked for last, or that leads to what was quicker."""
    LOOKS: ClassVar[str] = "H"
    """The key that leads to what a revision did."""

    def key_again(self, job: str) -> str:
        """The way back that was asked for, and no other."""
        return self._way if job in ("way", "went_back") else super().key_again(job)

    def refused(self, job: str, fault: Fault) -> None:
        """After an undo or redo that was overtaken its key leads to another one: what came is to be looked at."""
        if job in ("way", "went_back") and fault.code == OVERTAKEN and self._way != "b":
            self._way = self.LOOKS
        super().refused(job, fault)

    def do_undo(self) -> None:
        """`u`"""
        self._look_at("u", undo_of)

    def do_history(self) -> None:
        """`H`, where it is a key."""
        self.go(Place("history"))

    def do_audit(self) -> None:
        """`A`"""
        self.go(Place("audit", self.audited()))

    def audited(self) -> str:
        """The filter of the audit that leads to what is under the cursor; empty for all of it."""
        return ""

    def do_redo(self) -> None:
        """`ctrl+r`"""
        self._look_at("ctrl+r", redo_of)

    def revert(self, number: int) -> None:
        """Back to what a revision left."""
        self._look_at("b", lambda database: revert_to(database, number))

    def _look_at(self, key: str, find: Callable[[Database], WayBack]) -> None:
        self._way = key
        database, settings = self.session.store.database, self.session.settings
        self.say("looking what that changes …", "quiet")
        self.act(
            "way",
            "what going back changes is known",
            lambda: review_way(database, settings, find(database)),
            reads_much=True,
        )

    def got_way(self, found: tuple[WayBack, Review]) -> None:
        """What it changes is shown; one key does it."""
        way, review = found
        self.say("")
        if not review.changes:
            self.say(f"nothing differs: the blueprint is what revision {way.state} left", "quiet")
            return

        def noted(note: str | None) -> None:
            if note is None:
                self.say("left: nothing was changed", "quiet")
            else:
                self._go_back(way, note)

        def answered(answer: str | None) -> None:
            if answer == "y":
                ask_why(self, of_way(self.session.settings, way), noted)
                return
            noted(None)
            if answer == "f" and screen.chosen is not None:
                self.go(Place("blueprint", f"{screen.chosen.kind} {screen.chosen.key}"))

        screen = ReviewScreen(review, way.asked, edits=False)
        self.app.push_screen(screen, answered)

    def _go_back(self, way: WayBack, note: str) -> None:
        database, settings, author = self.session.store.database, self.session.settings, self.session.author
        self.act(
            "went_back",
            f"done: {way.words}",
            lambda: go_back(database, way, author=author, note=note, settings=settings),
            reads_much=True,
        )

    def got_went_back(self, revision: Revision | None) -> None:
        """Done, as a revision of its own."""
        self.notes.done()
        if revision is None:
            self.say("nothing differs any more", "quiet")
        else:
            self.say(f"revision {revision.number} is applied: {revision.way}")
        self.reload()
