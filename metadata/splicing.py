"""A text brought up to date: what differs is written anew, all else, its comments included, stays byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metadata.contents import same
from metadata.documents import read_texts
from metadata.errors import PilothouseError
from metadata.findings import Path
from metadata.formatting import commented, says
from metadata.kinds import KINDS, SECTIONS, Blueprint
from metadata.yaml_notes import NONE
from metadata.yaml_text import read_yaml
from metadata.yaml_tree import Entry, Tree, read_tree
from metadata.yaml_writer import entry_lines, plain_content

NewKeys = Mapping[tuple[str, str], str]
"""By kind and the key in the text."""
Texts = Mapping[tuple[str, str], str]
"""Documents of one definition, by section and key."""
_DENSE = "connections"
"""The section whose definitions stand without an empty line between them."""


def updated(
    text: str, wanted: Blueprint, name: str = "document", keys: NewKeys | None = None, texts: Texts | None = None
) -> str:
    """The text with the definitions of `wanted` in it and no others; `keys` are new ones of what is in it.

    Definitions keep the order that they have in the text; what is new stands at the end of its section. Those that have
    `texts` are put in as these have them. Raises DocumentError for a text that cannot be read, and PilothouseError
    PH836 where it cannot be brought up to date.
    """
    unix = _rekeyed(text.replace("\r\n", "\n"), keys) if keys else text.replace("\r\n", "\n")
    raw = read_yaml(unix, name)
    there = Blueprint() if _is_empty(raw.value) and not raw.findings else read_texts({name: unix}).blueprint
    tree, ordered = read_tree(unix), _in_order(wanted, there)
    made = _Splice(tree, texts or {}).document(plain_content(there), plain_content(ordered))
    if not _says(made, ordered):
        made = commented(ordered, tree, raw.value or {})
        if not _says(made, ordered):
            cause, remedy = "what it is to say cannot be written into it", "pilothouse blueprint fmt it first"
            raise PilothouseError("PH836", f"file {name}", cause, remedy)
    return made.replace("\n", "\r\n") if "\r\n" in text else made


def is_empty(text: str) -> bool:
    """Whether a text that can be read holds no definition."""
    return _is_empty(read_yaml(text, "it").value)


def _is_empty(value: Mapping[str, Any] | None) -> bool:
    return not any((value or {}).values())


def _says(text: str, wanted: Blueprint) -> bool:
    return says(text, wanted) if any(True for _ in wanted) else is_empty(text)


def _rekeyed(text: str, keys: NewKeys) -> str:
    """The text with other keys for its definitions."""
    entries = [entry for entry in read_tree(text).entries if len(entry.path) == 2]
    for entry in reversed(entries):
        section, key = (str(step) for step in entry.path)
        new = keys.get((KINDS.get(section, ""), key))
        if new is not None:
            text = text[: entry.start] + new + text[entry.key_end :]
    return text


def _in_order(wanted: Blueprint, there: Blueprint) -> Blueprint:
    """What is wanted, in the order in which it is there; what is new comes last."""
    sections: dict[str, dict[str, Any]] = {}
    for section in SECTIONS.values():
        new, old = getattr(wanted, section), getattr(there, section)
        sections[section] = {key: new[key] for key in dict.fromkeys((*(key for key in old if key in new), *new))}
    return wanted.model_copy(update=sections)


@dataclass
class _Piece:
    """The lines of an entry with the comments above it, and the empty ones after them."""

    body: str
    gap: str


class _Splice:
    def __init__(self, tree: Tree, texts: Texts) -> None:
        self.tree = tree
        self.texts = texts

    def document(self, old: dict[str, Any], new: dict[str, Any]) -> str:
        """The text of the plain content `new`, from the tree of a text that says `old`."""
        text, tops = self.tree.text, self.tree.top
        end = self.tree.line_start(self.tree.foot[()]) if () in self.tree.foot else len(text)
        if not tops:
            lead = text.rstrip()
            fresh = [_Piece(self._section(section, entries), "\n") for section, entries in new.items()]
            return (f"{lead}\n\n" if lead else "") + _joined(fresh, "")
        pieces, last = self._pieces(tops, end, "\n")
        made: dict[str, _Piece] = {}
        for entry in tops:
            section, piece = str(entry.path[0]), pieces[entry.path]
            if section in old and section in new:
                made[section] = _Piece(self._mapping(entry, piece, old[section], new[section]), piece.gap)
            elif section in new:
                made[section] = _Piece(self._section(section, new[section]), piece.gap)
            elif section not in old:
                made[section] = piece
        for section in new:
            if section not in made:
                made = _after_earlier(made, section, _Piece(self._section(section, new[section]), "\n"))
        return text[: self.tree.chunk_start(tops[0])] + _joined(list(made.values()), last) + text[end:]

    def _mapping(self, entry: Entry, piece: _Piece, old: dict[str, Any], new: dict[str, Any]) -> str:
        """The lines of an entry whose value is a mapping, which may be another one now."""
        if same(old, new) and not (len(entry.path) == 1 and any(entry.path[0] == each for each, _ in self.texts)):
            return piece.body
        if entry.shape != "block" or not entry.is_mapping or not self._stand_on_own_lines(entry.children):
            return self._anew(entry, old, new)
        path, text = entry.path, self.tree.text
        begin = self.tree.chunk_start(entry)
        stop = begin + len(piece.body)
        foot = self.tree.line_start(self.tree.foot[path]) if path in self.tree.foot else stop
        between = "" if len(path) > 1 or path[0] == _DENSE else "\n"
        pieces, last = self._pieces(entry.children, foot, between)
        children = {str(child.path[-1]): child for child in entry.children}
        made: list[_Piece] = []
        for key in _order(path, list(children), old, new):
            kept = pieces.get((*path, key), _Piece("", between))
            if key not in children or (*path, key) in self.texts:
                lines = self._lines_of((*path, key), new[key])
                made.append(_Piece(_lines(lines, entry.children[0].column), kept.gap))
                continue
            child = children[key]
            if key not in new or (key in old and same(old[key], new[key])):
                made.append(kept)
            elif isinstance(new[key], dict) and isinstance(old.get(key), dict):
                made.append(_Piece(self._mapping(child, kept, old[key], new[key]), kept.gap))
            else:
                made.append(_Piece(self._anew(child, old.get(key), new[key]), kept.gap))
        head = text[begin : self.tree.chunk_start(entry.children[0])]
        return head + _joined(made, last) + text[foot:stop]

    def _section(self, section: str, entries: dict[str, Any]) -> str:
        between = "" if section == _DENSE else "\n"
        bodies = (_lines(self._lines_of((section, key), value), 2) for key, value in entries.items())
        return f"{section}:\n" + between.join(bodies)

    def _lines_of(self, path: Path, value: Any) -> list[str]:
        """Lines of an entry that is not in the text, or is to be there as it is given."""
        given = self.texts.get((str(path[0]), str(path[1]))) if len(path) == 2 else None
        if given is None:
            return entry_lines(path, value, NONE)
        return [line[2:] for line in given.rstrip("\n").split("\n")[1:]]

    def _pieces(self, entries: list[Entry], end: int, between: str) -> tuple[dict[Path, _Piece], str]:
        """The lines of each entry, the last one up to `end`, and the empty ones after that."""
        starts = [self.tree.chunk_start(each) for each in entries]
        found: dict[Path, _Piece] = {}
        gap = ""
        for each, start, stop in zip(entries, starts, [*starts[1:], end], strict=True):
            chunk = self.tree.text[start:stop]
            gap = _gap_of(chunk)
            found[each.path] = _Piece(chunk[: len(chunk) - len(gap)], gap)
        gaps = [piece.gap for piece in found.values()][:-1]
        found[entries[-1].path].gap = max(gaps, key=gaps.count) if gaps else between
        return found, gap

    def _stand_on_own_lines(self, entries: list[Entry]) -> bool:
        text = self.tree.text
        starts = [(self.tree.line_start(each.start), each.start) for each in entries]
        return bool(entries) and all(not text[line:start].strip() for line, start in starts)

    def _anew(self, entry: Entry, old: Any, new: Any) -> str:
        """An entry with its value written anew, and the comments on what is still there."""
        path, size = entry.path, len(entry.path)

        def kept(place: Path) -> Path | None:
            gone = _is_in(old, place[size:]) and not _is_in(new, place[size:])
            return None if gone or place[:size] != path else place

        return _lines(entry_lines(path, new, self.tree.notes.moved(kept).fitted(new, path)), entry.column)


def _order(path: Path, written: list[str], old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The keys that stay, as they stand or in their new order, and the new ones after those that they follow."""
    staying = [key for key in written if key in new or key not in old]
    before, after = [key for key in old if key in new], [key for key in new if key in old]
    if before != after:
        moved = iter(after)
        staying = [next(moved) if key in before else key for key in staying]
    if len(path) == 1:
        return [*staying, *(key for key in new if key not in old and key not in staying)]
    earlier: str | None = None
    for key in new:
        if key not in staying:
            staying.insert(staying.index(earlier) + 1 if earlier in staying else 0, key)
        earlier = key
    return staying


