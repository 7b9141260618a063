"""Rules that cannot be read in a definition that cannot be made: what is wrong with them is told beside the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from metadata.cel import Rule, RuleError
from metadata.findings import Finding, Path
from metadata.kinds import DecisionRule
from metadata.shapes import Scalar, Shape, below, definition_shape


def unread_rules(kind: str, key: str, body: Any) -> Iterator[Finding]:
    """PH170 for each of them, by the content of the definition."""
    from metadata.checks.rules import GUARD_INPUTS, RULE_INPUTS  # loads what parses SQL

    inputs = RULE_INPUTS if kind == DecisionRule.KIND else GUARD_INPUTS
    for path, text in _rules(definition_shape(kind), body, ()):
        try:
            Rule.compile(text, inputs)
        except RuleError as error:
            yield Finding("PH170", "error", kind, key, path, error.cause, error.remedy)


def _rules(shape: Shape, content: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(shape, Scalar):
        if shape.written is not None and shape.written.language == "cel" and isinstance(content, str):
            yield path, content
    elif isinstance(content, dict):
        for step in content:
            inner, value = below(shape, content, step)
            yield from _rules(inner, value, (*path, step))
