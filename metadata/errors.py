"""What an operator reads when something is wrong: a code, the thing, one line of cause, what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from metadata.secrets import redacted
from metadata.values import short, storable

Text = Annotated[str, AfterValidator(storable), AfterValidator(redacted)]
"""Text of whatever origin, as it can be kept in a row and shown: without a secret."""
Line = Annotated[Text, AfterValidator(short)]
"""The same as one line that people read: a long value that it repeats is cut."""

_NAMED = re.compile(r"\(([A-Za-z])\)|\bpress ([A-Za-z])\b")


class Fault(BaseModel):
    """One failure in its four parts, plus detail (a stack trace, an engine's text) that is one key away.

    `code` is `PHnnn`; `thing` names what it happened to ("dataset silver.flights"); `cause` is one line of plain
    words; `remedy` says what to do next, naming the key or command that does it.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    thing: Line
    cause: Line
    remedy: Line
    detail: Text = ""

    @property
    def keys(self) -> list[str]:
        """Keys of the console that its remedy names, in their order."""
        return [first or second for first, second in _NAMED.findall(self.remedy)]

    @property
    def by_editing(self) -> bool:
        """Whether a definition is to be mended before all else: another run of the same plan may well meet it again."""
        return "e" in self.keys and "r" not in self.keys

    def __str__(self) -> str:
        return f"{self.code} {self.thing}: {self.cause}. {self.remedy}"


class PilothouseError(Exception):
    """Any failure that Pilothouse itself explains. Carries a `Fault`; nothing else is ever shown to an operator."""

    def __init__(self, code: str, thing: str, cause: str, remedy: str, detail: str = "") -> None:
        self.fault = Fault(code=code, thing=thing, cause=cause, remedy=remedy, detail=detail)
        super().__init__(str(self.fault))

    @property
    def errors(self) -> tuple[PilothouseError, ...]:
        """Itself; of several failures, each of them."""
        return (self,)

    def __reduce__(self) -> tuple[type[PilothouseError], tuple[str, str, str, str, str]]:
        fault = self.fault
        return PilothouseError, (fault.code, fault.thing, fault.cause, fault.remedy, fault.detail)


class ServiceDownError(PilothouseError):
    """A service that is needed cannot be reached: the command line exits with 4."""


class UsageError(PilothouseError):
    """The call itself is wrong (unknown key, wrong value): the command line exits with 2."""


MOST = 20
"""More failures than that nobody reads at once."""


class SeveralError(PilothouseError):
    """Failures that have nothing to do with each other: the first of them, with the others as detail."""

    def __init__(self, errors: Sequence[PilothouseError]) -> None:
        self._errors = tuple(errors)
        first, more = errors[0].fault, len(errors) - 1
        detail = "\n".join([*map(str, errors[:MOST]), *([f"and {more + 1 - MOST:,} more"] if more >= MOST else [])])
        super().__init__(first.code, first.thing, f"{first.cause} (and {more:,} more)", first.remedy, detail)

    @property
    def errors(self) -> tuple[PilothouseError, ...]:
        """Each of them."""
        return self._errors


class Faults:
    """Failures while they are gathered, the first of each thing."""

    def __init__(self) -> None:
        self._found: dict[str, PilothouseError] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, error: PilothouseError) -> None:
        """Take down what failed."""
        for each in error.errors:
            self._found.setdefault(each.fault.thing, each)

    def take(self, others: Faults) -> None:
        """Take down what others have gathered."""
        for each in others._found.values():
            self.add(each)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Take down what is raised meanwhile, and go on after it."""
        try:
            yield
        except PilothouseError as error:
            self.add(error)

    def tell(self) -> None:
        """Raise what was taken down, if anything was."""
        errors = list(self._found.values())
        if errors:
            raise SeveralError(errors) if len(errors) > 1 else errors[0]
