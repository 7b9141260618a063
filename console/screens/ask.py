"""A question with a few answers, each a key: nothing is destroyed without one."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.screens.modal import Modal
from console.text import joined, stacked, styled
from console.widgets.cells import cut

NOTE_CELLS = 200
"""What is longer is cut: the answers below it stay in view."""
_SCROLLS = {"down": 1, "j": 1, "up": -1, "k": -1, "pagedown": 8, "pageup": -8}
"""Keys that go through a question which has more lines than the terminal, by so many of them."""


class Ask(Modal[str]):
    """Gives the key of the answer, `""` for esc."""

    SEEN_FIRST = True
    CSS_PATH = "ask.tcss"

    def __init__(
        self,
        question: Content | str,
        answers: Sequence[tuple[str, str]],
        note: Content | str = "",
        esc: str = "leave it",
    ) -> None:
        """`answers` are (key, what it does), `esc` is what that does; the question names the thing."""
        super().__init__()
        self._question = question if isinstance(question, Content) else styled(question, "strong")
        self._answers = [*answers, ("esc", esc)]
        self._note = _note(note)

    def compose(self) -> ComposeResult:
        """Question, note, answers."""
        with VerticalScroll(id="ask", can_focus=False):
            yield Static(self._told())

    def _told(self) -> Content:
        answers = [joined((f"{key:>5}  ", "key"), what) for key, what in self._answers]
        note = [self._note, Content("")] if self._note else []
        return stacked([self._question, "", *note, *answers])

    def tell(self, note: Content | str) -> None:
        """Another note, of what is known only now."""
        self._note = _note(note)
        if self.is_attached:
            self.query_one(Static).update(self._told())

    def answered_by(self, key: str) -> bool:
        """Whether it is one of the answers."""
        return key in [name for name, _ in self._answers]

    def on_key(self, event: events.Key) -> None:
        """One key answers."""
        event.stop()
        pressed = event.character or event.key
        if event.key == "escape":
            self.dismiss("")
        elif self.answered_by(pressed):
            self.dismiss(pressed)
        elif event.key in _SCROLLS:
            self.query_one(VerticalScroll).scroll_relative(y=_SCROLLS[event.key], animate=False, immediate=True)


def _note(note: Content | str) -> Content:
    return cut(note if isinstance(note, Content) else styled(note), NOTE_CELLS)
