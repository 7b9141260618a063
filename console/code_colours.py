"""How words of SQL and CEL are coloured: each role by the tone of the console."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style

from metadata.colouring import Role

_STYLES: dict[Role, tuple[str, bool]] = {
    "keyword": ("tone-active", False),
    "function": ("", True),
    "string": ("tone-good", False),
    "number": ("tone-good", False),
    "comment": ("tone-quiet", False),
    "operator": ("tone-quiet", False),
}
"""Colour, and whether it is bold; names are as the rest of the text."""


def styles(variables: Mapping[str, str]) -> dict[str, Style]:
    """The style of each role, from the colours of a theme: numbers (#rrggbb), or those of the terminal."""
    return {role: Style(color=_colour(variables, name), bold=bold) for role, (name, bold) in _STYLES.items()}


def _colour(variables: Mapping[str, str], name: str) -> str | None:
    return variables[name].removeprefix("ansi_") if name else None
