"""`P`: the change set of the user, edit by edit, with where it clashes; it is applied as one revision."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from textual.binding import BindingType
from textual.content import Content

from console.code import yaml_lines
from console.edit import Review, review_staged
from console.noting import CHANGES, of_edits
from console.places import Place
from console.screens.ask import Ask
from console.screens.blueprint_keys import BlueprintKeys
from console.screens.clash import Decide, clash_lines, drops_mine
from console.screens.forming import Forming
from console.screens.keys import key
from console.screens.making import wrong_key
from console.screens.marking import Marking
from console.screens.note import NoteScreen, ask_why
from console.screens.review import SIGNS, ReviewScreen, change_lines
from console.text import joined, plain, styled
from console.widgets.rows import Column, Row
from metadata.changes import Change, recorded
from metadata.contents import same
from metadata.database import Database
from metadata.documents import key_of
from metadata.findings import Finding
from metadata.kinds import Blueprint
from metadata.revision_log import Revision
from metadata.rows.sources import load_sources
from metadata.rows.staged import Staged, apply_staged, decide, load_around, load_edits, rekey, unstage
from metadata.staging import Clash, Item
from metadata.values import counted


@dataclass(frozen=True)
class _Edit:
    """One edit of the change set, as it is shown."""

    item: Item
    change: Change
    clashes: tuple[Clash, ...]
    text: str
    """What it makes of the definition, as YAML; empty when it goes, or its key was taken."""
    uids: dict[str, str]
    """Those of the definition and its tasks."""
    kept: Item | None
    """As it is in the database; None where it is of another definition there, of which others have moved a task."""

    @property
    def displaced(self) -> bool:
        """Whether another definition has the key that it wants: somebody else's, or one that stays after all."""
        about_keys = (clash.conflict for clash in self.clashes if clash.conflict.path == "key")
        return any(same(conflict.mine, conflict.theirs) for conflict in about_keys)


