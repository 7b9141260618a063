"""One line that is asked for: why something is done."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from console.screens.modal import Modal
from console.text import styled


class NoteScreen(Modal["str | None"]):
    """Gives what was typed, which may be empty; None for esc."""

    CSS_PATH = "ask.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back", priority=True)]

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__()
        self._question, self._value = question, value

    def compose(self) -> ComposeResult:
        """Question, line, keys."""
        line = Input(self._value, compact=True, select_on_focus=False)
        line.cursor_blink = False
        with Vertical(id="ask"):
            yield Static(styled(self._question, "strong"))
            yield line
            yield Static(styled("enter go on   esc leave", "quiet"))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter."""
        self.dismiss(message.value.strip())

    def action_leave(self) -> None:
        """Esc."""
        self.dismiss(None)
