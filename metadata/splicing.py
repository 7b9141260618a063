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
from metadata.shapes import value_at
from metadata.yaml_edits import in_order, items_kept, new_names, staying, value_in_place
from metadata.yaml_notes import NONE
from metadata.yaml_text import read_yaml
from metadata.yaml_tree import Entry, Tree, read_tree
from metadata.yaml_writer import entry_lines, exact_at, in_form_of, plain_content, written, written_key

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
    unix = rekeyed(text.replace("\r\n", "\n"), keys) if keys else text.replace("\r\n", "\n")
    raw = read_yaml(unix, name)
    there = Blueprint() if _is_empty(raw.value) and not raw.findings else read_texts({name: unix}).blueprint
    tree, ordered = read_tree(unix), _in_order(wanted, there)
    for in_place in (True, False):
        made = _Splice(tree, raw.value or {}, texts or {}, in_place).document(
            plain_content(there), plain_content(ordered)
        )
        if _says(made, ordered):
            break
    else:
        made = commented(ordered, tree, raw.value or {})
        if not _says(made, ordered):
            cause, remedy = "what it is to say cannot be written into it", "pilothouse blueprint fmt it first"
            raise PilothouseError("PH836", f"file {name}", cause, remedy)
    return made.replace("\n", "\r\n") if "\r\n" in text else made


