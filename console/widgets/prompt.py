"""The line in which one types a filter (`/`) or a place to jump to (`:`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from console.widgets.in_order import TextLine

Complete = Callable[[str, str], Awaitable[str]]
"""`complete(mark, text)` gives the text as it goes on, or nothing."""


class _Completion(Suggester):
    """Completes what was typed."""

    def __init__(self, complete: Callable[[str], Awaitable[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        """Part of the Suggester protocol."""
        return await self._complete(value) or None


class Prompt(TextLine):
    """One line of input, with completion (tab or right). Posts `Given` on enter, `Typed` meanwhile, `Left` on esc."""

    DEFAULT_CSS = """
    Prompt, Prompt:focus { height: 1; border: none; padding: 0 1; background: $background; display: none; }
    Prompt.open { display: block; }
    Prompt:ansi { background: ansi_default; color: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", show=False, priority=True),
        Binding("tab", "complete", "complete", show=False, priority=True),
    ]

    class Given(Message):
        """Enter: what was typed."""

        def __init__(self, mark: str, text: str) -> None:
            super().__init__()
            self.mark, self.text = mark, text

    class Typed(Given):
        """What stands there now."""

    class Left(Message):
        """Esc: nothing is wanted."""

        def __init__(self, mark: str) -> None:
            super().__init__()
            self.mark = mark

    def __init__(self, complete: Complete) -> None:
        async def completed(value: str) -> str:
            mark = self.mark
            found = await complete(mark, value.removeprefix(mark)) if value.startswith(mark) else ""
            return mark + found if found else ""

        super().__init__(id="prompt", select_on_focus=False, compact=True, suggester=_Completion(completed))
        self.mark = "/"
        self._before = ""
        self.cursor_blink = False

    def ask(self, mark: str, text: str = "") -> None:
        """Open the line with a mark and a text to change."""
        self.mark = mark
        self.value = self._before = mark + text
        self.add_class("open")
        self.screen.set_focus(self)
        self.cursor_position = len(self.value)

    def close(self) -> None:
        """Put the line away."""
        self.remove_class("open")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what stands there. Deleting the mark alone leaves; deleted with all else, as ctrl+u does, it stays."""
        event.stop()
        if not self.has_class("open"):
            return
        before, self._before = self._before, self.value
        if self.value.startswith(self.mark):
            self.post_message(self.Typed(self.mark, self.value[len(self.mark) :]))
        elif before == self.mark:
            self.post_message(self.Given(self.mark, ""))
        else:
            self.value = self.mark + self.value
            self.cursor_position = len(self.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        self.post_message(self.Given(self.mark, self.value[len(self.mark) :].strip()))

    def action_delete_left_all(self) -> None:
        """ctrl+u: the mark stays."""
        if self.value != self.mark:
            super().action_delete_left_all()

    def action_delete_left_word(self) -> None:
        """ctrl+w, too."""
        if self.value != self.mark:
            super().action_delete_left_word()

    def action_leave(self) -> None:
        """Esc."""
        self.post_message(self.Left(self.mark))

    def action_complete(self) -> None:
        """Take what is suggested."""
        self.action_cursor_right() if self.cursor_position < len(self.value) else super().action_cursor_right()
