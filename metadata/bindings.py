"""Bindings: the values of a run's parameters, resolved once when it starts."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from metadata.errors import UsageError
from metadata.parts import Parameter

Value = str | int | float | bool
FIRST_YEAR, LAST_YEAR = 1900, 2200
"""What a run can speak for."""


def bind(pipeline: str, parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Value]:
    """Given values over defaults, each of its declared type; dates and timestamps as ISO text.

    Raises UsageError PH509 for a name that the pipeline does not have, a missing value, or one of the wrong type.
    """
    for name in given:
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, 1)
            has = f"did you mean {near[0]}?" if near else f"it has {', '.join(parameters) or 'none'}"
            raise _wrong(pipeline, f"it has no parameter {name}", has)
    bound: dict[str, Value] = {}
    for name, parameter in parameters.items():
        value = given.get(name, parameter.default)
        if value is None or (value == "" and parameter.type != "string"):
            raise _wrong(pipeline, f"parameter {name} has no value", f"give one, as in {name}=…")
        try:
            bound[name] = _READ[parameter.type](value)
        except (ValueError, OverflowError):
            raise _wrong(
                pipeline, f"parameter {name} is to be a {parameter.type}, not {value!r}", "give another value"
            ) from None
        if any(unicodedata.category(letter) == "Cc" for letter in str(bound[name])):
            raise _wrong(pipeline, f"parameter {name} has a control character", "give the value without it")
    return bound


def instant(text: str) -> datetime:
    """An aware instant from ISO text; without an offset it is UTC.

    Raises UsageError PH510 for what is none, or lies so far away that zones and databases could not hold it.
    """
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "PH510", "as_of", f"{text!r} is no instant", "write it as 2013-02-02T06:00:00-05:00, or as a date"
        ) from None
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise UsageError(
            "PH510", "as_of", f"{text!r} is not between the years {FIRST_YEAR} and {LAST_YEAR}", "correct the year"
        )
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _wrong(pipeline: str, cause: str, remedy: str) -> UsageError:
    return UsageError("PH509", f"pipeline {pipeline}", cause, remedy)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("true", "yes", "1"):
        return True
    if word in ("false", "no", "0"):
        return False
    raise ValueError(word)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
        raise ValueError(value)
    whole = int(value)
    if not -(2**63) <= whole < 2**63:
        raise OverflowError(value)
    return whole


_READ: dict[str, Callable[[Any], Value]] = {
    "string": str,
    "int": _whole,
    "double": float,
    "boolean": _boolean,
    "date": lambda value: date.fromisoformat(str(value)).isoformat(),
    "timestamp": lambda value: datetime.fromisoformat(str(value)).isoformat(),
}
