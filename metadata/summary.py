"""What a definition says in a few words, and all words by which it is found. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from metadata.kinds import Dataset, DecisionRule, Definition, FeatureSet, Model, Monitor, Pipeline, Schedule
from metadata.states import OFF
from metadata.values import counted

LONGEST_WORD = 64
LONGEST_FIELD = 64
_WORD = re.compile(r"[^\W_]+")
SQL_WORDS = frozenset({"and", "as", "by", "from", "in", "is", "join", "not", "null", "on", "or", "select", "where"})
"""Words of SQL that tell nothing of what it is about: by them nothing is found."""
_IDENTITY = ("uid", "was")
_FIRST = ("owner", "tags", "description")
"""Fields that count before the others where a word stands in several."""


def about(value: Definition) -> str:
    """What is particular to its kind: `silver merge`, `3 tasks`, the metric of a model; and that it is off."""
    said = _about(value)
    return said if value.enabled else f"{said} {OFF}".lstrip()


def _about(value: Definition) -> str:
    match value:
        case Dataset():
            return " ".join(word for word in (value.layer, value.storage.mode) if word)
        case FeatureSet():
            return counted(len(value.features), "feature")
        case Model():
            return value.metric
        case Monitor():
            return value.model
        case DecisionRule():
            return value.after
        case Pipeline():
            return counted(len(value.tasks), "task")
        case Schedule():
            return value.cron
    return str(getattr(value, "kind", ""))


def text(key: str, value: Definition) -> str:
    """What the words of a filter look into, in lower case: a line each of key, description, owner and `about`."""
    return "\n".join((key, value.description, value.owner, about(value))).lower()


def holds(value: Definition) -> list[str]:
    """Names of the columns of a dataset, and kinds of the tasks of a pipeline."""
    match value:
        case Dataset():
            return list(value.columns)
        case Pipeline():
            return sorted({task.kind for task in value.tasks.values()})
    return []


def words_in(text_: str) -> list[str]:
    """The words of a text in lower case, each once; names are taken apart at dots and underscores."""
    return list(dict.fromkeys(word[:LONGEST_WORD] for word in _WORD.findall(text_.lower())))


def words(key: str, value: Definition) -> dict[str, str]:
    """Every word of a definition with the field in which it stands first: `key`, `owner`, `tasks.clean.sql`."""
    found = dict.fromkeys(words_in(key), "key")
    for path, said in sorted(_texts("", value), key=lambda each: each[0] not in _FIRST):
        for word in words_in(said):
            if len(word) > 1 and word not in SQL_WORDS:
                found.setdefault(word, path[:LONGEST_FIELD])
    return found


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """What people have written into a definition, names included, each with the path at which it stands."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            each = getattr(value, name)
            if name not in _IDENTITY and each != field.default:
                yield from _texts(f"{path}.{name}" if path else name, each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield path, str(name)
            yield from _texts(f"{path}.{name}", each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _texts(path, each)
    elif isinstance(value, str):
        yield path, value
