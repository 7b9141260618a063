"""Editing a definition as a form: draft, review and change set are those of an edit in `$EDITOR`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import BindingType

from console import drafts
from console.drafts import Draft, Kept
from console.edit import Review, without_remarks
from console.form_state import FormState
from console.screens.ask import Ask
from console.screens.editing import Editing, shown
from console.screens.form_lines import Filled
from console.screens.keys import key
from console.text import ago, styled
from console.unforeseen import fault_of
from metadata.errors import Fault, UsageError
from metadata.findings import Path
from metadata.forms import empty_text, subject_of
from metadata.skeletons import skeleton
from metadata.values import utc_now

if TYPE_CHECKING:
    from console.app import PilothouseApp


class Forming(Editing):
    """A screen on which a definition is edited as a form, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("f", "form", "form", help="edit it as a form; ctrl+e goes on in $EDITOR"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._by_form = False
        self._state: FormState | None = None
        """The form of the draft, which is gone on with after the review."""
        self._wanted_at: Path = ()
        """Where in the form the cursor is to be."""
        self._goes_on = "e"
        """The key that leads to the text of an edit that failed; empty where there is none."""

    @abstractmethod
    def do_form(self) -> None:
        """`f`"""

    def edit(self, kind: str, key: str, text: str, uids: Mapping[str, str] | None = None) -> None:
        """In the editor."""
        self._by_form, self._goes_on = False, "" if uids is None else "e"
        super().edit(kind, key, text, uids)

    def form(self, kind: str, key: str, text: str, uids: Mapping[str, str] | None = None, at: Path = ()) -> None:
        """As `edit`, as a form, with the cursor where a path leads."""
        self._by_form, self._state, self._wanted_at = True, None, at
        self._goes_on = "" if uids is None else "e"
        super().edit(kind, key, text, uids)

    def offer_kept(self, one: Kept, missing: str) -> None:
        """In the editor, or as a form; or it is thrown away."""
        answers = [
            ("f", f"go on with the text of {ago(one.at, utc_now())} as a form"),
            ("e", "go on with it in $EDITOR"),
            ("d", "throw it away, after asking"),
        ]

        def answered(answer: str | None) -> None:
            if answer == "d":
                self.ask_to_throw_away([one], f"the kept text of {one.kind.replace('_', ' ')} {one.key}")
            elif answer:
                self._by_form, self._state = answer == "f", None
                self.go_on_with(one)

        question = f"{missing[0].upper()}{missing[1:]}; the text of an edit of it is kept."
        self.app.push_screen(Ask(question, answers, styled(shown(one.path), "quiet")), answered)

    def key_again(self, job: str) -> str:
        """No row here is that of something new: its text is not gone on with by the key of the one under the cursor."""
        by = super().key_again(job)
        return self._goes_on if by == "e" else by

    def _fail(self, draft: Draft, fault: Fault, job: str = "edited") -> None:
        self._goes_on = "e" if draft.original else "1"
        super()._fail(draft, fault, job)

    def open_at(self, draft: Draft, found: Review, path: Path) -> None:
        """As a form, whatever it was edited as."""
        self._by_form, self._wanted_at = True, path
        self.open_draft(draft, self._text if found.errors else None, found if found.errors else None)

    def open_draft(self, draft: Draft, before: str | None, wrong: Review | None = None) -> None:
        """Edit the draft where it was begun to be edited."""
        if not self._by_form:
            super().open_draft(draft, before, wrong)
            return
        self._voice.begin()
        self._wrong = None  # a person fills it in
        try:
            text = without_remarks(draft.path.read_text(encoding="utf-8")) if self._text is None else self._text
            if self._state is None or self._state.text != text:
                original = subject_of(draft.original) if draft.original else None
                self._state = FormState.of(subject_of(text), original, text)
        except UsageError as error:
            self._fail(draft, error.fault)
            return
        except (OSError, UnicodeDecodeError) as error:
            self._fail(draft, fault_of(error))
            return
        state = self._state
        if wrong is not None:
            state.findings = wrong.findings
        again = before is None or wrong is not None
        said = f"{wrong.errors[0].code} {wrong.errors[0].cause}" if wrong is not None and wrong.errors else ""

        def filled(how: Filled | None) -> None:
            cast("PilothouseApp", self.app).ears.open()
            if how is not None and self._draft is draft:
                self._take(draft, how, again, state.source)

        from console.screens.form import FormScreen

        keep, at = partial(self._keep_text, draft), self._wanted_at
        self._wanted_at = ()
        self.app.push_screen(FormScreen(self.session, state, keep, text, said, at), filled)

    def _keep_text(self, draft: Draft, text: str) -> Fault | None:
        """What is typed in the form is in its draft; that it cannot be written is no end of it."""
        if self._draft is draft:
            self._text = text
        try:
            drafts.write(draft, text)
        except OSError as error:
            return fault_of(error)
        return None

    def _take(self, draft: Draft, how: Filled, again: bool, opened: str) -> None:
        """The form was left; one that was opened `again` differs from what is applied as it stands.

        Where its changes are thrown away the text is what it was when it was `opened`, with earlier work in it.
        """
        self._text = how.text
        untouched = not how.changed and not again
        worked_on = opened not in (draft.original, empty_text(draft.kind, draft.key))
        if how.to == "discard" and worked_on:
            self._text = opened
            self._keep(draft, "it is as it was opened")
        elif how.to == "discard" or (how.to == "nothing" and untouched and not draft.original):
            self._discard(draft)
            self.say("left: nothing is kept" if how.changed else "left: nothing to apply", "quiet")
        elif how.to == "nothing":
            self._keep(draft, "left")
        elif how.to == "editor":
            self._by_form = False
            if how.text == empty_text(draft.kind, draft.key):
                self._text = skeleton(draft.kind, draft.key)
            if self._put(draft, self._text):
                super().open_draft(draft, None if how.changed or again else self._text)
        elif untouched and draft.original:
            self._keep(draft, "the form was not changed")
        elif self._put(draft, how.text):
            self._have_checked(draft, how.text)
