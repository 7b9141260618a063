"""One line that is asked for: why something is done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from console.screens.modal import Modal
from console.text import styled
from console.widgets.in_order import TextLine

if TYPE_CHECKING:
    from console.noting import Deed
    from console.screens.base import BaseScreen

_KEYS = styled("enter go on   esc leave", "quiet")


class NoteScreen(Modal["str | None"]):
    """Gives what was typed, which may be empty; None for esc.

    What stands there is selected: a letter replaces it, an arrow keeps it. `wrong` says why a line is not taken: enter
    then says so, and what was typed stays.
    """

    CSS_PATH = "ask.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back", priority=True)]

    def __init__(
        self,
        question: str,
        value: str = "",
        wrong: Callable[[str], str] | None = None,
        said: str = "",
        typed: Callable[[str], None] | None = None,
    ) -> None:
        """`said` is why `value` was not taken before: then it is there to be mended. `typed` hears all that is."""
        super().__init__()
        self._question, self._value, self._wrong, self._said, self._typed = question, value, wrong, said, typed
        self._refused = value
        """The line of which `told` says what is said."""

    def compose(self) -> ComposeResult:
        """Question, line, keys."""
        line = TextLine(self._value, compact=True, select_on_focus=not self._said)
        line.cursor_blink = False
        with Vertical(id="ask"):
            yield Static(styled(self._question, "strong"))
            yield line
            yield Static(styled(self._said, "warn") if self._said else _KEYS, id="told")

    def on_input_changed(self, message: Input.Changed) -> None:
        """A letter more, or less: what was wrong with the line before is said no more."""
        if self._typed:
            self._typed(message.value)
        if message.value != self._refused:
            self._refused = message.value
            self.query_one("#told", Static).update(_KEYS)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter."""
        note = message.value.strip()
        reason = self._wrong(note) if self._wrong else ""
        if reason:
            self._refused = message.value
            self.query_one("#told", Static).update(styled(reason, "warn"))
        else:
            self.dismiss(note)

    def action_leave(self) -> None:
        """Esc."""
        self.dismiss(None)


def ask_why(screen: BaseScreen, what: Deed, answered: Callable[[str | None], None], *, always: bool = False) -> None:
    """Ask why a revision is made, where the home requires that, or `always`; else the note is empty. None for esc.

    What was answered for `what` before, which was not done then, stands there; so does what was typed when the line was
    cut.
    """
    from metadata.notes import wrong  # with what loads the kinds of definitions

    settings, notes = screen.session.settings, screen.notes
    asks = always or settings.notes != "optional"
    notes.asked = what if asks else None
    if not asks:
        answered("")
        return

    def noted(note: str | None) -> None:
        if note is not None:
            notes[what.name] = note
        notes.typed(what, notes.get(what.name, ""))
        answered(note)

    question, refused = "Why? It stands in the history.", partial(wrong, settings=settings)
    asking = NoteScreen(question, notes.begun(what), refused, typed=partial(notes.typed, what))
    screen.app.push_screen(asking, noted)
