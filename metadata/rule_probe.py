"""Whether a rule can decide at all: it is asked of made-up inputs of the kinds that it will be given."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from metadata.cel import Path, Rule
from metadata.parts import Parameter

_TEXTS = ("2026-01-01", "1")
"""What a text may be, where a rule makes something else of it."""
_UNKNOWN = tuple(f"other{number}" for number in range(10))
"""Names in a map, where any may be."""

Figures = Iterator[float]
"""Figures to fill inputs with, without end."""


def never_decides(rule: Rule, inputs: Callable[[Figures, str], Mapping[str, Any]]) -> str | None:
    """Why a rule is undecided whatever it is given, as where it compares a number with a text; None where it is not.

    `inputs` makes what a run would give it of figures and a text.
    """
    reason = None
    for figures, text in itertools.product(_figures(), _TEXTS):
        verdict = rule.evaluate(inputs(figures, text))
        if verdict.answer != "undecided":
            return None
        reason = reason or verdict.reason
    return reason


def by_name(rule: Rule, place: Path, known: Iterable[str] | None, figures: Figures) -> dict[str, float]:
    """The figures of a map: of the names that are `known` there (None: any), and of those that the rule asks for."""
    depth = len(place)
    asked = (path[depth] for path in rule.paths if path[:depth] == place and len(path) > depth)
    return dict(zip(dict.fromkeys([*(_UNKNOWN if known is None else known), *asked]), figures, strict=False))


def parameter(of: Parameter, figures: Figures, text: str) -> Any:
    """A value of a parameter as guards see it."""
    if of.type in ("int", "double"):
        return next(figures)
    return next(figures) > 0 if of.type == "boolean" else text


def _figures() -> Iterator[Figures]:
    yield from (itertools.repeat(each) for each in (0.5, 0.0, 1.0, -1.0))
    yield from (itertools.count(*start_and_step) for start_and_step in ((1.0, 1.0), (0.01, 0.13), (900.0, -77.7)))