def _is_in(value: Any, path: Path) -> bool:
    for step in path:
        inside = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        if step not in inside:
            return False
        value = value[step]
    return True


def _after_earlier(made: dict[str, _Piece], section: str, piece: _Piece) -> dict[str, _Piece]:
    """The sections with one more, after those that come before it."""
    order = list(SECTIONS.values())
    earlier = [at for at, each in enumerate(made) if each in order and order.index(each) < order.index(section)]
    items = list(made.items())
    items.insert(max(earlier, default=-1) + 1, (section, piece))
    return dict(items)


def _lines(lines: list[str], column: int) -> str:
    return "".join(f"{' ' * column}{line}\n" if line else "\n" for line in lines)


def _joined(pieces: list[_Piece], last: str) -> str:
    """Pieces one after the other; what stood at their end stands there still."""
    made = "".join(_closed(piece.body) + piece.gap for piece in pieces[:-1])
    return made + (_closed(pieces[-1].body) if pieces and last else pieces[-1].body if pieces else "") + last


def _closed(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _gap_of(chunk: str) -> str:
    """The empty lines at the end of a chunk; its last line keeps its own end."""
    tail = chunk[len(chunk.rstrip()) :]
    return tail[tail.find("\n") + 1 :] if "\n" in tail and len(tail) < len(chunk) else ""
