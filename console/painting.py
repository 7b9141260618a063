"""When a tab is painted to which one goes."""

from __future__ import annotations

from contextlib import ExitStack

from textual.timer import Timer

from console.ears import Hearing
from console.places import TABS, Place

HOLD_SECONDS = 0.1
"""Time after which a tab that is opened is painted without its rows."""


class Painting(Hearing):
    """An app in which a tab that is as one left it is painted at once, and one that is opened as soon as it has rows.

    Textual paints nothing for 50 ms after it, so that nobody sees how a screen is made, or how others that lie above it
    come and go.
    """

    def __init__(self, *, ansi_color: bool) -> None:
        super().__init__(ansi_color=ansi_color)
        self._at_once = False
        self._held = ExitStack()
        self._patience: Timer | None = None
        self.bound_for: Place | None = None
        """What is gone to, until it is there: keys that act on a row are not for the row that stands there still."""

    def turn_to_tab(self, tab: str, *, alone: bool) -> None:
        """To a tab; `alone`: nothing is going to lie above it."""
        stack = self._screen_stacks.get(tab, ())
        opened = alone and not stack and self.current_mode in TABS
        if opened:
            self.paint()
            self._held.enter_context(self.batch_update())
            self._patience = self.set_timer(HOLD_SECONDS, self.paint)
        self._at_once = opened or (alone and len(stack) == 1)
        self.switch_mode(tab)
        self._at_once = False

    def paint(self) -> None:
        """Paint the tab that was opened, if that is still to be done."""
        if self._patience is not None:
            self._patience.stop()
            self._patience = None
            self._held.close()
            self.screen.refresh()

    def delay_update(self, delay: float = 0.05) -> None:
        """Paint nothing for some time, but where it is as it was left, or waits for its rows."""
        if not self._at_once:
            super().delay_update(delay)
