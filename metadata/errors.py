"""What an operator reads when something is wrong: a code, the thing, one line of cause, what to do next."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from metadata.secrets import redacted
from metadata.values import storable

Text = Annotated[str, AfterValidator(storable), AfterValidator(redacted)]
"""Text of whatever origin, as it can be kept in a row and shown: without a secret."""


class Fault(BaseModel):
    """One failure in its four parts, plus detail (a stack trace, an engine's text) that is one key away.

    `code` is `PHnnn`; `thing` names what it happened to ("dataset silver.flights"); `cause` is one line of plain
    words; `remedy` says what to do next, naming the key or command that does it.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    thing: Text
    cause: Text
    remedy: Text
    detail: Text = ""

    def __str__(self) -> str:
        return f"{self.code} {self.thing}: {self.cause}. {self.remedy}"


class PilothouseError(Exception):
    """Any failure that Pilothouse itself explains. Carries a `Fault`; nothing else is ever shown to an operator."""

    def __init__(self, code: str, thing: str, cause: str, remedy: str, detail: str = "") -> None:
        self.fault = Fault(code=code, thing=thing, cause=cause, remedy=remedy, detail=detail)
        super().__init__(str(self.fault))

    def __reduce__(self) -> tuple[type[PilothouseError], tuple[str, str, str, str, str]]:
        fault = self.fault
        return PilothouseError, (fault.code, fault.thing, fault.cause, fault.remedy, fault.detail)


class ServiceDownError(PilothouseError):
    """A service that is needed cannot be reached: the command line exits with 4."""


class UsageError(PilothouseError):
    """The call itself is wrong (unknown key, wrong value): the command line exits with 2."""
