"""How much needs a person, counted while a screen is in front that does not show it. Seldom: that takes long where
much has failed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metadata.database import Database
    from metadata.settings import Settings

AFTER_CHANGE_SECONDS, AGAIN_SECONDS = 5.0, 60.0
"""Time between two counts when something has changed meanwhile, and when nothing has: data gets old by itself."""
MOST_KEPT = 9
"""Kept edits that are shown; the newest."""


@dataclass
class Needing:
    """When it was counted last, and the change that was the newest then."""

    at: float = -inf
    change: int = -1

    def due(self, change: int) -> bool:
        """Whether it is to be counted, which then is taken for done."""
        now = monotonic()
        if now - self.at < (AGAIN_SECONDS if change == self.change else AFTER_CHANGE_SECONDS):
            return False
        self.at, self.change = now, change
        return True


def needed(database: Database, settings: Settings) -> int:
    """How many things need a person, edits that were left among them."""
    from console import drafts
    from metadata.rows.attention import attention
    from metadata.values import utc_now

    with database.read() as connection:
        return len(attention(connection, utc_now())) + len(drafts.kept(settings)[:MOST_KEPT])
