"""What guards (CEL) and `after` name: decisions and tasks. A name is rewritten where it stands, nothing beside it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel

from metadata.cel import MACROS, WORDS
from metadata.colouring import Word, words
from metadata.tasks import TaskSpec

P = TypeVar("P", bound=BaseModel)
T = TypeVar("T", bound=TaskSpec)
Root = Literal["decisions", "tasks"]
"""What guards see under names that people give."""
Renamed = Callable[[Root, str], str]
"""Takes a name in a guard; gives the one that it has now."""


class _Named(NamedTuple):
    """A name within `decisions` or `tasks`, and how it is written at `text[start:end]`: `.name`, or a string."""

    start: int
    end: int
    root: Root
    name: str
    dotted: bool


def with_new_names(part: P, keys: Mapping[tuple[str, str], str]) -> P:
    """A task, or each of a pipeline, in which `when` and `after` name decisions, and tasks that are made for a model,
    by their new keys: `keys` by (kind, old key). Anything else is as it was.
    """

    def renamed(root: Root, name: str) -> str:
        if root == "decisions":
            return keys.get(("decision", name), name)
        verb, _, model = name.partition(" ")
        return f"{verb} {keys.get(('model', model), model)}" if model else name

    if isinstance(part, TaskSpec):
        return _of_task(part, renamed)
    tasks = getattr(part, "tasks", None)
    if not isinstance(tasks, dict):
        return part
    changed = {key: _of_task(task, renamed) for key, task in tasks.items()}
    return part.model_copy(update={"tasks": changed}) if changed != tasks else part


def definitions_named(part: BaseModel) -> frozenset[tuple[str, str]]:
    """Kind and key of all that the guards of a pipeline, and its `after`, name."""
    found: set[tuple[str, str]] = set()

    def note(root: Root, name: str) -> str:
        model = name.partition(" ")[2]
        if root == "decisions" or model:
            found.add(("decision", name) if root == "decisions" else ("model", model))
        return name

    tasks = getattr(part, "tasks", None)
    for task in tasks.values() if isinstance(tasks, dict) else ():
        _of_task(task, note)
    return frozenset(found)


def in_renamed_tasks(body: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """What a task says (JSON), with the names of other tasks that are given."""
    found = dict(body)
    if body.get("after"):
        found["after"] = [names.get(name, name) for name in body["after"]]
    if isinstance(body.get("when"), str):
        found["when"] = with_names(body["when"], _tasks(names))
    return found


def under_new_names(tasks: Mapping[str, TaskSpec]) -> dict[str, TaskSpec]:
    """The tasks of a text; those that it renames (`was`) are named so in all of it, if no other has the former key."""
    names = {task.was: key for key, task in tasks.items() if task.was and task.was not in tasks}
    return {key: _of_task(task, _tasks(names)) if names else task for key, task in tasks.items()}


def _tasks(names: Mapping[str, str]) -> Renamed:
    return lambda root, name: names.get(name, name) if root == "tasks" else name


def with_names(text: str, renamed: Renamed) -> str:
    """A guard with other names in it, every other character as it was. One that cannot be read names nothing."""
    changed = [(each, renamed(each.root, each.name)) for each in _names(text)]
    for each, new in sorted(changed, reverse=True):
        if new != each.name:
            text = text[: each.start] + _written(text[each.start : each.end], each.dotted, new) + text[each.end :]
    return text


def _of_task(task: T, renamed: Renamed) -> T:
    updates: dict[str, Any] = {}
    after = tuple(renamed("tasks", name) for name in task.after)
    when = with_names(task.when, renamed) if task.when else task.when
    if after != task.after:
        updates["after"] = after
    if when != task.when:
        updates["when"] = when
    return task.model_copy(update=updates) if updates else task


def _names(text: str) -> Iterator[_Named]:
    """Each name within `decisions` and `tasks`, in order: `root.name`, `root["name"]` and `"name" in root`."""
    if not any(root in text for root in ("decisions", "tasks")):
        return
    tokens = [word for word in words("cel", text) if word.role != "comment"]
    for index, token in enumerate(tokens):
        if token.text not in ("decisions", "tasks") or token.role != "name":
            continue
        if _text(tokens, index - 1) == "." or _is_bound(tokens, index):
            continue
        root: Root = "decisions" if token.text == "decisions" else "tasks"
        follows = _text(tokens, index + 1)
        if follows == "." and _text(tokens, index + 3) != "(" and _role(tokens, index + 2) == "name":
            member = tokens[index + 2]
            yield _Named(tokens[index + 1].start, member.end, root, member.text, True)
        elif follows == "[" and _text(tokens, index + 3) == "]" and _role(tokens, index + 2) == "string":
            yield from _quoted(tokens[index + 2], root)
        elif follows not in (".", "[") and _text(tokens, index - 1) == "in" and _role(tokens, index - 2) == "string":
            yield from _quoted(tokens[index - 2], root)


def _text(tokens: list[Word], index: int) -> str:
    return tokens[index].text if 0 <= index < len(tokens) else ""


def _role(tokens: list[Word], index: int) -> str:
    return tokens[index].role if 0 <= index < len(tokens) else ""


def _is_bound(tokens: list[Word], index: int) -> bool:
    """Whether the name is one that a macro of the text gives: `list.all(tasks, …)`."""
    name = tokens[index].text
    return any(
        token.text == name and _text(tokens, at - 1) == "(" and _text(tokens, at - 2) in MACROS and at <= index
        for at, token in enumerate(tokens)
    )


def _quoted(token: Word, root: Root) -> Iterator[_Named]:
    try:
        name = str(ast.literal_eval(token.text))
    except (SyntaxError, ValueError):
        return
    yield _Named(token.start, token.end, root, name, False)


def _written(before: str, dotted: bool, new: str) -> str:
    """A new name in the way in which the one before was written; after a dot only where it is a word."""
    if dotted:
        return f".{new}" if new.isidentifier() and new not in WORDS else f'["{new}"]'
    prefix = before[: 1 if before[0] in "rR" else 0]
    quote = before[len(prefix)]
    return f"{prefix}{quote}{new}{quote}"
