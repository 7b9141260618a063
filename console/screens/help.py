"""`?`: the keys of a screen, and why one is off."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from console.screens.modal import Modal
from console.text import SIGNS, joined, styled
from console.widgets.lines import Lines

EVERYWHERE = (
    ("1 … 6", "Overview, Runs, Blueprint, Lineage, Models, Decisions"),
    ("j k g G", "move; pgup and pgdn by a screenful"),
    ("enter esc", "in, and back out with the cursor where it was"),
    (":services", "the services of this home, and what is wrong with one"),
    ("ctrl+p", "palette: every action and everything by name"),
)


class HelpScreen(Modal[None]):
    """The keys, one a line."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "close")]

    def __init__(self, where: Content | str, lines: list[tuple[str, str, str]]) -> None:
        super().__init__()
        self._where = where if isinstance(where, Content) else styled(where)
        self._keys = lines

    def compose(self) -> ComposeResult:
        """One text, that scrolls."""
        with Vertical(id="help"):
            yield Lines(id="keys")

    def on_mount(self) -> None:
        """Show it."""
        lines = self.query_one(Lines)
        lines.show(self._rows())
        lines.focus()

    def _rows(self) -> list[Content]:
        """Keys at the left, signs below."""
        rows = [joined(("Keys  ", "strong"), self._where), Content("")]
        for keys, what, off in self._keys:
            tone = "quiet" if off else ""
            rows.append(
                joined(
                    (f"{keys:>10}  ", "quiet" if off else "key"), (what, tone), (f"  ({off})" if off else "", "warn")
                )
            )
        rows += [Content(""), styled("Everywhere", "strong")]
        rows += [joined((f"{keys:>10}  ", "key"), what) for keys, what in EVERYWHERE]
        rows += [Content(""), styled("Signs", "strong")]
        signs = list({sign.word: sign for sign in SIGNS.values()}.values())
        for at in range(0, len(signs), 3):
            cells = [joined((f"{sign} {sign.word}".ljust(23), sign.tone)) for sign in signs[at : at + 3]]
            rows.append(Content("  ").join(cells))
        return rows
