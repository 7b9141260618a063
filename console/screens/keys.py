"""The keys of a screen: how they are declared, and how they are shown."""

from __future__ import annotations

from typing import Any

from textual.binding import Binding
from textual.screen import Screen

from console.text import glyph


def key(
    keys: str,
    name: str,
    label: str,
    *,
    shown: bool = True,
    help: str = "",  # noqa: A002
    opens_prompt: bool = False,
) -> Binding:
    """A key of a screen: calls `do_<name>`, or says why it cannot. The line of keys shows `label`, `?` shows `help`.

    One that opens the prompt is done before the key that follows is looked at: that is text, however fast it came.
    """
    return Binding(keys, f"do('{name}')", label, show=shown, id=name, tooltip=help, priority=opens_prompt)


_NAMES = {
    "slash": "/", "colon": ":", "question_mark": "?", "left_square_bracket": "[", "right_square_bracket": "]",
    "escape": "esc", "full_stop": ".", "comma": ",", "ctrl+p": "ctrl+p", "right": "→", "left": "←",
}  # fmt: skip


def shown_key(keys: str) -> str:
    first = keys.split(",")[0]
    return glyph(_NAMES.get(first, first))


def own_bindings(screen: type[Screen[Any]]) -> list[Binding]:
    """Bindings of a screen, its own before those that all have; a key that is bound again counts once."""
    found: dict[str, Binding] = {}
    for cls in screen.__mro__:
        for one in cls.__dict__.get("BINDINGS", ()) if issubclass(cls, Screen) and cls is not Screen else ():
            if isinstance(one, Binding):
                found.setdefault(one.key, one)
    return list(found.values())
