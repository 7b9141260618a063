"""A value of a YAML text written in the place of the one that is there: what of it stays, stays as it stands.

For scalars, and for what stands within {…} or […]. What has lines of its own is spliced by `metadata.splicing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from metadata.contents import json_text, same
from metadata.yaml_scalars import respelled
from metadata.yaml_tree import Entry
from metadata.yaml_writer import ENTRIES, WIDTH, exact_at, in_form_of, written, written_key

_COLUMNS = "columns"
"""Whose entries do not say what they were called before."""


def value_in_place(text: str, entry: Entry, raw: Any, old: Any, new: Any) -> str | None:
    """The source of the value of an entry, which says `old`, saying `new`; `raw` is what is written there.

    None where that cannot be written in its form.
    """
    if entry.value_start < 0:
        return None
    source = text[entry.value_start : entry.end]
    old, new = in_form_of(raw, old), in_form_of(raw, new)
    if same(old, new):
        return source
    exact = exact_at(entry.path)
    if entry.shape == "scalar" and not isinstance(new, dict | list):
        return respelled(source, entry.style, raw, new, entry.within_flow, exact)
    if entry.shape == "flow" and isinstance(new, dict if entry.is_mapping else list):
        return _flow(text, entry, raw, old, new)
    made = written(new, exact, entry.within_flow)
    is_short = entry.within_flow or (entry.column + len(made) < WIDTH and "\\n" not in made)
    return made if is_short and entry.shape != "block" and "\n" not in source and "#" not in source else None


def in_order(there: list[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The keys that stay, as they stand or in their new order, and the new ones after those that they follow."""
    made = [key for key in staying(there, old, new) if key in there]
    earlier: str | None = None
    for key in new:
        if key not in made:
            made.insert(made.index(earlier) + 1 if earlier in made else 0, key)
        earlier = key
    return made


def staying(there: list[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The keys that stay, as they stand or in their new order, and the new ones last.

    One that is there, and said neither before nor now, stays.
    """
    made = [key for key in there if key in new or key not in old]
    before, after = [key for key in old if key in made], [key for key in new if key in old and key in made]
    if before != after:
        moved = iter(after)
        made = [next(moved) if key in before else key for key in made]
    return [*made, *(key for key in new if key not in made)]


def new_names(entry: Entry, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """Entries under another name: that say so, or say what they said in the same place: old name → new name.

    A column that is the only one to go is the only new one that stands in its place, whatever that says.
    """
    if entry.path[-1] not in ENTRIES:
        return {}
    was = {key: value["was"] for key, value in new.items() if isinstance(value, dict) and "was" in value}
    said = {one: key for key, one in was.items() if one in old and one not in new and key not in old}
    pairs = zip(old, new, strict=True) if len(old) == len(new) else ()
    taken = old.keys() | said.values()
    moved = [(one, other) for one, other in pairs if one not in new and other not in taken]
    sole = entry.path[-1] == _COLUMNS and len(old.keys() - new) == 1
    return {one: other for one, other in moved if sole or same(_unnamed(old[one]), _unnamed(new[other]))} | said


def _unnamed(value: Any) -> Any:
    return {key: each for key, each in value.items() if key != "was"} if isinstance(value, dict) else value


def _flow(text: str, entry: Entry, raw: Any, old: Any, new: Any) -> str | None:
    """A mapping within {…}, or a list within […]."""
    made = list(_mapped(text, entry, raw, old, new) if entry.is_mapping else _listed(text, entry, raw, new))
    children, places = entry.children, [place for place, _ in made]
    sources = [source for _, source in made if source is not None]
    ends = [entry.value_start, *(child.end for child in children)]
    around = [
        text[end:start] for end, start in zip(ends, [*(child.start for child in children), entry.end], strict=True)
    ]
    gaps, rearranged = around[1:-1], places != list(range(len(children)))
    if len(sources) < len(made) or (rearranged and any("#" in each for each in around)):
        return None
    if not children:
        return f"{text[entry.value_start]}{', '.join(sources)}{text[entry.end - 1]}"
    usual = gaps[-1] if gaps else ", "
    between = [usual if one is None or one == len(gaps) else gaps[one] for one in places[:-1]]
    inner = "".join(source + gap for source, gap in zip(sources, [*between, ""], strict=False))
    return around[0] + inner + around[-1]


def _mapped(text: str, entry: Entry, raw: Any, old: Any, new: Any) -> Iterator[tuple[int | None, str | None]]:
    """The pairs of a mapping: the place that each has there, and its source."""
    names = new_names(entry, old, new)
    before = {names.get(key, key): value for key, value in old.items()}
    places = {names.get(str(child.path[-1]), str(child.path[-1])): at for at, child in enumerate(entry.children)}
    for key in in_order(list(places), before, new):
        if key not in places:
            yield None, f"{written_key(key)}: {written(new[key], exact_at((*entry.path, key)), within=True)}"
            continue
        child = entry.children[places[key]]
        was = str(child.path[-1])
        value: str | None = text[child.value_start : child.end]
        if key in new:
            value = value_in_place(text, child, raw[was], before.get(key), new[key])
        label = text[child.start : child.key_end] if key == was else written_key(key)
        yield places[key], None if value is None else label + text[child.key_end : child.value_start] + value


def _listed(text: str, entry: Entry, raw: list[Any], new: list[Any]) -> Iterator[tuple[int | None, str | None]]:
    """The items of a list: the place that each has there, and its source."""
    for at, value in items_kept(raw, new):
        if at is None:
            yield None, written(value, exact_at(entry.path), within=True)
        else:
            yield at, value_in_place(text, entry.children[at], raw[at], raw[at], value)


def items_kept(old: list[Any], new: list[Any]) -> Iterator[tuple[int | None, Any]]:
    """The new items of a list, each with the place of the one that it is, or stands for; None for one more."""
    before, after = [json_text(each) for each in old], [json_text(each) for each in new]
    for action, start, end, to, until in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        replaced = action == "equal" or until - to == end - start
        for index in range(to, until):
            yield (start + index - to if replaced else None), new[index]
