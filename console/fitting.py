"""What there is room for: in a terminal that is too small nothing is shown but that."""

from __future__ import annotations

from textual import events
from textual.geometry import Size

from console.painting import Painting
from console.places import TABS
from console.screens.too_small import TooSmall, too_small


class Fitting(Painting):
    """An app that says so where its terminal is too small."""

    def on_resize(self, event: events.Resize) -> None:
        """There may be room, or none any more."""
        if self.current_mode in TABS:
            self.fit(event.size)

    def fit(self, size: Size) -> None:
        """Where there is no room for a screen it is said above all else, which stays as it is."""
        told = [one for one in self.screen_stack if isinstance(one, TooSmall)]
        if too_small(size) and self.screen in told:
            return
        for one in told:
            if one is self.screen:
                self.pop_screen()
            else:
                self._screen_stack.remove(one)
                one.remove()
        if too_small(size):
            self.push_screen(TooSmall())
