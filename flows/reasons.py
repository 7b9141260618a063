"""From what an engine says of its failures to what an operator reads: the one mechanism behind all tables of reasons.

Each engine has its table, beside the code that reads its errors: `spark_errors` (Spark, Delta), `registry_errors`
(MLflow and the models in it), `services.prefect_errors` (Prefect).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from metadata.errors import Fault, PilothouseError, ServiceDownError

CAUSE_CHARACTERS = 240


@dataclass(frozen=True)
class Reason:
    """One row of a table.

    `signs` are beginnings of the engine's own names for errors, in capitals (`CAST_INVALID_INPUT`), or phrases of its
    text; `cause` and `remedy` may name in braces what the engine says of this very failure.
    """

    code: str
    signs: tuple[str, ...]
    cause: str
    remedy: str


@dataclass(frozen=True)
class Said:
    """A failure as its engine tells it: its name for it, if it has one, its text, and what the text speaks of."""

    text: str
    condition: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def find(reasons: Iterable[Reason], said: Said) -> Reason | None:
    """The first row with a sign that fits, None when none does."""
    return next((reason for reason in reasons if any(_fits(sign, said) for sign in reason.signs)), None)


def tell(reason: Reason, said: Said, thing: str, detail: str) -> Fault:
    """The fault that a row makes of what was said; `thing` is what it happened to."""
    words = _Words(said.parameters)
    return Fault(
        code=reason.code,
        thing=thing,
        cause=one_line(reason.cause.format_map(words)),
        remedy=one_line(reason.remedy.format_map(words)),
        detail=detail,
    )


def as_error(fault: Fault, away: Collection[str]) -> PilothouseError:
    """The fault as an exception to raise; a `ServiceDownError` when its code is one of those of an engine `away`."""
    kind = ServiceDownError if fault.code in away else PilothouseError
    return kind(**fault.model_dump())


def one_line(text: str) -> str:
    """Text as the cause of a fault: one line, cut where it is too long to be read."""
    line = " ".join(text.split())
    return line if len(line) <= CAUSE_CHARACTERS else line[: CAUSE_CHARACTERS - 1] + "…"


class _Words(dict[str, str]):
    """Parameters without the quotes that engines put around names; what is missing is said vaguely."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        super().__init__({name: value.strip().strip('`"').replace("`", "") for name, value in parameters.items()})

    def __missing__(self, name: str) -> str:
        return "it asks for"


def _fits(sign: str, said: Said) -> bool:
    """A sign in capitals is a condition, to be met at its beginning or as `[CONDITION` in the text of a cause."""
    if sign.replace("_", "").isupper():
        return said.condition.startswith(sign) or f"[{sign}" in said.text
    return sign in said.text
