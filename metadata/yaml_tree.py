"""Where the entries and the comments of a YAML text stand, and which comment speaks of which entry.

For texts that `metadata.yaml_text` has read without a finding: there is neither an anchor nor a tag in them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from metadata.findings import Path
from metadata.yaml_notes import Notes
from metadata.yaml_text import DEEPEST

_COMMENT = re.compile(r"#[^\n]*")
TO_EDITORS = "# yaml-language-server"
"""Begins a comment that is said to editors."""
_CLOSING = " \t,"


@dataclass
class Entry:
    """A key with its value, or an item of a list. Places are offsets in the text."""

    path: Path
    start: int
    column: int
    within_flow: bool
    end: int = 0
    key_end: int = 0
    value_start: int = -1
    """Where its value begins; -1 where there is none."""
    style: str = ""
    """The quote of a scalar, | or >; empty for a plain one."""
    shape: Literal["scalar", "block", "flow"] = "scalar"
    is_mapping: bool = False
    children: list[Entry] = field(default_factory=list)


@dataclass
class Tree:
    """The entries of a text, in its order, and its comments: by what they speak of, and where each begins."""

    text: str
    top: list[Entry] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    above: dict[Path, int] = field(default_factory=dict)
    """Where the comments above an entry begin."""
    foot: dict[Path, int] = field(default_factory=dict)
    """Where the comments below the last entry of a mapping begin."""

    def line_start(self, offset: int) -> int:
        """Where the line of an offset begins."""
        return self.text.rfind("\n", 0, offset) + 1

    def chunk_start(self, entry: Entry) -> int:
        """Where an entry of a block begins: with its line, or the comments above it."""
        return self.line_start(self.above.get(entry.path, entry.start))


def read_tree(text: str) -> Tree:
    """The tree of a text."""
    from ruamel.yaml import YAML

    tree = Tree(text)
    spans = _Builder(tree).build(YAML(typ="safe").parse(text))
    _Attribution(tree).attribute(list(_comments(text, spans)))
    return tree


@dataclass
class _Frame:
    path: Path
    is_list: bool
    flow: bool
    into: list[Entry]
    owner: Entry | None
    pending: Entry | None = None


class _Builder:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.stack: list[_Frame] = []

    def build(self, events: Iterator[Any]) -> list[tuple[int, int]]:
        """Fill the tree; where the scalars stand, whose `#` are no comments."""
        spans: list[tuple[int, int]] = []
        for event in events:
            name = type(event).__name__
            if name == "ScalarEvent":
                start, end = event.start_mark.index, event.end_mark.index
                empty = not event.value and not event.style
                if not empty:
                    head = self.tree.text.find("\n", start, end) if event.style in ("|", ">") else -1
                    spans.append((start, end) if head < 0 else (head, end))
                self._scalar(event.value, start, end, None if empty else event.style or "")
            elif name in ("MappingStartEvent", "SequenceStartEvent"):
                self._open(name == "SequenceStartEvent", bool(event.flow_style), event.start_mark.index)
            elif name in ("MappingEndEvent", "SequenceEndEvent"):
                self._close(event.end_mark.index)
        return spans

    def _scalar(self, value: str, start: int, end: int, style: str | None) -> None:
        frame = self.stack[-1] if self.stack else None
        if frame is None:
            return
        if not frame.is_list and frame.pending is None:
            frame.pending = self._entry(frame, value, start)
            frame.pending.end = frame.pending.key_end = end
            return
        entry = self._value(frame, start)
        if style is not None:
            entry.value_start, entry.end, entry.style = start, end, style

    def _open(self, is_list: bool, flow: bool, start: int) -> None:
        if not self.stack:
            self.stack.append(_Frame((), is_list, flow, self.tree.top, None))
            return
        entry = self._value(self.stack[-1], start)
        entry.shape, entry.is_mapping, entry.value_start = "flow" if flow else "block", not is_list, start
        self.stack.append(_Frame(entry.path, is_list, flow, entry.children, entry))

    def _close(self, end: int) -> None:
        frame = self.stack.pop()
        if frame.owner is not None:
            frame.owner.end = end if frame.flow or not frame.into else frame.into[-1].end

    def _value(self, frame: _Frame, start: int) -> Entry:
        """The entry that a value belongs to."""
        found, frame.pending = frame.pending, None
        return found or self._entry(frame, len(frame.into), start)

    def _entry(self, frame: _Frame, step: str | int, start: int) -> Entry:
        lead = self.tree.text[self.tree.line_start(start) : start]
        column = lead.index("-") if frame.is_list and lead.strip() == "-" else len(lead)
        entry = Entry((*frame.path, step), start, column, frame.flow, start)
        frame.into.append(entry)
        self.tree.entries.append(entry)
        return entry


def _comments(text: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    position = 0
    for start, end in [*spans, (len(text), len(text))]:
        for found in _COMMENT.finditer(text, position, start):
            yield found.start(), found.group().rstrip()
        position = max(position, end)


class _Attribution:
    """Gives each comment to the entry beside it, the one below it, or the mapping at whose end it stands."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.starts = [entry.start for entry in tree.entries]
        self.by_path = {entry.path: entry for entry in tree.entries}
        self.columns = {entry.path[:-1]: entry.column for entry in reversed(tree.entries) if not entry.within_flow}

    def attribute(self, comments: list[tuple[int, str]]) -> None:
        """Take all comments, in their order."""
        text, last_end = self.tree.text, 0
        below: Path | None = None
        deepest = DEEPEST
        for offset, said in comments:
            line = self.tree.line_start(offset)
            if text[line:offset].strip():
                self._beside(offset, said)
                below, deepest = None, DEEPEST
                continue
            index = bisect_right(self.starts, offset)
            following = self.tree.entries[index] if index < len(self.starts) else None
            earlier = self.tree.entries[index - 1] if index else None
            if following is not None and following.path != below:
                below, deepest = following.path, DEEPEST
            home = self._foot(earlier, following, offset, deepest)
            deepest = len(home or ())
            apart = text.count("\n", last_end, line) > 1
            if home is None and following is not None:
                self._note(self.tree.notes.above, self.tree.above, following.path, offset, said, apart)
            else:
                self._note(self.tree.notes.foot, self.tree.foot, home or (), offset, said, apart)
            last_end = offset + len(said)
        self._set_head_apart()

    def _note(
        self, into: dict[Path, list[str]], begins: dict[Path, int], path: Path, offset: int, said: str, apart: bool
    ) -> None:
        lines = into.setdefault(path, [])
        if lines and apart:
            lines.append("")
        lines.append(said)
        begins.setdefault(path, offset)

    def _beside(self, offset: int, said: str) -> None:
        index = bisect_right(self.starts, offset)
        if not index:
            self.tree.notes.head.append(said)
            return
        entry = self.tree.entries[index - 1]
        path = entry.path
        for length in range(len(path), 0, -1):
            found = self.by_path[path[:length]]
            closed = self.tree.text[found.end : offset].strip(_CLOSING) == ""
            if found.shape != "block" and found.end <= offset and closed:
                entry = found
        self.tree.notes.put_beside(entry.path, said)

    def _foot(self, earlier: Entry | None, following: Entry | None, offset: int, deepest: int) -> Path | None:
        """The mapping or list, `deepest` steps deep at most, that ended before a comment and holds it by its column."""
        column = offset - self.tree.line_start(offset)
        if earlier is None or (following is not None and (following.within_flow or column <= following.column)):
            return None
        for length in range(min(len(earlier.path) - 1, deepest), -1, -1):
            home = earlier.path[:length]
            if following is not None and following.path[:length] == home:
                return None
            if home in self.columns and self.columns[home] <= column:
                return home
        return None

    def _set_head_apart(self) -> None:
        """What stands above the first entry and a blank line, or is said to editors, speaks of the whole text."""
        if not self.tree.top:
            self.tree.notes.head += self.tree.notes.foot.pop((), [])
            return
        first = self.tree.top[0].path
        lines = self.tree.notes.above.get(first, [])
        key_line = self.tree.line_start(self.tree.top[0].start)
        if lines and self.tree.text[:key_line].rstrip(" \t").endswith("\n\n"):
            size = len(lines)
        else:
            size = len(lines) - lines[::-1].index("") if "" in lines else 0
            size = size or int(bool(lines) and lines[0].startswith(TO_EDITORS))
        if not size:
            return
        self.tree.notes.head += lines[:size] if lines[size - 1] else lines[: size - 1]
        left = lines[size:]
        offset = self.tree.above.pop(first)
        self.tree.notes.above.pop(first)
        if left:
            self.tree.notes.above[first] = left
            for _ in [each for each in lines[:size] if each]:
                offset = self.tree.text.index("#", self.tree.text.index("\n", offset))
            self.tree.above[first] = offset
