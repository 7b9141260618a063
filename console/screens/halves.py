"""Two halves of a screen: side by side, or one at a time where it is narrow; the right one has panes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content

from console.screens.base import BaseScreen
from console.screens.keys import key
from console.text import styled


class Halves(BaseScreen):
    """A screen of two halves: a list at the left, and what it says at the right, in `#pane`."""

    LEFT: ClassVar[str]
    """The list, as it is found."""
    WIDE: ClassVar[int] = 110
    """Cells from which both halves are shown side by side."""
    BINDINGS: ClassVar[list[BindingType]] = [
        key("tab", "half", "other half", shown=False, help="between the list and what it says"),
        key("right,greater_than_sign", "next", "next pane", shown=False, help="next pane at the right"),
        key("left,less_than_sign", "previous", "previous pane", shown=False, help="previous pane at the right"),
    ]

    @abstractmethod
    def turn_pane(self, by: int) -> None:
        """To another pane."""

    def on_mount(self) -> None:
        """The cursor is in the list."""
        self.set_focus(self.query_one(self.LEFT))

    def on_resize(self, event: events.Resize) -> None:
        """Side by side where there is room."""
        self.set_class(event.size.width < self.WIDE, "narrow")

    def turn_half(self, right: bool) -> None:
        """To the right half, or back to the list."""
        self.set_class(right, "right")
        self.query_one("#pane" if right else self.LEFT).focus()

    def do_half(self) -> None:
        """`tab`"""
        self.turn_half(not self.has_class("right"))

    def do_next(self) -> None:
        """To the next pane."""
        self.turn_pane(1)

    def do_previous(self) -> None:
        """To the previous pane."""
        self.turn_pane(-1)


def titles(names: Sequence[str], chosen: str, about: str) -> Content:
    """The panes by name, the chosen one underlined; what they speak of."""
    parts = [styled(one, "strong").stylize("underline") if one == chosen else styled(one, "quiet") for one in names]
    return Content("  ").join([*parts, styled(f" {about}", "accent")])
