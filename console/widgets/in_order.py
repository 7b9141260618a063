"""Keys of a field that closes: taken in the order in which they come, however fast that is.

A key is with a field before the one that came before it has closed that: then it goes where the keys are now. So enter
and what follows it are never letters of the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual import events
from textual.binding import Binding
from textual.widget import Widget
from textual.widgets import Input

Deeds = Mapping[str, Callable[[], None]]
"""What keys do, by name."""


def taken(field: Widget, event: events.Key, deeds: Deeds) -> None:
    """Do what a key says, or send it on from a field without the focus; any other is the field's."""
    has_focus = field.screen.focused is field
    if has_focus and event.key not in deeds:
        return
    event.stop()
    event.prevent_default()
    if has_focus:
        deeds[event.key]()
    else:
        field.app.post_message(events.Key(event.key, event.character))


_EDITS: Mapping[str, str] = {
    key: binding.action
    for binding in Input.BINDINGS
    if isinstance(binding, Binding) and binding.action not in ("submit", "copy")
    for key in binding.key.split(",")
}


class TextLine(Input):
    """A line that is edited in the order of the keys: one that moves or deletes before the letter that follows it."""

    async def _on_key(self, event: events.Key) -> None:
        action = _EDITS.get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)

    def _on_paste(self, event: events.Paste) -> None:
        """All lines of what is pasted, as one: the base takes the first, and loses the others without a word."""
        event.stop()
        event.prevent_default()
        lines = event.text.splitlines()
        one = lines[0] if len(lines) == 1 else " ".join(filter(None, (line.strip() for line in lines)))
        if one:
            self.replace(one, *self.selection)
