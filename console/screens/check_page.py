"""The page of a check above the finding that led to it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from console.screens.modal import Modal
from console.text import joined, styled
from console.widgets.lines import Lines
from metadata.checks.catalogue import EXAMPLE, Page

_TONES = {"-": "bad", "+": "good"}


class CheckPage(Modal[None]):
    """What a check means, what would happen, how it is mended, and an example."""

    CSS_PATH = "check_page.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", "close")]

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page

    def compose(self) -> ComposeResult:
        """One text, that scrolls."""
        yield Lines(id="page")

    def on_mount(self) -> None:
        """Show it."""
        lines = self.query_one(Lines)
        lines.show(page_lines(self._page))
        lines.focus()


def page_lines(page: Page) -> list[Content]:
    """The page, with the way back beside its title."""
    lines = [joined((f"{page.code} ", "accent"), (page.title, "strong"), "   ", ("esc", "key"), " back")]
    for head, text in page.sections:
        lines += [Content(""), *([styled(head, "strong")] if head else []), styled(text)]
    lines += [Content(""), styled(EXAMPLE, "strong")]
    return lines + [styled(line, _TONES.get(line[0], "")) for line in page.example]
