"""One form for a document, as `blueprint export` writes it, with every comment kept."""

from __future__ import annotations

from functools import cache
from typing import Any

from metadata.contents import same
from metadata.documents import read_texts
from metadata.errors import PilothouseError
from metadata.findings import Path
from metadata.kinds import KIND_MODELS, Blueprint
from metadata.tasks import task_kinds
from metadata.yaml_notes import Notes
from metadata.yaml_text import read_yaml
from metadata.yaml_tree import Tree, read_tree
from metadata.yaml_writer import plain_content, write_content


def formatted(text: str, name: str = "document") -> str:
    """A document in the form of `metadata.documents.dump`; its sections come in order, its entries stay in theirs.

    A default that is written out goes, unless a comment speaks of it. A text without a definition stays as it is.
    Raises DocumentError for what cannot be read, and PilothouseError PH835 where it would mean another thing.
    """
    unix = text.replace("\r\n", "\n")
    raw = read_yaml(unix, name)
    if not raw.findings and not any((raw.value or {}).values()):
        return text
    document = read_texts({name: unix})
    made = commented(document.blueprint, read_tree(unix), raw.value or {})
    if not says(made, document.blueprint):
        cause, remedy = "its form cannot be changed without its meaning", "leave it as it is, and report it"
        raise PilothouseError("PH835", f"file {name}", cause, remedy)
    return made.replace("\n", "\r\n") if "\r\n" in text else made


def commented(blueprint: Blueprint, tree: Tree, raw: dict[str, Any]) -> str:
    """A blueprint in canonical form, with the comments of a text that says it; `raw` are the values of that."""
    notes = tree.notes.moved(lambda path: tuple(aliases().get(str(step), step) for step in path))
    content = _with_what_is_spoken_of(plain_content(blueprint), raw, notes, ())
    return write_content(content, notes.fitted(content))


def says(text: str, blueprint: Blueprint) -> bool:
    """Whether a text is read as that blueprint, its entries in that order."""
    try:
        found = read_texts({"it": text})
    except PilothouseError:
        return False
    return same(plain_content(found.blueprint), plain_content(blueprint))


def _with_what_is_spoken_of(content: Any, raw: Any, notes: Notes, path: Path) -> Any:
    """The content with what is written in a text although it is the default, where a comment speaks of it."""
    if not isinstance(content, dict) or not isinstance(raw, dict) or not notes.below(path):
        return content
    made = {key: _with_what_is_spoken_of(value, raw.get(key), notes, (*path, key)) for key, value in content.items()}
    spoken_of = {
        key: value
        for key, value in raw.items()
        if key not in content and len(path) > 1 and key not in aliases() and notes.of((*path, key))
    }
    return {**made, **spoken_of}


@cache
def aliases() -> dict[str, str]:
    """How documents write what a definition or a task has under another name."""
    models = [*(model for models in KIND_MODELS.values() for model in models), *task_kinds().values()]
    return {
        name: field.alias
        for model in models
        for name, field in model.model_fields.items()
        if field.alias is not None and name != field.alias
    }
