"""Editing a definition in `$EDITOR`: suspend, edit, check, review, apply. The text is never lost."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from console import drafts
from console.drafts import Draft, Kept
from console.edit import Review, review, with_remarks, without_remarks
from console.editor import run_editor
from console.noting import of_draft
from console.places import Place
from console.screens.ask import Ask
from console.screens.note import ask_why
from console.screens.split import SplitScreen
from console.store import Answered
from console.text import ago, styled
from console.unforeseen import fault_of
from console.widgets.cells import cut
from metadata.changes import ChangeSet
from metadata.errors import Fault, PilothouseError
from metadata.findings import Path as FieldPath
from metadata.revision_log import Revision
from metadata.revisions import apply
from metadata.rows.staged import stage
from metadata.values import utc_now

TAKEN_IN = ("applied", "staged", "commented")
"""Jobs after which the text of an edit is no longer needed."""
MOST_OFFERED = 9
"""Kept drafts of one definition that are offered, each by its digit."""
HASTE_SECONDS = 2.0
"""Within which nobody mends a text: an editor that leaves errors again by then is not opened without being asked."""
GIST_CELLS = 36
"""Of what tells one of them from another: its beginning does."""


class Editing(SplitScreen):
    """A split screen on which a definition is edited, one at a time."""

    KEPT = frozenset({"reviewed"})

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._draft: Draft | None = None
        self._text: str | None = None
        """What the editor left, without our remarks; None before it left anything."""
        self._wrong: Review | None = None
        """What was wrong with it when the editor was opened."""
        self._edited_for = 0.0
        """Seconds for which the editor was open."""
        self._taken_in = False
        """Whether the edit is being applied or taken into the change set."""

    def on_unmount(self) -> None:
        """The screen is left while an edit is checked: it is edited no longer, and its text is kept.

        What comes of one that is being applied, or taken in, is waited for.
        """
        if self._draft is None:
            return
        if self._text is not None:
            with contextlib.suppress(OSError):  # then the text is what the editor left
                drafts.write(self._draft, self._text)
        if not self._taken_in:
            drafts.release(self._draft)
            self._draft = None

    def closed_with(self, answer: Answered) -> None:
        """The draft goes where its edit went through, and is kept where it did not."""
        if answer.job in TAKEN_IN and self._draft is not None:
            if answer.fault is None:
                self._discard(self._draft)
            else:
                drafts.release(self._draft)
                self._draft = None

    @property
    def edits(self) -> bool:
        """Whether an edit is under way."""
        return self._draft is not None

    def edit(self, kind: str, key: str, text: str, uids: Mapping[str, str] | None = None) -> None:
        """Open the editor on a definition with its `uids`, or a new one, or on what was kept of an earlier edit of it.

        `uids` are those of `metadata.rebasing.uids_in`; what has none is new.
        """
        there = drafts.kept_of(self.session.settings, kind, key, uids[""] if uids else "")
        if there:
            self._offer(kind, key, text, uids, there[:MOST_OFFERED])
        else:
            self._begin(kind, key, text, uids)

    def say_gone(self, kind: str, key: str) -> None:
        """A definition is not there; of an edit of it the text may be, and is offered then."""
        there = drafts.kept_of(self.session.settings, kind, key)
        missing = f"there is no {kind.replace('_', ' ')} {key} in the blueprint"
        if there and self.in_front and not self.edits:
            self.offer_kept(there[0], missing)
        else:
            text = f"; the kept text of its edit is {shown(there[0].path)}" if there else ""
            self.say(f"{missing}{text}", "warn")

    @abstractmethod
    def offer_kept(self, one: Kept, missing: str) -> None:
        """Ask how to go on with a kept draft of what is `missing`."""

    def _offer(self, kind: str, key: str, text: str, uids: Mapping[str, str] | None, there: list[Kept]) -> None:
        """Ask whether to go on with a kept draft; each stays until it is applied or thrown away."""
        now = utc_now()
        keys = ["e"] if len(there) == 1 else [str(at + 1) for at in range(len(there))]
        answers = [
            (at, f"go on with the text of {ago(one.at, now)}: {cut(styled(one.gist), GIST_CELLS)}")
            for at, one in zip(keys, there, strict=True)
        ]
        question = f"An edit of {kind.replace('_', ' ')} {key} was not applied; its text is kept."
        thrown = "the kept text" if len(there) == 1 else f"all {len(there)} kept texts"
        anew = "edit what is applied" if uids else "begin anew"
        answers += [("n", f"{anew}; the kept text stays"), ("d", f"throw {thrown} away, after asking")]

        def answered(answer: str | None) -> None:
            if answer == "n":
                self._begin(kind, key, text, uids)
            elif answer == "d":
                self.ask_to_throw_away(there, f"{thrown} of {kind.replace('_', ' ')} {key}")
            elif answer:
                self.go_on_with(there[keys.index(answer)])

        self.app.push_screen(Ask(question, answers, styled(shown(there[0].path), "quiet")), answered)

    def _begin(self, kind: str, key: str, text: str, uids: Mapping[str, str] | None) -> None:
        try:
            self._draft = drafts.begin(self.session.settings, kind, key, text, uids is None, uids)
        except OSError as error:
            self.tell(fault_of(error), "edited")
            return
        self._text = text
        self.open_draft(self._draft, text)

    def go_on_with(self, one: Kept) -> None:
        """Go on with a kept draft: it is reviewed even if nothing is added to it."""
        try:
            self._draft = drafts.resume(one)
        except OSError as error:
            self.tell(fault_of(error), "edited")
            return
        if self._draft is None:
            self.say("it is edited elsewhere now, or was applied", "warn")
        else:
            self._text = None
            self.open_draft(self._draft, None)

    def ask_to_throw_away(self, there: list[Kept], what: str) -> None:
        def answered(answer: str | None) -> None:
            if answer == "y":
                self._throw_away(there)

        self.app.push_screen(Ask(f"Throw {what} away for good?", [("y", "throw away")]), answered)

    def _throw_away(self, there: list[Kept]) -> None:
        try:
            left = [one for one in there if not drafts.throw_away(one)]
        except OSError as error:
            self.tell(fault_of(error), "edited")
            return
        if left:
            self.say(f"not thrown away: {shown(left[0].path)} was edited elsewhere since, or applied", "warn")
        else:
            self.say("the kept text is thrown away", "quiet")
        self.reload()

    def open_draft(self, draft: Draft, before: str | None, wrong: Review | None = None) -> None:
        """Edit the draft; what is left as it was `before`, or left with an error of the editor, changes nothing.

        What was `wrong` with it is shown again when nothing was mended.
        """
        self._voice.begin()
        fault: Fault | None = None
        self._wrong, opened = wrong, monotonic()
        try:
            run_editor(self.app, draft.path)
        except PilothouseError as error:
            fault = error.fault
        self._edited_for = monotonic() - opened
        try:
            drafts.clean(draft)
            self._text = without_remarks(draft.path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            cause, remedy = "it is no UTF-8", "save it as UTF-8"
            self._fail(draft, Fault(code="PH804", thing=f"file {shown(draft.path)}", cause=cause, remedy=remedy))
            return
        except OSError as error:
            if self._text is not None and not draft.path.exists():
                with contextlib.suppress(OSError):  # then it was told already what is wrong there
                    drafts.write(draft, self._text)
            self._fail(draft, fault_of(error))
            return
        if fault is not None:
            if self._put(draft, self._text):
                self._fail(draft, fault)
        elif self._text == draft.original:
            self._keep(draft, "the text was not changed")
        elif self._text == before and wrong is not None:
            if self._put(draft, self._text):
                self._show_review(draft, wrong)
        else:
            self._have_checked(draft, self._text)

    def _have_checked(self, draft: Draft, text: str) -> None:
        """Have a text of the draft checked; what it changes is shown then."""
        database, settings, owner = self.session.store.database, self.session.settings, self.session.owner
        self.say("checking …", "quiet")
        what = f"the edit of {draft.kind.replace('_', ' ')} {draft.key} is checked; {self.tab_key} goes on with it"
        self.act("reviewed", what, lambda: review(database, settings, draft, text, owner), reads_much=True)

    def _keep(self, draft: Draft, why: str) -> None:
        """Say that nothing was applied, and where the text is if it differs from what there was."""
        if self._text is not None and not self._put(draft, self._text):
            return
        self._draft = None
        if drafts.release(draft):
            self.say(f"{why}: nothing was applied; {_kept(draft)}", "warn")
        else:
            self.say(f"{why}: nothing to apply", "quiet")
        self.reload()

    def _put(self, draft: Draft, text: str) -> bool:
        """Write a text into the draft; where that fails it stays as the editor left it, and is edited no longer."""
        try:
            drafts.write(draft, text)
        except OSError as error:
            self._fail(draft, fault_of(error).model_copy(update={"thing": f"file {shown(draft.path)}"}))
            return False
        return True

    def _fail(self, draft: Draft, fault: Fault, job: str = "edited") -> None:
        """Tell a fault and edit the draft no longer; its file stays as it is, if anything was changed."""
        self._draft, self._taken_in = None, False
        kept = f"{fault.remedy}; {_kept(draft)}" if drafts.release(draft) else fault.remedy
        self.tell(fault.model_copy(update={"remedy": f"{kept}; nothing was applied"}), job)
        self.reload()

    def _discard(self, draft: Draft) -> None:
        """Edit it no longer, and throw its text away; that it cannot be taken out undoes nothing that was done."""
        self._draft, self._taken_in = None, False
        with contextlib.suppress(OSError):
            drafts.discard(draft)

    def got_reviewed(self, found: Review) -> None:
        """Checked: what comes of it; where that fails it is edited no longer, and its text is kept."""
        self.say("")
        if self._draft is None:
            return
        try:
            self._go_on(self._draft, found)
        except Exception as error:  # noqa: BLE001 - whatever it is, no key is to wait for this edit
            self.refused("reviewed", fault_of(error))

    def _go_on(self, draft: Draft, found: Review) -> None:
        """With errors at its lines the editor opens again, else the changes are shown."""
        if found.wants_the_editor and not self._mends_nothing(found):
            if self._put(draft, with_remarks(self._text or "", found.errors)):
                self.open_draft(draft, self._text, found)
        elif found.changes is not None and not found.changes and found.other_comments:
            self._stage(found, "commented")
        elif found.changes is not None and not found.changes:
            self._discard(draft)
            self.say("nothing differs: nothing to apply", "quiet")
            self.reload()
        else:
            self._show_review(draft, found)

    def _mends_nothing(self, found: Review) -> bool:
        """Whether the editor, opened on errors, left the same ones, or others at once, as what is no person does."""
        if self._wrong is None:
            return False
        before, now = ({(each.code, each.thing, each.cause) for each in one.errors} for one in (self._wrong, found))
        return before == now or self._edited_for < HASTE_SECONDS

    def _show_review(self, draft: Draft, found: Review) -> None:
        from console.screens.review import ReviewScreen

        def noted(note: str | None) -> None:
            if note is None:
                self._keep(draft, "left")
            else:
                self._apply(found, note)

        def answered(answer: str | None) -> None:
            if answer == "f" and screen.chosen is not None:
                if (screen.chosen.kind, screen.chosen.key) in own:
                    self.open_at(draft, found, screen.chosen.path)
                else:
                    self._keep(draft, "left")
                    self.go(Place("blueprint", f"{screen.chosen.kind} {screen.chosen.key}"))
            elif answer == "e":
                if self._put(draft, with_remarks(self._text or "", found.errors)):
                    self.open_draft(draft, self._text if found.errors else None, found if found.errors else None)
            elif answer == "y":
                ask_why(self, of_draft(draft), noted)
            elif answer == "s":
                self._stage(found)
            else:
                self._keep(draft, "left")

        own = [(kind, key) for kind, key, _ in found.document] if found.document is not None else []
        own = own if len(own) == 1 else []  # a form holds one definition
        screen = ReviewScreen(found, open_at=own)
        self.app.push_screen(screen, answered)

    @abstractmethod
    def open_at(self, draft: Draft, found: Review, path: FieldPath) -> None:
        """Edit it on where a finding of its review says."""

    def _apply(self, found: Review, note: str) -> None:
        database, settings, author = self.session.store.database, self.session.settings, self.session.author
        document, base = found.document, found.base
        if document is not None:
            self._taken_in = True
            self.act(
                "applied",
                "the edit is applied",
                lambda: apply(
                    database,
                    document,
                    author=author,
                    note=note,
                    settings=settings,
                    base_revision=base,
                    comments=found.comments,
                    seen_comments=found.seen_comments,
                ),
                reads_much=True,
            )

    def _stage(self, found: Review, job: str = "staged") -> None:
        database, owner, document = self.session.store.database, self.session.owner, found.document
        author = self.session.author
        if document is not None:
            self._taken_in = True
            self.act(
                job,
                "the edit is kept in the change set" if job == "staged" else "the comments are kept",
                lambda: stage(
                    database, owner, document, found.base, found.seen, found.comments, author, found.seen_comments
                ),
            )

    def got_commented(self, _changes: ChangeSet) -> None:
        """Only its comments differed: they stand beside the definition, in no revision, and in the audit."""
        if self._draft is not None:
            self._discard(self._draft)
        self.say("the comments are kept; nothing else differs, so there is no revision")
        self.reload()

    def got_staged(self, _changes: ChangeSet) -> None:
        """In the change set: the draft, with why it was to be applied by itself, is no longer needed."""
        if self._draft is not None:
            self._discard(self._draft)
        self.say("kept in the change set: P shows it, and applies it")
        self.reload()

    def got_applied(self, revision: Revision | None) -> None:
        """Applied: the draft, with its note, is no longer needed."""
        if self._draft is not None:
            self._discard(self._draft)
        self.say(f"revision {revision.number} is applied" if revision else "nothing to apply")
        self.reload()

    def dropped(self, job: str) -> None:
        """The text whose check is dropped is kept."""
        if job == "reviewed" and self._draft is not None:
            self._keep(self._draft, "left")
        else:
            super().dropped(job)

    def refused(self, job: str, fault: Fault) -> None:
        """Not checked, or not applied: the text stays."""
        if job in ("reviewed", *TAKEN_IN) and self._draft is not None:
            if self._text is None or self._put(self._draft, self._text):
                self._fail(self._draft, fault, job)
        else:
            super().refused(job, fault)


def shown(path: Path) -> str:
    """A path as its owner types it."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _kept(draft: Draft) -> str:
    goes_on = "e goes on with it" if draft.original else "1 Overview goes on with it"
    return f"the text is kept, {goes_on}, or throws it away ({shown(draft.path)})"
