"""The keys that change, remove or switch all that is marked. Each makes edits: they wait in the change set."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from textual.binding import BindingType

from console.bulk import Offer, offer, review_edited, review_removal, switch
from console.edit import Review
from console.screens.ask import Ask
from console.screens.blueprint_keys import BlueprintKeys
from console.screens.choose import Choose
from console.screens.keys import key
from console.screens.making import Making
from console.screens.marking import OF_MARKS, Marking
from console.screens.note import NoteScreen
from console.screens.review import ReviewScreen
from console.text import glyph
from metadata.bulk import Edited, Removal, many
from metadata.changes import ChangeSet
from metadata.errors import Fault
from metadata.kinds import SECTIONS
from metadata.rows.staged import Staged, stage, stage_removals
from metadata.settable import Settable
from metadata.values import some

STAGES = [("y", "into the change set")]


class Bulk(Making, BlueprintKeys, Marking):
    """A screen of the blueprint whose cursor stands on definitions of one kind, which can be marked."""

    KEPT = Making.KEPT | BlueprintKeys.KEPT | {"offered", "changed_many", "removable"}
    BINDINGS: ClassVar[list[BindingType]] = [
        key("b", "bulk", "change", help="change a field on all that is marked; it shows first what that does"),
        key("space", "switch", "on/off", help="switch it off, or on again; all that is marked, if anything is"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._asked_for: tuple[Offer, Settable, str] | None = None
        """The field that is changed, and what was typed for it."""
        self._switching: list[Mapping[str, str]] = []
        """Uid and key of what is switched, in the order in which it is answered: that in which it was asked for."""
        self._unswitched: dict[str, str] = {}
        """What was not switched, by uid, with what its fault is told as."""

    def unavailable(self, name: str) -> str:
        """What needs marks, or a definition."""
        if name in ("mark", "mark_all", "bulk") and not self.kind:
            return "what is marked is of one kind: open that first"
        if self._matching and name in (*OF_MARKS, "bulk"):
            return "all that matches is being marked"
        if name == "bulk" and not self.marked:
            return "nothing is marked: m marks a row, M all that the filter matches"
        if name == "switch" and not (self.there and (self.marked or self.definition())):
            return "there is no definition under the cursor"
        return "" if name == "remove" and self.marked else super().unavailable(name)

    def hidden(self, name: str) -> bool:
        """What makes no sense without marks."""
        return (name == "bulk" and not self.marked) or super().hidden(name)

    def _out_of_view(self, marks: Mapping[str, str]) -> list[str]:
        """Keys of those that are no row of the list as it is filtered now."""
        shown = {row.value.uid for row in self.list.rows if row.value}
        return [key for uid, key in marks.items() if uid not in shown]

    def _named(self, marks: Mapping[str, str]) -> str:
        """Some of them by key, what is not in view first, and how much that is."""
        unseen = self._out_of_view(marks)
        hidden = f" ({len(unseen):,} not in view)" if unseen else ""
        return f"{some(dict.fromkeys((*unseen, *marks.values())))}{hidden}"

    # A field of all of them

    def do_bulk(self) -> None:
        """`b`"""
        database, owner, kind, uids = self.session.store.database, self.session.owner, self.kind, tuple(self.marked)
        self.act("offered", "what can be changed is known", lambda: offer(database, owner, kind, uids), reads_much=True)

    def got_offered(self, found: Offer) -> None:
        """The fields are known: one is chosen."""
        if not found.count:
            self.say("none of what is marked is there any more", "warn")
            return
        by_path = {each.path: each for each in found.fields}

        def chosen(path: str | None) -> None:
            if path:
                self._ask_value(found, by_path[path])

        rows = [(each.path, ", ".join(found.said[each.path][:3]), each.text) for each in found.fields]
        question = f"Change a field on {many(found.count, found.kind)}"
        self.app.push_screen(Choose(question, ("FIELD", "NOW", "WHAT IT SAYS"), rows), chosen)

    def _ask_value(self, found: Offer, field: Settable, typed: str | None = None, wrong: str = "") -> None:
        """Choose, or type, the value; one that was `wrong` stands there to be mended."""
        choices = found.keys[field.refers] if field.refers else field.choices

        def given(value: str | None) -> None:
            if value is not None:
                self._look_at_value(found, field, value)

        whose = f"{field.path} of {many(found.count, found.kind)}"
        if choices and not field.many:
            rows = [(each, "") for each in (*choices, *([""] if field.optional else []))]
            self.app.push_screen(Choose(f"{whose}: {field.text}", ("VALUE", ""), rows), given)
            return
        now = found.said[field.path]
        known = now[0] if len(now) == 1 and now[0] != "nothing" and not field.many else ""
        how = ' a, b gives exactly these, +a adds one, -b takes one out, "-b" is called so.' if field.many else ""
        some = f" There are: {', '.join(choices[:9])}." if choices else ""
        question = f"{whose}: {field.text}{how}{some}"
        self.app.push_screen(NoteScreen(question, known if typed is None else typed, said=wrong), given)

    def _look_at_value(self, found: Offer, field: Settable, value: str) -> None:
        database, settings, owner = self.session.store.database, self.session.settings, self.session.owner
        self._asked_for = found, field, value
        self.say("looking what that changes …", "quiet")
        self.act(
            "changed_many",
            "what that changes is known",
            lambda: (*review_edited(database, settings, owner, found.kind, found.uids, field.path, value), found.uids),
            reads_much=True,
        )

    def got_changed_many(self, found: tuple[Edited, Review, Collection[str]]) -> None:
        """What it changes is shown; one key takes it into the change set."""
        made, review, uids = found
        self.say("")
        if not made.changed:
            self.say(f"nothing differs: all of them have {made.field} {made.value}", "quiet")
            return

        def answered(answer: str | None) -> None:
            if answer == "y":
                self._stage_many(made, review, uids)
            else:
                self.say("left: nothing was changed", "quiet")

        self.app.push_screen(ReviewScreen(review, made.words, answers=STAGES), answered)

    def _stage_many(self, made: Edited, review: Review, uids: Collection[str]) -> None:
        database, owner = self.session.store.database, self.session.owner
        self.act(
            "staged_many",
            f"{many(made.changed, made.kind)} are changed in the change set",
            lambda: (stage(database, owner, made.document, review.base, review.seen), made.kind, uids),
            reads_much=True,
        )

    def got_staged_many(self, found: tuple[ChangeSet, str, Collection[str]]) -> None:
        """They wait, and are marked no longer."""
        changes, kind, uids = found
        count = len(changes.changes)
        self.let_go(kind, uids)
        self.say(f"{count:,} {'edit is' if count == 1 else 'edits are'} in the change set: P shows, and applies it")
        self.reload()

    # On and off

    def do_switch(self) -> None:
        """`space`"""
        row, marks = self.definition(), dict(self.marked)
        kind = self.kind or (row.kind if row else "")
        if not marks and not self.was_seen(self.list):
            return
        if not self._out_of_view(marks):
            self._switch(kind, marks or ({row.uid: row.key} if row else {}))
            return
        question = f"Switch {many(len(marks), kind)}, all that is marked? {self._named(marks)}."
        self.app.push_screen(Ask(question, STAGES), lambda answer: self._switch(kind, marks) if answer else None)

    def _switch(self, kind: str, marks: Mapping[str, str]) -> None:
        database, settings, owner = self.session.store.database, self.session.settings, self.session.owner
        self._switching.append(marks)
        self.say(glyph(f"switching {some(marks.values())} …"), "quiet")
        self.act(
            "switched",
            "it is switched in the change set",
            lambda: switch(database, settings, owner, kind, marks),
            reads_much=True,
        )

    def got_switched(self, found: tuple[Edited, Review | None]) -> None:
        """It waits, marked no longer; or is asked about, where others need it. What was not done stays told."""
        made, review = found
        marks = self._answered_switch()
        if review is not None:
            self.act("changed_many", "what that changes is known", lambda: (made, review, marks), follows=True)
            return
        self.let_go(made.kind, marks)
        word, keys = "on" if made.value == "true" else "off", getattr(made.document, SECTIONS[made.kind])
        self.say(f"{many(made.changed, made.kind)} switched {word} in the change set: {some(keys)}; P applies it")
        self.reload()

    def _answered_switch(self) -> Mapping[str, str]:
        """What was to be switched; what was told of it before is over, but where that is of others, too."""
        marks = self._switching.pop(0)
        told = {self._unswitched.pop(uid) for uid in marks if uid in self._unswitched}
        self._voice.well(*told.difference(self._unswitched.values()))
        return marks

    def key_again(self, job: str) -> str:
        """What was not switched is switched by the same key."""
        return super().key_again("switched" if job in self._unswitched.values() else job)

    # Away with all of them

    def do_remove(self) -> None:
        """`d`: what is marked, else what is under the cursor."""
        if not self.marked:
            super().do_remove()
            return
        database, owner, kind, marks = self.session.store.database, self.session.owner, self.kind, dict(self.marked)
        self.act(
            "removable",
            "what can be removed is known",
            lambda: (*review_removal(database, owner, kind, tuple(marks)), marks),
            reads_much=True,
        )

    def got_removable(self, found: tuple[Removal, Staged, Mapping[str, str]]) -> None:
        """One question, which names how many go, some of them by key, and what stays because it is used."""
        going, there, marks = found
        if not going.uids:
            self.say(f"nothing can be removed: {going.words or 'none of it is there any more'}", "warn")
            return
        database, owner = self.session.store.database, self.session.owner

        def remove() -> Removal:
            stage_removals(database, owner, going.uids, there.revision, there.kept)
            return going

        def answered(answer: str | None) -> None:
            if answer == "y":
                what = f"the removal of {many(len(going.uids), going.kind)} is in the change set"
                self.act("removed_many", what, remove, reads_much=True)

        question = (
            f"Remove {many(len(going.uids), going.kind)}? {self._named({uid: marks[uid] for uid in going.uids})}. "
            f"{'It goes' if len(going.uids) == 1 else 'They go'} when the change set is applied (P)."
        )
        self.app.push_screen(Ask(question, STAGES, going.words), answered)

    def got_removed_many(self, gone: Removal) -> None:
        """They wait, and are marked no longer, whichever list is shown now; what stays is marked still."""
        self.let_go(gone.kind, gone.uids)
        self.got_made(None)

    def refused(self, job: str, fault: Fault) -> None:
        """A value that does not fit is asked for again, as it was typed; what was not switched is named."""
        if job == "changed_many" and fault.code == "PH826" and self._asked_for is not None and self.in_front:
            found, field, typed = self._asked_for
            self._ask_value(found, field, typed, f"{fault.cause}; {fault.remedy}.")
        elif job == "switched":
            marks = self._answered_switch()
            told_as = f"{some(marks.values())} {'was' if len(marks) == 1 else 'were'} not switched"
            self._unswitched |= dict.fromkeys(marks, told_as)
            super().refused(told_as, fault.model_copy(update={"cause": f"{told_as}: {fault.cause}"}))
        else:
            super().refused(job, fault)
