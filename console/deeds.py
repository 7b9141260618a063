"""What the user had done, until it is answered: no answer is lost, and none takes a screen that is not in front.

An answer goes to the screen that asked, also when that was closed. When it is not in front, what became of it is said
on the one that is; what would open something waits until the screen that asked is seen again, and nothing is typed in
its line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, ClassVar, Protocol

from textual.message import Message

from console.store import Answered
from metadata.errors import Fault


class Asker(Protocol):
    """A screen that has something done."""

    KEPT: ClassVar[frozenset[str]]
    """Jobs whose answer waits until the screen is in front and has the keys, for it opens or closes something."""

    def done(self, answer: Answered) -> None:
        """Take an answer. Called on the event loop, at once: what was in front still is."""

    def closed_with(self, answer: Answered) -> None:
        """Take an answer that came when this was closed: nothing is shown of it here any more."""


@dataclass(frozen=True, eq=False)
class Deed:
    """Something to be done: who asked, the job by name, and what it is for whoever looks elsewhere."""

    asker: Asker
    job: str
    what: str
    begun: float = field(default_factory=monotonic)


class Done(Message, bubble=False):
    """A deed was done, or met a fault; posted to the app."""

    def __init__(self, deed: Deed, value: Any, fault: Fault | None) -> None:
        super().__init__()
        self.deed, self.answer = deed, Answered(deed.job, value, fault)


class Deeds:
    """Deeds that are not answered, and answers that wait for their screen."""

    def __init__(
        self, in_front: Callable[[Asker], bool], is_open: Callable[[Asker], bool], types: Callable[[Asker], bool]
    ) -> None:
        """`types`: whether something is typed in the line of a screen; what opened there would take the next letter."""
        self._in_front, self._is_open, self._types = in_front, is_open, types
        self._under_way: list[Deed] = []
        self._kept: list[Done] = []
        self._dropped: list[Deed] = []

    @property
    def under_way(self) -> list[str]:
        """What is not done yet, in words."""
        return [deed.what for deed in self._under_way if deed not in self._dropped]

    def prepares(self, asker: Asker) -> bool:
        """Whether something is under way that opens something on that screen."""
        return bool(self._preparing(asker))

    def holds(self, asker: object) -> bool:
        """Whether something is under way that opens something on that screen, or waits until that is seen."""
        return bool(self._preparing(asker)) or any(one.deed.asker is asker for one in self._kept)

    def oldest(self, asker: Asker) -> Deed | None:
        """What that screen has waited for longest."""
        return next((deed for deed in self._under_way if deed.asker is asker and deed not in self._dropped), None)

    def _preparing(self, asker: object) -> list[Deed]:
        asked = (deed for deed in self._under_way if deed.asker is asker and deed.job in deed.asker.KEPT)
        return [deed for deed in asked if deed not in self._dropped]

    def drop(self, asker: Asker) -> list[str]:
        """Open nothing of what is under way; gives the jobs whose answers are not wanted any more."""
        dropped = self._preparing(asker)
        self._dropped += dropped
        return [deed.job for deed in dropped]

    def begin(self, deed: Deed) -> None:
        """It was asked for."""
        self._under_way.append(deed)

    def end(self, done: Done) -> Fault | str | None:
        """It was answered. Gives what is to be said on the screen in front when that is another one."""
        deed, answer = done.deed, done.answer
        self._under_way.remove(deed)
        if deed in self._dropped:
            self._dropped.remove(deed)
            return None
        if self._in_front(deed.asker):
            if deed.job in deed.asker.KEPT and self._types(deed.asker):
                self._kept.append(done)
            else:
                deed.asker.done(answer)
            return None
        if self._is_open(deed.asker):
            if deed.job in deed.asker.KEPT:
                self._kept.append(done)
            else:
                deed.asker.done(answer)
        else:
            deed.asker.closed_with(answer)
        return answer.fault or f"done: {deed.what}"

    def seen(self, asker: Asker) -> None:
        """A screen is in front again, or nothing is typed there any more: it gets what waits for it."""
        waiting = [one for one in self._kept if one.deed.asker is asker]
        self._kept = [one for one in self._kept if one.deed.asker is not asker]
        for one in waiting:
            if self._in_front(asker) and not self._types(asker):
                asker.done(one.answer)
            else:
                self._kept.append(one)
