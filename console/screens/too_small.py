"""What stands there while the terminal is too small for the console: how large it must be, and is."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

from console.text import joined, stacked

LEAST = Size(50, 14)
"""The smallest terminal in which every screen shows its keys, and a form the field that is open."""


def too_small(size: Size) -> bool:
    """Whether the console has no room in a terminal."""
    return size.width < LEAST.width or size.height < LEAST.height


class TooSmall(Screen[None]):
    """Lies over all else, which stays as it is, until there is room again."""

    DEFAULT_CSS = """
    TooSmall { align: center middle; background: $background; color: $foreground; }
    TooSmall Static { width: auto; max-width: 100%; text-align: center; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "app.quit", "quit")]

    def compose(self) -> ComposeResult:
        """Two lines."""
        yield Static()

    def on_resize(self, event: events.Resize) -> None:
        """Say how large it is now."""
        needed = f"{LEAST.width}x{LEAST.height}"
        told = [
            joined("needs at least ", (needed, "strong"), f", this is {event.size.width}x{event.size.height}"),
            joined(("all stays as it is   ", "quiet"), ("q", "key"), " quit"),
        ]
        self.query_one(Static).update(stacked(told))
