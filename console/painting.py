"""When a tab is painted to which one goes."""

from __future__ import annotations

from console.ears import Hearing


class Painting(Hearing):
    """An app in which a tab that is as one left it is painted at once.

    Textual paints nothing for 50 ms after it, so that nobody sees how a screen is made, or how others that lie above it
    come and go.
    """

    def __init__(self, *, ansi_color: bool) -> None:
        super().__init__(ansi_color=ansi_color)
        self._at_once = False

    def turn_to_tab(self, tab: str, *, alone: bool) -> None:
        """To a tab; `alone`: nothing is going to lie above it."""
        self._at_once = alone and len(self._screen_stacks.get(tab, ())) == 1
        self.switch_mode(tab)
        self._at_once = False

    def delay_update(self, delay: float = 0.05) -> None:
        """Paint nothing for some time, but where it is as it was left."""
        if not self._at_once:
            super().delay_update(delay)
