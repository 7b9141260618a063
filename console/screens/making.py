"""The keys that make, clone, rename and remove a definition. Each is an edit: it waits in the change set."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual.binding import BindingType

from console.screens.ask import Ask
from console.screens.forming import Forming
from console.screens.keys import key
from console.screens.note import NoteScreen
from metadata.changes import ChangeSet
from metadata.commented import with_comments
from metadata.documents import key_of, read_text
from metadata.forms import empty_text
from metadata.kinds import KEY
from metadata.rows.names import has
from metadata.rows.pages import DefinitionRow
from metadata.rows.staged import stage_removal, stage_rename
from metadata.values import counted


class Making(Forming):
    """A screen whose cursor stands on definitions of one kind."""

    KEPT = Forming.KEPT | {"free"}
    kind: str
    BINDINGS: ClassVar[list[BindingType]] = [
        key("n", "make", "new", help="a new definition of this kind, as a form"),
        key("c", "clone", "clone", shown=False, help="a new definition like this one, in $EDITOR"),
        key("R", "rename", "rename", shown=False, help="rename it; keys, SQL and guards that name it follow"),
        key("d", "remove", "remove", shown=False, help="take its removal into the change set, after asking"),
    ]

    @abstractmethod
    def definition(self) -> DefinitionRow | None:
        """The definition under the cursor."""

    @abstractmethod
    def text_to_edit(self) -> str:
        """Its text with the edits of the change set in it; empty while it is not read, and when they remove it."""

    @abstractmethod
    def waits(self, name: str) -> bool:
        """Whether it is read still; then what the key of that name does is done as soon as it is."""

    def unavailable(self, name: str) -> str:
        """What needs a definition."""
        if name in ("clone", "rename", "remove") and (not self.there or self.definition() is None):
            return "there is no definition under the cursor"
        if name in ("make", "clone", "rename") and self.edits:
            return "the last edit is being checked"
        return super().unavailable(name)

    def do_make(self) -> None:
        """`n`"""
        kind = self.kind
        question = f"The key of the new {_words(kind)}:"
        self._ask_key(kind, question, lambda name: self.form(kind, name, empty_text(kind, name)))

    def do_clone(self) -> None:
        """`c`"""
        row, text = self.definition(), self.text_to_edit()
        if row is None or self.waits("clone"):
            return
        key = key_of(text)
        question = f"The key of the new {_words(row.kind)} like {key}:"
        self._ask_key(row.kind, question, lambda name: self.edit(row.kind, name, _like(text, name)), key)

    def do_rename(self) -> None:
        """`R`"""
        row, text = self.definition(), self.text_to_edit()
        if row is None or self.waits("rename"):
            return
        database, owner, key = self.session.store.database, self.session.owner, key_of(text)

        def rename(name: str) -> None:
            self.act(
                "renamed",
                f"{key} is renamed in the change set",
                lambda: (name, stage_rename(database, owner, row.uid, name)),
            )

        self._ask_key(row.kind, f"The new key of {_words(row.kind)} {key}:", rename, key, key)

    def do_remove(self) -> None:
        """`d`"""
        row = self.definition()
        if row is None or self.waits("remove"):
            return
        database, owner = self.session.store.database, self.session.owner

        def answered(answer: str | None) -> None:
            if answer == "y":
                self.act(
                    "made",
                    f"the removal of {row.key} is in the change set",
                    lambda: stage_removal(database, owner, row.uid),
                )

        question = f"Remove {_words(row.kind)} {row.key}? It goes when the change set is applied (P)."
        self.app.push_screen(Ask(question, [("y", "into the change set")]), answered)

    def _ask_key(
        self, kind: str, question: str, then: Callable[[str], None], typed: str = "", own: str = "", said: str = ""
    ) -> None:
        """Ask for a key, and go on with it where it is free; else ask again, `said` why. Its `own` changes nothing."""

        def named(name: str | None) -> None:
            if name and name != own:
                again = partial(self._ask_key, kind, question, then, name, own)
                self._if_free(kind, name, lambda: then(name), again)

        self.app.push_screen(NoteScreen(question, typed, wrong_key, said), named)

    def _if_free(self, kind: str, name: str, then: Callable[[], None], again: Callable[[str], None]) -> None:
        """Go on when something new can be called that; else ask again, with why not."""
        database, owner = self.session.store.database, self.session.owner
        what = f"it is known whether {name} is taken; {self.tab_key} goes on with it"
        self.act("free", what, lambda: (kind, name, then, again, has(database, kind, name, owner)))

    def got_free(self, found: tuple[str, str, Callable[[], None], Callable[[str], None], bool]) -> None:
        """It was looked whether the key is free; an edit that was begun meanwhile goes first."""
        kind, name, then, again, taken = found
        if self.edits:
            self.say("the last edit is being checked", "warn")
        elif taken:
            again(f"there is a {_words(kind)} {name} already")
        else:
            then()

    def got_renamed(self, found: tuple[str, ChangeSet]) -> None:
        """It waits, with what names it."""
        name, changes = found
        follow = len(changes.changes) - 1
        follows = f"; {counted(follow, 'definition')} {'follows' if follow == 1 else 'follow'}" if follow else ""
        self.say(f"renamed to {name} in the change set{follows}; P shows, and applies it")
        self.reload()

    def got_made(self, _value: object) -> None:
        """It waits."""
        self.say("kept in the change set: P shows it, and applies it")
        self.reload()


def wrong_key(name: str) -> str:
    """Why something cannot be called that; nothing where it can, or nothing is typed."""
    if not name or re.fullmatch(KEY, name):
        return ""
    return f"{name!r} is no key: write lower-case letters, digits and _, joined by dots"


def _like(text: str, name: str) -> str:
    """The text of a definition under another key."""
    kind, _, value = next(iter(read_text(text).blueprint))
    return with_comments(text, kind, name, value.model_copy(update={"was": None}))


def _words(kind: str) -> str:
    return kind.replace("_", " ")
