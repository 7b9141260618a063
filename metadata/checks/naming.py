"""Names: references to nothing, kinds that do not fit, keys, lists that name one thing twice, and what was renamed."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from metadata.checks.view import View
from metadata.field_marks import ColumnOf
from metadata.findings import Finding, Path, Severity, brief, instead
from metadata.kinds import KEY, SECTIONS, Definition, FilesConnection, SqlConnection
from metadata.references import references
from metadata.secrets import redacted
from metadata.tasks.ingest import Ingest

K = TypeVar("K")


def check_references(view: View) -> Iterator[Finding]:
    """Every definition that is named is there."""
    for kind, key, definition in view.blueprint:
        for path, wanted, name in references(definition):
            if view.blueprint.get(wanted, name) is None:
                known = getattr(view.blueprint, SECTIONS[wanted])
                cause, remedy = f"there is no {wanted.replace('_', ' ')} {name}", instead(name, known)
                if (wanted, name) in view.removed:
                    cause, remedy = f"{cause} any more: your change set removes it", "name another, or keep it (P, d)"
                yield view.finding("PH110", (kind, key), steps_of(path, definition), cause, remedy)


def steps_of(path: str, value: Any) -> tuple[str, ...]:
    """A dotted path as steps; keys of the definition may hold dots themselves."""
    words, steps = path.split("."), list[str]()
    while words:
        length = 1
        if isinstance(value, Mapping):
            lengths = range(len(words), 0, -1)
            length = next((n for n in lengths if ".".join(words[:n]) in value), 1)
        step, words = ".".join(words[:length]), words[length:]
        fields = getattr(type(value), "model_fields", {})
        alias = fields[step].alias if step in fields else None
        steps.append(alias or step)
        value = value.get(step) if isinstance(value, Mapping) else getattr(value, step, None)
    return tuple(steps)


def check_connections(view: View) -> Iterator[Finding]:
    """Files come from a folder, tables from a database."""
    for task in view.of_kind("ingest"):
        if not isinstance(task.spec, Ingest):
            continue
        source = task.spec.source
        connection = view.blueprint.connections.get(source.connection)
        if source.files is not None and isinstance(connection, SqlConnection):
            cause = f"{source.connection} is a database, and files are read from a folder"
            yield view.of_task("PH111", task, ("from",), cause, "name a table, or a connection of kind files")
        if source.table is not None and isinstance(connection, FilesConnection):
            cause = f"{source.connection} is a folder, and a table is read from a database"
            yield view.of_task("PH111", task, ("from",), cause, "name files, or a connection of kind sql")


def check_renames(view: View) -> Iterator[Finding]:
    """No two definitions, and no two tasks, were the same one."""
    for kind, section in SECTIONS.items():
        entries: Mapping[str, Definition] = getattr(view.blueprint, section)
        for key, first, was in _repeats({key: value.was for key, value in entries.items()}):
            cause = f"it says that it was {was}, and so does {first}"
            yield view.finding("PH114", (kind, key), ("was",), cause, "keep one of them")
    tasks = {(task.pipeline, task.key): task.spec.was for task in view.tasks}
    for (pipeline, name), (home, first), _ in _repeats(
        {place: was if was is None or "/" in was else f"{place[0]}/{was}" for place, was in tasks.items()}
    ):
        other = first if home == pipeline else f"{first} of pipeline {home}"
        cause = f"it says that it was {tasks[pipeline, name]}, and so does {other}"
        yield view.finding("PH114", ("pipeline", pipeline), ("tasks", name, "was"), cause, "keep one of them")


def _repeats(formerly: Mapping[K, str | None]) -> Iterator[tuple[K, K, str]]:
    first: dict[str, K] = {}
    for key, was in formerly.items():
        if was is not None:
            if was in first:
                yield key, first[was], was
            first.setdefault(was, key)


def check_keys(view: View) -> Iterator[Finding]:
    """Keys of tasks are words, as all keys are."""
    for task in view.tasks:
        if not re.fullmatch(KEY, task.key):
            cause = f"{task.key!r} is no key"
            yield view.of_task("PH115", task, (), cause, "write lower-case letters, digits and _, joined by dots")


def check_columns(view: View) -> Iterator[Finding]:
    """Column names are not the system's own, and no two of a dataset are the same."""
    named = [("dataset", key, "columns", list(value.columns)) for key, value in view.blueprint.datasets.items()]
    named += [
        ("feature_set", key, "features", list(value.features)) for key, value in view.blueprint.feature_sets.items()
    ]
    for kind, key, field, columns in named:
        seen: dict[str, str] = {}
        for column in columns:
            where = (kind, key)
            if column.startswith("_"):
                cause = f"{column} begins with _, which is kept for the system"
                yield view.finding("PH125", where, (field, column), cause, "give it another name")
            elif not column.strip() or any(character in column for character in " ,;{}()\n\t=."):
                cause = f"{column!r} holds a character that no column name may hold"
                yield view.finding("PH125", where, (field, column), cause, "write letters, digits and _")
            if column.lower() in seen:
                cause = f"{column} is there twice (as {seen[column.lower()]}): case does not tell them apart"
                yield view.finding("PH125", where, (field, column), cause, "keep one of them")
            seen[column.lower()] = column


def check_lists(view: View) -> Iterator[Finding]:
    """Nothing stands twice in a list. It is an error among columns alone, where another one was meant."""
    for kind, key, definition in view.blueprint:
        for path, entries, of_columns in _lists(definition, ()):
            alike: dict[str, list[str]] = {}
            for entry in entries:
                alike.setdefault(entry.lower() if of_columns else entry, []).append(entry)
            for first, *others in alike.values():
                if others:
                    times = "twice" if len(others) == 1 else f"{len(others) + 1} times"
                    as_first = f" (as {_told(first)}): case does not tell them apart" if others[-1] != first else ""
                    cause = f"{_told(others[-1])} is there {times}{as_first}"
                    severity: Severity = "error" if of_columns else "warning"
                    yield view.finding(
                        "PH119", (kind, key), path, cause, "keep one of them, or write what was meant", severity
                    )


def _told(entry: str) -> str:
    """An entry of a list in a line: no secret, and of a long one the beginning."""
    line = " ".join(redacted(entry).split())
    return brief(line, line) or "an empty text"


def _lists(part: Any, path: Path) -> Iterator[tuple[Path, tuple[str, ...], bool]]:
    """Every list that a part holds, where it stands, and whether it is one of columns: their case means nothing.

    What is given to an estimator is its own.
    """
    if isinstance(part, BaseModel):
        for name, shown, of_columns in _fields(type(part)):
            value = getattr(part, name)
            if isinstance(value, tuple):
                yield (*path, shown), value, of_columns
            elif isinstance(value, BaseModel | dict):
                yield from _lists(value, (*path, shown))
    elif isinstance(part, dict):
        for name, value in part.items():
            yield from _lists(value, (*path, name))


@functools.cache
def _fields(model: type[BaseModel]) -> tuple[tuple[str, str, bool], ...]:
    """Name, name in documents, and whether it lists columns, of each field."""
    fields = model.model_fields
    notes = {name: [note for each in get_args(fields[name].annotation) for note in get_args(each)] for name in fields}
    return tuple(
        (name, field.alias or name, any(isinstance(note, ColumnOf) for note in notes[name]))
        for name, field in fields.items()
    )