class ChangesScreen(Forming, BlueprintKeys, Marking):
    """The change set."""

    KEPT = BlueprintKeys.KEPT | Forming.KEPT | {"reviewed_set", "found_beside"}
    COLUMNS = (Column("", 1), Column("WHAT"), Column("FIELDS", 9, "right"))
    PANES = ("Change",)
    BINDINGS: ClassVar[list[BindingType]] = [
        key("a", "apply", "apply", help="apply all of it as one revision; it shows first what that changes"),
        key("d", "take_out", "take out", help="take it, or all that is marked, out of the change set, after asking"),
        key("c", "decide", "decide", help="where somebody else changed the same field: which stands"),
        key("e", "edit", "edit", help="edit on, in $EDITOR"),
        key("H", "history", "history", help="what was applied: compare, undo, go back"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._edits: list[_Edit] = []
        self._known = False
        """Whether they were read."""

    def read(self) -> Callable[[Database], Any]:
        """The edits on the blueprint as it is now."""
        owner = self.session.owner
        return lambda database: _edits(database, owner)

    def show(self, data: list[_Edit]) -> None:
        """Each edit."""
        first, self._edits, self._known = not self._known, data, True
        there = {one.item.uid for one in data}
        if not there:
            self.notes.pop(CHANGES, None)
        self.mark_only({uid: name for uid, name in self.marked.items() if uid in there})
        self.draw_rows()
        for one in data if first else ():
            if f"{one.item.kind} {one.item.key}" == self.subject:
                self.list.select(one.item.uid)
        self.moved()

    def draw_rows(self) -> None:
        """Each edit, with the marks of those that have one."""
        empty = "Nothing waits. 3 shows the blueprint: e edits a definition, and s keeps the edit here."
        self.list.show_rows([_row(one, one.item.uid in self.marked) for one in self._edits], empty=empty)

    @property
    def marks_of(self) -> str:
        """There is one list."""
        return "changes"

    def marked_as(self) -> tuple[str, str] | None:
        """The edit under the cursor."""
        one = self._edit()
        return (one.item.uid, _name(one.item)) if one else None

    def all_matching(self) -> Callable[[Database], Mapping[str, str]]:
        """All of them: they are shown without a filter."""
        shown = {one.item.uid: _name(one.item) for one in self._edits}
        return lambda _database: shown

    def _edit(self) -> _Edit | None:
        return self.row.value if self.row else None

    def lines(self, pane: str) -> Sequence[Content]:
        """What it changes, and where it clashes; of what is new all that it says."""
        one = self._edit()
        if one is None:
            return ()
        new = one.text if one.change.action == "created" else ""
        return [*clash_lines(one.clashes), *change_lines(one.change), *(_said(new) if new else ())]

    def unavailable(self, name: str) -> str:
        """What needs an edit, or a clash."""
        one = self._edit() if self.there else None
        if name in ("undo", "redo"):
            return "d takes an edit out; H, u undoes what was applied"
        if name in ("apply", "take_out", "decide", "edit", "form") and one is None:
            return "the change set is empty"
        if name in ("edit", "form") and one is not None and one.displaced:
            return "another definition has its key: choose another one first (c)"
        if name in ("edit", "form") and (self.edits or (one is not None and not one.text)):
            return "the last edit is being checked" if self.edits else "it is removed: take that out first (d)"
        if name == "decide" and one is not None and not one.clashes:
            return "it clashes with nothing"
        if name == "apply" and any(row.value.clashes for row in self.list.rows):
            return "an edit clashes with what is applied: decide first which stands (c)"
        return super().unavailable(name)

    def do_apply(self) -> None:
        """`a`"""
        database, settings, owner = self.session.store.database, self.session.settings, self.session.owner
        self.say("checking …", "quiet")
        self.act(
            "reviewed_set",
            "the change set is checked",
            lambda: review_staged(database, settings, owner),
            reads_much=True,
        )

    def got_reviewed_set(self, found: tuple[Staged, Review]) -> None:
        """What it changes is shown; then the note is asked for."""
        staged, review = found
        self.say("")
        count = len(review.changes.changes) if review.changes else 0

        def noted(note: str | None) -> None:
            if note is None:
                self.say("left: the change set stays", "quiet")
            else:
                self._apply_set(staged, note)

        def answered(answer: str | None) -> None:
            if answer == "y":
                ask_why(self, of_edits(self.session.settings, staged.kept), noted, always=True)
                return
            self.say("left: the change set stays", "quiet")
            if answer == "f" and screen.chosen is not None:
                self._go_to(screen.chosen, there)

        title = f"apply the change set: {counted(count, 'definition')}"
        there = staged.working.blueprint
        fields = [(each.kind, each.key) for each in review.findings if each.kind and there.get(each.kind, each.key)]
        screen = ReviewScreen(review, title, edits=False, open_at=fields)
        self.app.push_screen(screen, answered)

    def _go_to(self, finding: Finding, there: Blueprint) -> None:
        """To the field that it names, in an edit or in what is `there` beside them; one edit goes at a time."""
        if self.edits:
            self.say("the last edit is being checked", "warn")
            return
        for one in self._edits:
            if one.text and (one.item.kind, one.item.key) == (finding.kind, finding.key):
                self.list.select(one.item.uid)
                self.form(one.item.kind, key_of(one.text), one.text, one.uids, finding.path)
                return
        beside, database, owner = there.get(finding.kind, finding.key), self.session.store.database, self.session.owner
        if beside is None:
            self.go(Place("blueprint", f"{finding.kind} {finding.key}"))
            return
        what = f"{finding.kind.replace('_', ' ')} {finding.key} is read"
        self.act("found_beside", what, lambda: (finding, *_text_of(database, owner, beside.uid)))

    def got_found_beside(self, found: tuple[Finding, str, dict[str, str]]) -> None:
        """What no edit is about is edited at the field that a finding names, unless it is gone meanwhile."""
        finding, text, uids = found
        if text:
            self.form(finding.kind, key_of(text), text, uids, finding.path)
        else:
            self.say(f"{finding.kind.replace('_', ' ')} {finding.key} is not there any more", "warn")

    def _apply_set(self, staged: Staged, note: str) -> None:
        database, settings, session = self.session.store.database, self.session.settings, self.session
        owner, author = session.owner, session.author
        self.act(
            "applied_set",
            "the change set is applied",
            lambda: apply_staged(database, owner, staged, author=author, note=note, settings=settings),
            reads_much=True,
        )

    def got_applied_set(self, revision: Revision | None) -> None:
        """Applied, and empty."""
        self.notes.done()
        self.say(f"revision {revision.number} is applied" if revision else "nothing differs: nothing to apply")
        self.reload()

    def do_take_out(self) -> None:
        """`d`"""
        one = self._edit()
        if one is None:
            return
        database, owner = self.session.store.database, self.session.owner
        uids = set(self.marked) or {one.item.uid}
        kept = [each.kept for each in self._edits if each.item.uid in uids and each.kept is not None]
        count = len(uids)
        what = f"the edit of {_name(one.item)}" if not self.marked else f"{counted(count, 'marked edit')}"

        def answered(answer: str | None) -> None:
            if answer == "y":
                self.act("taken_out", f"{what} taken out", lambda: unstage(database, owner, uids, kept))

        question = f"Take {what} out of the change set? {'It is' if count == 1 else 'They are'} not kept."
        if any(each.change.action == "renamed" for each in self._edits if each.item.uid in uids):
            question += " What follows a new key names the old one again."
        self.app.push_screen(Ask(question, [("y", "take out")]), answered)

    def got_taken_out(self, _value: object) -> None:
        """Gone."""
        self.say("taken out", "quiet")
        self.reload()

    def do_decide(self) -> None:
        """`c`"""
        one = self._edit()
        if one is None:
            return
        database, owner, uid, shown = self.session.store.database, self.session.owner, one.item.uid, one.clashes
        if one.displaced:
            self._ask_another_key(one)
            return
        sides: dict[str, Literal["mine", "theirs"]] = {"m": "mine", "t": "theirs"}

        def stands(answer: str) -> None:
            side = sides[answer]
            self.act("decided", f"{side} stands", lambda: decide(database, owner, uid, side, shown))

        def answered(answer: str | None) -> None:
            if answer == "t" and drops_mine(shown):
                question = f"Drop your edit of {_name(one.item)}? Somebody else has removed it. The edit is not kept."
                self.app.push_screen(Ask(question, [("y", "drop it")]), lambda sure: stands("t") if sure else None)
            elif answer:
                stands(answer)

        self.app.push_screen(Decide(_name(one.item), shown), answered)

    def _ask_another_key(self, one: _Edit) -> None:
        database, owner, uid = self.session.store.database, self.session.owner, one.item.uid

        def named(name: str | None) -> None:
            if name and name != one.item.key:
                self.act("decided", f"it is {name} now", lambda: rekey(database, owner, uid, name))

        question = f"Another definition has the key of {_name(one.item)}. Another key:"
        self.app.push_screen(NoteScreen(question, one.item.key, wrong_key), named)

    def got_decided(self, _value: object) -> None:
        """Settled."""
        self.say("decided", "quiet")
        self.reload()

    def do_edit(self) -> None:
        """`e`"""
        one = self._edit()
        if one is not None:
            self.edit(one.item.kind, key_of(one.text), one.text, one.uids)

    def do_form(self) -> None:
        """`f`"""
        one = self._edit()
        if one is not None:
            self.form(one.item.kind, key_of(one.text), one.text, one.uids)

    def hidden(self, name: str) -> bool:
        """It is where `P` leads; what undoes what was applied would undo none of these."""
        return name in ("changes", "undo", "redo") or super().hidden(name)

    def caption(self) -> Content | str:
        """How many edits."""
        return self.beside_marks(styled(counted(len(self.list.rows), "edit"), "quiet")) if self._known else ""

    def about(self) -> str:
        """What is edited."""
        one = self._edit()
        return _name(one.item) if one else ""

    def copied(self) -> str:
        """Its key."""
        one = self._edit()
        return one.item.key if one else ""

    def trail(self) -> Content | str:
        """Where one is."""
        return joined(("Blueprint ▸ ", "quiet"), ("change set", "strong"), (f" of {self.session.owner}", "quiet"))


def _edits(database: Database, owner: str) -> list[_Edit]:
    found = load_edits(database, owner)
    sources = load_sources(database, [item.uid for item in found.items], owner)
    kept = {item.uid: item for item in found.kept}
    return [
        _Edit(
            item,
            recorded(item.kind, item.key, item.uid, item.key_before, item.before, item.after),
            tuple(clash for clash in found.clashes if clash.uid == item.uid),
            found.text_of(item.uid, sources.get(item.uid)),
            found.own_uids(item.uid),
            kept.get(item.uid),
        )
        for item in found.items
    ]


def _text_of(database: Database, owner: str, uid: str) -> tuple[str, dict[str, str]]:
    """A definition as YAML, empty where it is gone, and the uids of it and its tasks."""
    found, sources = load_around(database, owner, uid), load_sources(database, [uid], owner)
    return found.text_of(uid, sources.get(uid)), found.own_uids(uid)


def _row(one: _Edit, marked: bool) -> Row:
    sign, tone = SIGNS[one.change.action]
    fields = styled("clashes", "bad") if one.clashes else styled(str(len(one.change.fields) or ""), "quiet")
    return Row(
        one.item.uid,
        (styled(sign, tone), styled(_name(one.item), "accent" if marked else ""), fields),
        value=one,
        marked=marked,
    )


@functools.lru_cache(maxsize=8)
def _said(text: str) -> tuple[Content, ...]:
    return (Content(""), *yaml_lines(text))


def _name(item: Item) -> str:
    return f"{item.kind.replace('_', ' ')} {plain(item.key)}"
