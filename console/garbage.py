"""When garbage is collected: while nobody types, for a full collection holds up all threads for 20 to 70 ms."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

QUIET_SECONDS = 0.3
"""Time since the last key after which a collection is in nobody's way."""
YOUNG, MIDDLE = 700, 10
"""New objects after which the young are gone through, and times of that after which the middle generation is."""
ENOUGH = 10
"""Collections of the middle generation, of some 7,000 objects each, after which a full one is worth its while."""
MOST = 200
"""Collections of the middle generation after which a full one waits for no pause."""


class Collector:
    """Collects in pauses where the process is for the console `alone`; in another it leaves all as it is."""

    def __init__(self, quiet_for: Callable[[], float], *, alone: bool) -> None:
        """`quiet_for`: seconds since the last key."""
        if alone:
            gc.set_threshold(YOUNG, MIDDLE, MOST)
        self._quiet_for, self._alone = quiet_for, alone
        self._settles = self._waits = False

    def loaded(self) -> None:
        """All is loaded that stays for good: it is gone through once more, and never again."""
        self._settles = True

    def look(self) -> None:
        """Collect in the next pause if there is enough. To be called now and then, within the event loop."""
        due = gc.get_count()[2] >= ENOUGH or self._settles
        if due and self._alone and not self._waits:
            self._waits = True
            self._collect()

    def _collect(self) -> None:
        left = QUIET_SECONDS - self._quiet_for()
        if left > 0:
            asyncio.get_running_loop().call_later(left, self._collect)
            return
        self._waits = False
        gc.collect()
        if self._settles:
            gc.freeze()
            gc.collect()  # else it counts on what it goes through no more
            self._settles = False
