"""Where an edit and what others applied do not go together: both sides as YAML, and which of them stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from console.screens.modal import Modal
from console.text import joined, plain, styled
from console.widgets.lines import Lines
from metadata.documents import dump_one
from metadata.staging import Clash, definition_of
from metadata.three_way import ABSENT
from metadata.yaml_writer import lines_of

MARGIN = 11
"""Cells at the left of what a side says."""


def clash_lines(clashes: Sequence[Clash]) -> list[Content]:
    """What each side says where they clash."""
    return [line for clash in clashes for line in _clash_lines(clash)]


def drops_mine(clashes: Sequence[Clash]) -> bool:
    """Whether nothing of an edit is left when theirs stands: they have removed what it changes."""
    return any(clash.conflict.path == "" and clash.conflict.theirs is ABSENT for clash in clashes)


class Decide(Modal[str]):
    """Gives `m` (mine stands), `t` (theirs does), or an empty text."""

    SEEN_FIRST = True
    CSS_PATH = "clash.tcss"

    def __init__(self, name: str, clashes: Sequence[Clash]) -> None:
        super().__init__()
        self._of, self._clashes = name, clashes

    def compose(self) -> ComposeResult:
        """Question, both sides, answers."""
        drops = drops_mine(self._clashes)
        theirs = "it stays removed, and your edit is dropped" if drops else "what does not clash of mine stays"
        answers = [("m", "mine stands"), ("t", f"theirs stands: {theirs}"), ("esc", "leave it")]
        with Vertical(id="clash"):
            yield Static(styled(f"Somebody else changed {self._of}, too, where you did.", "strong"))
            yield Lines(id="sides")
            yield Static(Content("\n").join(joined((f"{key:>3}  ", "key"), what) for key, what in answers))

    def on_mount(self) -> None:
        """Both sides."""
        lines = self.query_one(Lines)
        lines.show(clash_lines(self._clashes))
        lines.focus()

    def on_key(self, event: events.Key) -> None:
        """One key answers; others move through what is shown."""
        pressed = event.character or event.key
        if event.key == "escape" or pressed in ("m", "t"):
            event.stop()
            self.dismiss("" if event.key == "escape" else pressed)


def _clash_lines(clash: Clash) -> Iterator[Content]:
    conflict = clash.conflict
    sides = [("before", conflict.base), ("mine", conflict.mine), ("theirs", conflict.theirs)]
    if not conflict.path:  # who has removed it stands above what takes many lines
        sides.sort(key=lambda side: side[1] is not ABSENT)
    yield joined(("clash ", "bad"), (conflict.path or "the whole definition", "strong"))
    for name, value in sides:
        first, *others = _side(clash, value)
        yield joined((f"  {name:<{MARGIN - 2}}", "quiet"), first)
        for line in others:
            yield joined(" " * MARGIN, line)
    yield Content("")


def _side(clash: Clash, value: Any) -> list[Content]:
    """What a side says, in as many lines as that takes."""
    conflict = clash.conflict
    if value is ABSENT or value is None:
        return [styled("removed" if value is ABSENT and not conflict.path else "not there", "quiet")]
    if not conflict.path and isinstance(value, dict):
        definition = definition_of(clash.kind, clash.uid, value)
        if definition is None:
            return [styled(line) for line in lines_of(clash.key, value)]
        body = dump_one(clash.kind, clash.key, definition).splitlines()[2:]
        return [styled(line.removeprefix("    ")) for line in body or ["{}"]]
    if isinstance(value, dict | list) or "\n" in str(value):
        return [styled(line) for line in lines_of(conflict.path, value)]
    return [styled("nothing", "quiet") if value == "" else styled(plain(value))]
