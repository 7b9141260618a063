"""Whether what is typed is taken: what is meant for an editor does nothing to the screen that is there still."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.message import Message


class Ears:
    """Shut as soon as an editor is asked for, open again once it was left, or esc is pressed."""

    def __init__(self) -> None:
        self._shut = False
        self._dropped: Callable[[], None] | None = None
        self._from = 0.0
        """The time after which keys are taken; those of before were meant for an editor."""

    def shut(self, dropped: Callable[[], None] | None = None) -> None:
        """What is typed is dropped until `open`, or esc, where the editor can be `dropped`."""
        self._shut, self._dropped = True, dropped

    def open(self) -> None:
        """What is typed from now on is taken; what was typed before and waits still is dropped."""
        self._shut, self._dropped, self._from = False, None, Message().time

    def take(self, event: events.Event) -> bool:
        """Whether an event is taken."""
        if not isinstance(event, events.InputEvent | events.Paste):
            return True
        if self._shut and self._dropped and isinstance(event, events.Key) and event.key == "escape":
            self._dropped()
            self.open()
        return not self._shut and event.time > self._from
