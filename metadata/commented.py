"""Definitions with the comments that their authors wrote: kept as text, and brought up to date when they are shown.

A kept text is a document of one definition. What the definition says is never taken from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from metadata.contents import same
from metadata.documents import Document, dump_one, read_text, try_read
from metadata.errors import PilothouseError
from metadata.findings import Path
from metadata.formatting import formatted, says
from metadata.kinds import KINDS, SECTIONS, Blueprint, Definition
from metadata.splicing import rekeyed, spliced, updated
from metadata.yaml_notes import Notes
from metadata.yaml_text import read_yaml
from metadata.yaml_tree import TO_EDITORS, Entry, Tree, read_tree
from metadata.yaml_writer import plain, plain_content, write_content

Comments = Mapping[tuple[str, str], str | None]
"""By kind and key the text of a definition with comments; None for one that has none."""


def comments_of(document: Document, *, whole: bool = False) -> Comments:
    """The texts of all definitions of a document, with their comments.

    Of one that is alone in it those are, if it is the `whole` of what somebody wrote, whatever is said around it, too.
    """
    found: dict[tuple[str, str], str | None] = {(kind, key): None for kind, key, _ in document.blueprint}
    for text in document.texts.values():
        if "#" in text:
            tree = read_tree(text.replace("\r\n", "\n"))
            around = _said_around(tree) if whole and len(found) == 1 else []
            for kind, key, own in _own_texts(tree, document.blueprint, around):
                found[kind, key] = own
    return found


def alike(one: str | None, other: str | None) -> bool:
    """Whether two texts of a definition have the same comments at the same places, whatever their form."""
    return one == other or (one is not None and other is not None and _said(one) == _said(other))


def lines_in(text: str) -> list[str]:
    """The comments in a text, each with its `#`."""
    notes = read_tree(text).notes
    longer = (line for each in (notes.above, notes.foot) for lines in each.values() for line in lines)
    return [*notes.head, *longer, *notes.beside.values()]


def with_comments(source: str | None, kind: str, key: str, value: Definition) -> str:
    """A document that holds one definition, with the comments of a kept text on what is still there."""
    if source is None:
        return dump_one(kind, key, value)
    one = _one(kind, key, value)
    try:
        ((_, was, _),) = read_text(source).blueprint
        return updated(source, one, keys={(kind, was): key} if was != key else None)
    except (PilothouseError, ValueError):
        return dump_one(kind, key, value)


def with_both(base: str, mine: str, theirs: str, kind: str, key: str, value: Definition) -> str | None:
    """A document of one definition with the comments that either side has changed since a base, line by line.

    Where both have said something, it stands below one another, theirs first. An empty text has none; None for none.
    """
    before, my, their = (_notes_on(text, kind, key, value) for text in (base, mine, theirs))
    made = Notes()
    for path in sorted(my.paths() | their.paths(), key=str):
        sides = [
            (each.above.get(path, []), each.foot.get(path, []), each.beside.get(path)) for each in (before, my, their)
        ]
        above, foot = (_lines_of_both(*lines) for lines in list(zip(*sides, strict=True))[:2])
        beside = _lines_of_both(*([said] if said else [] for *_, said in sides))
        if above:
            made.above[path] = above
        if foot:
            made.foot[path] = foot
        for said in beside:
            made.put_beside(path, said)
    content = plain_content(_one(kind, key, value))
    section = SECTIONS[kind]
    return write_content(content, made.fitted(content[section][key], (section, key))) if made else None


def _notes_on(text: str, kind: str, key: str, value: Definition) -> Notes:
    return read_tree(with_comments(text or None, kind, key, value)).notes


def _lines_of_both(base: list[str], mine: list[str], theirs: list[str]) -> list[str]:
    if mine in (base, theirs):
        return theirs
    return [
        *(line for line in theirs if line in mine or line not in base),
        *(line for line in mine if line not in theirs and line not in base),
    ]


def comments_kept(source: str, text: str) -> str:
    """A text of one definition with the comments of another text of it, whether or not both make one.

    It is as it is where one of them is no YAML.
    """
    if "#" not in source:
        return text
    try:
        ((kind, key, value),) = read_text(text).blueprint
        ((_, was, _),) = read_text(source).blueprint
        return updated(source, _one(kind, key, value), keys={(kind, was): key} if was != key else None)
    except (PilothouseError, ValueError):
        return _noted(source, text)


def dump_with_comments(blueprint: Blueprint, sources: Mapping[str, str]) -> str:
    """The blueprint as YAML, as `metadata.documents.dump` has it, with the comments of kept texts (by uid).

    `metadata.formatting.formatted` leaves it as it is.
    """
    sections = []
    texts = {name: formatted(text) for name, text in texts_with_comments(blueprint, sources).items()}
    for kind, section in SECTIONS.items():
        bodies = [
            (texts.get((kind, key)) or dump_one(kind, key, value)).removeprefix(f"{section}:\n").rstrip("\n")
            for key, value in getattr(blueprint, section).items()
        ]
        if bodies:
            apart = "\n" if section == "connections" or all("\n" not in body for body in bodies) else "\n\n"
            sections.append(f"{section}:\n{apart.join(bodies)}")
    return "\n\n".join(sections) + "\n"


def _noted(source: str, text: str) -> str:
    """A text of one entry with the comments of another, each at what is still there, or at what was around it."""
    was, now = read_yaml(source, "it"), read_yaml(text, "it")
    before, after = _entry_of(was.value), _entry_of(now.value)
    if was.findings or now.findings or before is None or after is None or now.value is None:
        return text
    made = _in_place(source.replace("\r\n", "\n"), before, after, now.value)
    if made is not None:
        return made
    notes = read_tree(source.replace("\r\n", "\n")).notes.moved(lambda path: (*after, *path[2:])[: len(path)])
    made = write_content(now.value, notes.fitted(now.value))
    return made if same(read_yaml(made, "it").value, now.value) else text


def _in_place(source: str, before: Path, after: Path, wanted: dict[str, Any]) -> str | None:
    """The text of one entry saying what is `wanted`, all else as it stands; None where it is too far from that."""
    section, was, now = str(before[0]), str(before[1]), str(after[1])
    if section != after[0] or section not in KINDS:
        return None
    try:
        content = plain_content(read_text(source).blueprint)
    except PilothouseError:
        content = read_yaml(source, "it").value or {}
    made = spliced(rekeyed(source, {(KINDS[section], was): now}), {section: {now: content[section][was]}}, wanted)
    said = read_yaml(made, "it").value
    return made if json.dumps(said, sort_keys=True) == json.dumps(wanted, sort_keys=True) else None


def _entry_of(content: Mapping[str, Any] | None) -> Path | None:
    """The path to the one entry of a document."""
    found = [(section, key) for section, each in (content or {}).items() if isinstance(each, dict) for key in each]
    return found[0] if len(found) == 1 and len(content or {}) == 1 else None


def _said(text: str) -> list[dict[Path, object]]:
    notes = Notes() if read_yaml(text, "it").findings else read_tree(text).notes
    return [{path[2:]: said for path, said in each.items()} for each in (notes.above, notes.beside, notes.foot)]


def texts_with_comments(blueprint: Blueprint, sources: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """The documents of definitions that have a kept text (by uid), with its comments."""
    kept = [(kind, key, value, sources[value.uid]) for kind, key, value in blueprint if value.uid in sources]
    current = _as_they_are(kept)
    return {
        (kind, key): source if (kind, key) in current else with_comments(source, kind, key, value)
        for kind, key, value, source in kept
    }


def _as_they_are(kept: Sequence[tuple[str, str, Definition, str]]) -> set[tuple[str, str]]:
    """Those whose kept text says just what they say: all of them are read at once, for one by one takes long."""
    sections: dict[str, list[str]] = {}
    for kind, _, _, source in kept:
        sections.setdefault(SECTIONS[kind], []).append(source.partition("\n")[2])
    document, _ = try_read({"kept": "".join(f"{section}:\n{''.join(each)}" for section, each in sections.items())})
    if document is None:
        return set()
    return {
        (kind, key)
        for kind, key, value, _ in kept
        if (said := document.blueprint.get(kind, key)) is not None and same(plain(said), plain(value))
    }


def _one(kind: str, key: str, value: Definition) -> Blueprint:
    return Blueprint().model_copy(update={SECTIONS[kind]: {key: value}})


def _said_around(tree: Tree) -> list[str]:
    """What is said of no definition, but of its section or of the text."""
    longer = [lines for each in (tree.notes.above, tree.notes.foot) for path, lines in each.items() if len(path) < 2]
    beside = [said for path, said in tree.notes.beside.items() if len(path) < 2]
    lines = [*tree.notes.head, *beside, *(line for lines in longer for line in lines)]
    return [line for line in lines if line and not line.startswith(TO_EDITORS)]


def _own_texts(tree: Tree, blueprint: Blueprint, around: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Kind, key and text of what is spoken of, with what is said `around` it above all else."""
    spoken = {path[:2] for path in tree.notes.paths() if len(path) > 1}
    for top in tree.top:
        section = str(top.path[0])
        for index, entry in enumerate(top.children):
            if entry.path not in spoken and not around:
                continue
            kind, key = KINDS[section], str(entry.path[1])
            value = blueprint.get(kind, key)
            if value is not None:
                one = _one(kind, key, value)
                own = _cut_out(tree, top, index) if top.shape == "block" else ""
                own = own if says(own, one) else _written(tree, one, entry.path)
                head, _, body = own.partition("\n")
                yield kind, key, "\n".join([head, *(f"  {line}" for line in around), body])


def _cut_out(tree: Tree, top: Entry, index: int) -> str:
    """The lines of a definition below its section, as they stand."""
    entry = top.children[index]
    ends = [tree.chunk_start(top.children[index + 1])] if index + 1 < len(top.children) else []
    ends += [tree.line_start(offset) for path, offset in tree.foot.items() if len(path) < 2 and offset > entry.end]
    ends += [tree.chunk_start(each) for each in tree.top if each.start > entry.start]
    lines = tree.text[tree.chunk_start(entry) : min(ends, default=len(tree.text))].rstrip().split("\n")
    column = entry.column
    shifted = (f"  {line[column:] if not line[:column].strip() else line.lstrip()}".rstrip(" ") for line in lines)
    return f"{top.path[0]}:\n" + "\n".join(shifted) + "\n"


def _written(tree: Tree, one: Blueprint, path: Path) -> str:
    content = plain_content(one)
    notes = tree.notes.moved(lambda each: each if each[:2] == path else None)
    notes.head = []
    return write_content(content, notes.fitted(content[str(path[0])][path[1]], path))
