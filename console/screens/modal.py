"""What every question and every sheet above a screen is built on."""

from __future__ import annotations

from typing import ClassVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, ScreenResultType
from textual.widgets import Static

from console.text import styled
from console.voice import FLASH_SECONDS


class Modal(ModalScreen[ScreenResultType]):
    """Gives one answer, once: keys that arrive together are all in its queue, also when the first has closed it."""

    DEFAULT_CSS = """
    Modal > .said { layer: above; dock: bottom; height: 1; padding: 0 1; }
    """

    SEEN_FIRST: ClassVar[bool] = False
    """Whether what was typed before it is there does nothing to it: one letter would answer what nobody has read."""

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close it with an answer; nothing when it is not in front, for then another screen would be closed."""
        return super().dismiss(result) if self.app.screen is self else AwaitComplete()

    def answered_by(self, key: str) -> bool:
        """Whether a digit is one of its answers."""
        return False

    def say(self, words: str, tone: str = "") -> None:
        """Say something below it, for some seconds."""
        self.query(".said").remove()
        said = Static(styled(words, tone), classes="said")
        self.mount(said)
        self.set_timer(FLASH_SECONDS, said.remove)
