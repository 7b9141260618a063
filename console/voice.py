"""What a screen says below its rows: in passing on the lower rule, or in full above it until it is over or read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic

from textual.content import Content
from textual.screen import Screen

from console import mending
from console.text import shorten, styled
from console.widgets.chrome import Rule
from console.widgets.notice import Notice
from metadata.errors import Fault

FLASH_SECONDS = 6.0
"""Time that words in passing stay, and that a fault stays at least."""
RULE_CELLS = 6
"""Cells of a rule that its words cannot use."""
WORDS = "words"
"""What the notice is about when it is no job."""


@dataclass(frozen=True)
class _Told:
    """A fault with the keys that mend it; one told `again` is of what holds, any other of something that was done."""

    fault: Fault
    keys: str
    again: bool
    at: float

    @property
    def of_a_deed(self) -> bool:
        """Whether the next deed makes it old; what is away is away whatever is done."""
        return not self.again and self.fault.code not in mending.AWAY


class Voice:
    """The lower rule and the notice of one screen."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self._flash = 0
        self._waits = False
        """Whether the rule says what is under way."""
        self._words: Content | None = None
        self._told: dict[str, _Told] = {}
        """Faults that hold, by their jobs; the one that came last is shown."""
        self._closed: dict[str, Fault] = {}
        """Faults that hold and were closed."""
        self._waiting: dict[str, tuple[Fault, str, bool]] = {}
        """Faults met while something is typed, by their jobs, each with its key, and whether it was told `again`."""

    @property
    def about(self) -> str:
        """The job whose fault is told, or `WORDS`; empty when nothing is."""
        return WORDS if self._words is not None else next(reversed(self._told), "")

    def say(self, words: Content | str, tone: str = "") -> None:
        """Say something for some seconds; what is too long for the rule stays above it until a key is used.

        What was said before is over.
        """
        content = words if isinstance(words, Content) else styled(words, tone)
        too_long = content.cell_length > self._room
        self._waits = False
        self._pass(Content("") if too_long else content)
        if too_long or self._words is not None:
            self._words = content if too_long else None
            self._draw()

    def under_way(self, words: str) -> None:
        """Say on the rule what is under way, as far as there is room, or nothing; what stands above it stays."""
        if words or self._waits:
            self._waits = bool(words)
            self._pass(styled(shorten(words, self._room), "quiet"))

    def _pass(self, content: Content) -> None:
        self._flash += 1
        flash, rule = self._flash, self._rule
        rule.say(content)
        self._screen.set_timer(FLASH_SECONDS, lambda: rule.say() if flash == self._flash else None)

    def tell(
        self, fault: Fault, job: str, labels: Mapping[str, str], typing: bool, key: str = "", *, again: bool = False
    ) -> None:
        """Tell a fault in its four parts, with those keys of `labels` that mend it, until `job` is well again.

        `key` is the one that has the job done once more.
        While something is typed below it waits: the next letter may mend it. One that is told `again`, because it
        holds, stays closed once it was, and where it stands below one that came later.
        """
        if typing:
            self._waiting[job] = fault, key, again
            return
        if again and self._closed.get(job) == fault:
            return
        keys = mending.keys_for(fault, labels, key)
        before = self._told.get(job) if again else self._told.pop(job, None)
        if before is None or (before.fault, before.keys) != (fault, keys):
            self._words = None
        self._told[job] = _Told(fault, keys, again, monotonic())
        self._draw()

    def typed(self, labels: Mapping[str, str]) -> None:
        """Nothing is typed any more: what waited is told."""
        waiting, self._waiting = self._waiting, {}
        for job, (fault, key, again) in waiting.items():
            self.tell(fault, job, labels, False, key, again=again)

    def well(self, *jobs: str) -> None:
        """Jobs are well: their faults are over."""
        for job in jobs:
            self._waiting.pop(job, None)
            self._closed.pop(job, None)
            if self._told.pop(job, None):
                self._draw()

    def begin(self) -> None:
        """Something new is done: what went wrong with what was done before is old."""
        self._end(lambda told: told.of_a_deed)

    def caught_up(self) -> None:
        """What is shown was read anew: that it was overtaken holds no longer, once there was time to read it."""
        before = monotonic() - FLASH_SECONDS
        self._end(lambda told: told.fault.code == mending.OVERTAKEN and told.at < before)

    def _end(self, over: Callable[[_Told], bool]) -> None:
        jobs = [job for job, told in self._told.items() if over(told)]
        if jobs:
            self.well(*jobs)

    def hush(self) -> None:
        """What is shown was read; below it may be another fault that holds."""
        if self._words is None and self._told:
            shown = self._told[self.about].fault
            for job in [job for job, told in self._told.items() if told.fault == shown]:
                self._closed[job] = self._told.pop(job).fault
        self._words = None
        self._draw()

    def _draw(self) -> None:
        told = self._told.get(self.about)
        if self._words is not None or told is None:
            self._notice.show(self._words)
        else:
            self._notice.show(told.fault, told.keys)

    @property
    def _room(self) -> int:
        return self._screen.size.width - RULE_CELLS

    @property
    def _rule(self) -> Rule:
        return self._screen.query_one("#said", Rule)

    @property
    def _notice(self) -> Notice:
        return self._screen.query_one("#notice", Notice)
