"""Values as people write them: instants, durations ("30 d", "3 months") and shares ("5 %")."""

from __future__ import annotations

import calendar
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

T = TypeVar("T")

_UNITS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "week": 604_800}
_SPELLED = {"sec": "s", "second": "s", "minute": "min", "m": "min", "hour": "h", "day": "d", "w": "week"}
AT_ONCE = 500
"""Values of one statement: the parameters that it may have are limited (2,100 in Azure SQL)."""
_LONGEST = 36_500
"""Days."""
DURATION = "a number and s, min, h, d, weeks, months or years, as in '30 d'"
"""What a duration looks like, for people who wrote something else."""
_DURATION = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]+?)s?\s*$", re.IGNORECASE)


def storable(text: str) -> str:
    """`text` as every database takes it: NUL and what is no character (half a surrogate pair) are replaced."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun, in the right form."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def short(text: str, word: int = 256, most: int = 1_000) -> str:
    """`text` without what is too long to be told, such as a value that it repeats: of a word, and of all of it."""
    words = re.sub(rf"(\S{{{word}}})\S{{4,}}", r"\1…", text)
    return words if len(words) <= most else f"{words[: most * 2 // 3]} … {words[-most // 3 :]}"


def some(names: Collection[str], most: int = 3) -> str:
    """The first of some names, and how many more there are: `a, b, c and 9 more`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(list(names)[:most]) + more


def local(instant: datetime) -> str:
    """An absolute time with its zone, in the zone of this machine; as it is where that zone has no such day."""
    with suppress(OverflowError):
        instant = instant.astimezone()
    return instant.strftime("%Y-%m-%d %H:%M:%S %Z")


@dataclass(frozen=True)
class Period:
    """A length of time: calendar months plus a fixed span."""

    months: int
    span: timedelta

    def before(self, instant: datetime) -> datetime:
        """The instant this long before `instant`; a day that the month lacks becomes its last day."""
        total = instant.year * 12 + instant.month - 1 - self.months
        year, month = divmod(total, 12)
        day = min(instant.day, calendar.monthrange(year, month + 1)[1])
        return instant.replace(year=year, month=month + 1, day=day) - self.span

    def after(self, instant: datetime) -> datetime:
        """The instant this long after `instant`."""
        return Period(-self.months, -self.span).before(instant)


def period(text: str) -> Period:
    """Read a duration such as `90 s`, `2 h`, `30 d`, `3 months` or `1 year`. Raises ValueError: what is expected."""
    match = _DURATION.match(text)
    if match:
        number, unit = float(match[1]), match[2].lower()
        if unit in ("month", "mo", "year", "y"):
            months = number * (12 if unit.startswith("y") else 1)
            if months == int(months) and months <= _LONGEST / 30:
                return Period(int(months), timedelta())
        else:
            seconds = number * _UNITS.get(_SPELLED.get(unit, unit), float("inf"))
            if seconds <= _LONGEST * 86_400:
                return Period(0, timedelta(seconds=seconds))
    raise ValueError(f"{text!r} is no duration: write {DURATION}")


def seconds_from_now(duration: str) -> float:
    """How many seconds a duration takes that begins now: a month is as long as the one that comes."""
    now = utc_now()
    return (period(duration).after(now) - now).total_seconds()


def _duration_text(value: object) -> object:
    if not isinstance(value, str):
        raise PydanticCustomError("duration_type", "a duration is a text")
    return value


def _duration(text: str) -> str:
    period(text)
    return " ".join(text.split())


def _share(value: object) -> object:
    if isinstance(value, str):
        text = value.strip()
        try:
            number = float(text.rstrip("% ").encode("ascii")) / (100 if text.endswith("%") else 1)
        except ValueError:
            raise ValueError(f"{value!r} is no share: write '5 %' or 0.05") from None
        value = number
    if isinstance(value, int | float) and not 0 <= value <= 1:
        raise ValueError(f"a share lies between 0 % and 100 %, not at {value * 100:g} %")
    return value


def _share_text(value: float) -> str:
    """As a percentage where that reads back as the same number, else as the number."""
    text = f"{value * 100:.10g}"
    return f"{text} %" if float(text) / 100 == value else repr(value)


Duration = Annotated[
    str,
    BeforeValidator(_duration_text),
    AfterValidator(_duration),
    WithJsonSchema({"type": "string", "title": "length of time", "examples": ["30 d", "3 months"]}),
]
"""A duration as text, checked; `period()` gives its length."""

Share = Annotated[
    float,
    BeforeValidator(_share),
    PlainSerializer(_share_text, return_type=str),
    WithJsonSchema({"type": ["string", "number"], "title": "share", "examples": ["5 %", 0.05]}),
]
"""A share between 0 and 1, written as `5 %`."""


def utc_now() -> datetime:
    """The wall clock, aware, in UTC."""
    return datetime.now(UTC)


def in_chunks(values: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """The values in their order, at most `size` at once: what one statement can be given."""
    return (values[start : start + size] for start in range(0, len(values), size))
