"""What a definition says: as JSON, as a hash, and whether two say the same. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from metadata.kinds import SECTIONS, Blueprint, Definition


def content(value: Definition) -> dict[str, Any]:
    """What a definition says as JSON: defaults, its own uid and `was` left out; the uids of tasks stay."""
    body: dict[str, Any] = value.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"uid", "was"})
    for task in body.get("tasks", {}).values() if value.KIND == "pipeline" else ():
        task.pop("was", None)
    return body


def definition_from(kind: str, key: str, body: Mapping[str, Any]) -> Definition | None:
    """The definition that says `body`; None where that does not fit together."""
    try:
        return Blueprint.model_validate({SECTIONS[kind]: {key: body}}).get(kind, key)
    except ValidationError:
        return None


def content_hash(value: Definition) -> str:
    """SHA-256 of what a definition says, in its own order of entries."""
    return hashlib.sha256(json_text([value.KIND, content(value)]).encode()).hexdigest()


def json_text(value: Any) -> str:
    """JSON without spaces, in the order of the value: the order of features and tasks means something."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1, 1.0 and true are three things, and the order of entries is one, too."""
    return one is other or json_text(one) == json_text(other)
