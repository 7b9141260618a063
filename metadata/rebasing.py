"""A text that was edited while others applied: what they changed of the same definition is merged into it. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from metadata.definitions import same
from metadata.kinds import SECTIONS, Blueprint, Definition
from metadata.three_way import Conflict, merge

Clashes = dict[tuple[str, str], list[Conflict]]


def rebased(opened: Blueprint, document: Blueprint, now: Blueprint) -> tuple[Blueprint, Clashes]:
    """The `document` that began as `opened`, on what is there `now`; all three as texts say them, without uids.

    Of each definition that others changed (kind, key): the fields that both changed, differently; those of the document
    stand. A merge that makes no definition leaves the document's, and is a clash of the whole.
    """
    merged, clashes = document, Clashes()
    for kind, key, value in document:
        first = value.was or key
        began, there = opened.get(kind, first), now.get(kind, first)
        if began is None or there is None or same(_body(began), _body(there)):
            continue
        body, conflicts = merge(_body(began), _body(value), _body(there))
        both = _definition(kind, key, body)
        if both is None:
            both, conflicts = value, [Conflict("", _body(began), _body(value), _body(there))]
        section = {**getattr(merged, SECTIONS[kind]), key: both}
        merged = merged.model_copy(update={SECTIONS[kind]: section})
        clashes[kind, key] = conflicts
    return merged, clashes


def _body(value: Definition) -> dict[str, Any]:
    body: dict[str, Any] = value.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"uid"})
    return body


def _definition(kind: str, key: str, body: dict[str, Any]) -> Definition | None:
    try:
        return Blueprint.model_validate({SECTIONS[kind]: {key: body}}).get(kind, key)
    except ValidationError:
        return None