def spliced(text: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    """A text that says the content `old`, saying `new`, whether or not that makes a blueprint. To be looked at."""
    return _Splice(read_tree(text), read_yaml(text, "it").value or {}, {}, True).document(old, new)


def is_empty(text: str) -> bool:
    """Whether a text that can be read holds no definition."""
    return _is_empty(read_yaml(text, "it").value)


def _is_empty(value: Mapping[str, Any] | None) -> bool:
    return not any((value or {}).values())


def _says(text: str, wanted: Blueprint) -> bool:
    return says(text, wanted) if any(True for _ in wanted) else is_empty(text)


def rekeyed(text: str, keys: NewKeys) -> str:
    """The text with other keys for its definitions."""
    entries = [entry for entry in read_tree(text).entries if len(entry.path) == 2]
    for entry in reversed(entries):
        section, key = (str(step) for step in entry.path)
        new = keys.get((KINDS.get(section, ""), key))
        if new is not None:
            text = text[: entry.start] + written_key(new) + text[entry.key_end :]
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
    def __init__(self, tree: Tree, raw: Any, texts: Texts, in_place: bool) -> None:
        self.tree = tree
        self.raw = raw
        self.texts = texts
        self.in_place = in_place
        """Whether a value stays in the form that it has, rather than being written anew."""

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
                made[section] = _Piece(self._changed(entry, piece, old[section], new[section]), piece.gap)
            elif section in new:
                made[section] = _Piece(self._section(section, new[section]), piece.gap)
            elif section not in old:
                made[section] = piece
        for section in new:
            if section not in made:
                made = _after_earlier(made, section, _Piece(self._section(section, new[section]), "\n"))
        return text[: self.tree.chunk_start(tops[0])] + _joined(list(made.values()), last) + text[end:]

    def _changed(self, entry: Entry, piece: _Piece, old: Any, new: Any) -> str:
        """The lines of an entry that says `old`, saying `new`: in the form that it has, or else written anew."""
        given = len(entry.path) == 1 and any(entry.path[0] == each for each, _ in self.texts)
        if same(old, new) and not given:
            return piece.body
        raw = value_at(self.raw, entry.path)
        before, after = (in_form_of(raw, old), in_form_of(raw, new)) if self.in_place else (old, new)
        found = None
        if entry.shape == "block" and after and self._stand_on_own_lines(entry):
            if entry.is_mapping and isinstance(before, dict) and isinstance(after, dict):
                return self._mapping(entry, piece, before, after)
            if self.in_place and not entry.is_mapping and isinstance(after, list):
                found = self._list(entry, piece, after)
        elif self.in_place and not given:
            found = self._value(entry, piece, old, new)
        if found is not None:
            return found
        anew = self._anew(entry, old, new)
        return self._again(anew, {str(entry.path[0]): new}) if given else anew

    def _again(self, section: str, content: dict[str, Any]) -> str:
        """The lines of a section that was written anew, with the definitions in it that are given as texts."""
        raw = read_yaml(section, "it").value or {}
        return _Splice(read_tree(section), raw, self.texts, self.in_place).document(content, content)

    def _mapping(self, entry: Entry, piece: _Piece, old: dict[str, Any], new: dict[str, Any]) -> str:
        """The lines of a mapping that has lines of its own, with some of its entries, or other ones."""
        path = entry.path
        between = "" if len(path) > 1 or path[0] == _DENSE else "\n"
        pieces, last = self._pieces(entry.children, self._foot(entry, piece), between)
        names = new_names(entry, old, new) if self.in_place else {}
        before = {names.get(key, key): value for key, value in old.items()}
        children = {names.get(str(child.path[-1]), str(child.path[-1])): child for child in entry.children}
        order = staying if len(path) == 1 else in_order
        made: list[_Piece] = []
        for key in order(list(children), before, new):
            child = children.get(key)
            kept = pieces[child.path] if child else _Piece("", between)
            if child is None or (*path, key) in self.texts:
                body = _lines(self._lines_of((*path, key), new[key]), entry.children[0].column)
            else:
                body = self._changed(child, kept, before.get(key), new[key]) if key in new else kept.body
                if key != child.path[-1]:
                    begin = self.tree.chunk_start(child)
                    head = kept.body[: child.key_end - begin]
                    body = (
                        head[: child.start - begin] + written_key(key) + body[len(head) :]
                        if body.startswith(head)
                        else self._anew(child, before.get(key), new[key], key)
                    )
            made.append(_Piece(body, kept.gap))
        return self._around(entry, piece, _joined(made, last))

    def _list(self, entry: Entry, piece: _Piece, new: list[Any]) -> str | None:
        """The lines of a list that has a line for each item; None where one of them has another form."""
        pieces, last = self._pieces(entry.children, self._foot(entry, piece), "")
        raw = value_at(self.raw, entry.path)
        made: list[_Piece] = []
        for at, value in items_kept(raw, new):
            child = entry.children[at or 0]
            kept = pieces[child.path]
            line = f"{' ' * child.column}- {written(value, exact_at(entry.path), within=True)}\n"
            body = line if at is None else self._value(child, kept, raw[at], value)
            if body is None:
                return None
            made.append(_Piece(body, kept.gap))
        return self._around(entry, piece, _joined(made, last))

    def _value(self, entry: Entry, piece: _Piece, old: Any, new: Any) -> str | None:
        """The lines of an entry with another value in the form of the one that it has; None where that cannot be."""
        made = value_in_place(self.tree.text, entry, value_at(self.raw, entry.path), old, new)
        if made is None:
            return None
        begin, stop = self.tree.chunk_start(entry), entry.end - len(piece.body)
        made = made[: len(made) - max(0, stop - begin)]  # the empty lines after a block stand in the gap
        return piece.body[: entry.value_start - begin] + made + piece.body[entry.end - begin :]

    def _foot(self, entry: Entry, piece: _Piece) -> int:
        """Where the last entry of a mapping or a list ends, and what is said below it begins."""
        if entry.path in self.tree.foot:
            return self.tree.line_start(self.tree.foot[entry.path])
        return self.tree.chunk_start(entry) + len(piece.body)

    def _around(self, entry: Entry, piece: _Piece, inner: str) -> str:
        """The lines of an entry with other ones for those of its children."""
        begin, text = self.tree.chunk_start(entry), self.tree.text
        head = text[begin : self.tree.chunk_start(entry.children[0])]
        return head + inner + text[self._foot(entry, piece) : begin + len(piece.body)]

    def _section(self, section: str, entries: dict[str, Any]) -> str:
        """The lines of a section that has said nothing yet, with the comments on it."""
        above, beside = self.tree.notes.above.get((section,), ()), self.tree.notes.beside.get((section,))
        head = [*above, f"{section}:  {beside}" if beside else f"{section}:"]
        between = "" if section == _DENSE else "\n"
        bodies = (_lines(self._lines_of((section, key), value), 2) for key, value in entries.items())
        return _lines(head, 0) + between.join(bodies)

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

    def _stand_on_own_lines(self, entry: Entry) -> bool:
        text, lead = self.tree.text, "" if entry.is_mapping else "-"
        starts = [(self.tree.line_start(each.start), each.start) for each in entry.children]
        return bool(starts) and all(text[line:start].strip() == lead for line, start in starts)

    def _anew(self, entry: Entry, old: Any, new: Any, key: str = "") -> str:
        """An entry with its value written anew, under a `key` of its own or another; comments on what is there stay."""
        path, size = entry.path, len(entry.path)
        to = (*path[:-1], key or path[-1])

        def kept(place: Path) -> Path | None:
            found = _followed(old, new, place[size:]) if place[:size] == path else None
            return None if found is None else (*to, *found)

        return _lines(entry_lines(to, new, self.tree.notes.moved(kept).fitted(new, to)), entry.column)


def _followed(old: Any, new: Any, path: Path) -> Path | None:
    """Where what stands at a path of `old` stands in `new`; None where it is gone. What `old` does not say stays."""
    if not path:
        return ()
    step, place = path[0], path[0]
    if isinstance(old, dict) and step in old:
        if not isinstance(new, dict) or step not in new:
            return None
    elif isinstance(old, list) and step in range(len(old)):
        places = {at: to for to, (at, _) in enumerate(items_kept(old, new))} if isinstance(new, list) else {}
        if step not in places:
            return None
        place = places[step]
    else:
        return path
    below = _followed(old[step], new[place], path[1:])
    return None if below is None else (place, *below)


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
