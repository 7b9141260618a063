"""What is said in full below the rows: a fault in its four parts, or words that are too long for one line."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from console.text import fault_content, twinned
from metadata.errors import Fault


class Notice(Widget):
    """As high as its words need at the width there is, and as there is room; not there when nothing is to be said."""

    DEFAULT_CSS = """
    Notice {
        height: auto; max-height: 60%; width: 100%; padding: 0 1; border-top: solid $rule;
        background: $background; color: $foreground; display: none;
    }
    """
    NARROWEST: ClassVar[int] = 20

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._said: Content | Fault | None = None
        self._keys = ""

    def show(self, said: Content | Fault | None, keys: str = "") -> None:
        """Say something else, with the `keys` that mend it; None takes the widget away."""
        if (said, keys) == (self._said, self._keys):
            return
        self._said, self._keys = said, keys
        self.display = said is not None
        self.refresh(layout=True)

    @property
    def told(self) -> str:
        """What stands here as plain text, unwrapped."""
        return self._content(0).plain

    def render(self) -> Content:
        """The words at the present width, as many as there is room for."""
        return self._content(self.size.width, self.size.height)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Lines at that width."""
        return len(self._content(width).wrap(max(width, self.NARROWEST)))

    def _content(self, width: int, height: int = 0) -> Content:
        if isinstance(self._said, Fault):
            return twinned(fault_content(self._said, self._keys, width, height))
        return twinned(self._said or Content(""))
