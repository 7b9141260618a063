"""Styles, parsed once each.

Textual parses every style of the app anew when a screen brings one of its own, and twice when a tab is opened first.
"""

from __future__ import annotations

from textual.cache import LRUCache
from textual.css.stylesheet import Stylesheet

MOST = 1_024
"""Sources whose rules are kept; each class of widgets is one, and each file."""


class Sheet(Stylesheet):
    """Keeps the rules of every source as long as the variables in them stay what they are."""

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        self._parse_cache = LRUCache(MOST)

    def set_variables(self, variables: dict[str, str]) -> None:
        """What was parsed with the same variables is good still."""
        if variables != self._variables:
            super().set_variables(variables)

    def reparse(self) -> None:
        """Parse what is new."""
        self.parse()
