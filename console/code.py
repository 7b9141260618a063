"""Code in colours: SQL and rules by their words, YAML by its keys, with the SQL and rules that stand in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rich.style import Style
from textual.content import Content

from console.text import joined, plain, styled
from metadata.colouring import Language, Role, spans

_TONES: dict[Role, str] = {
    "keyword": "active",
    "function": "strong",
    "string": "good",
    "number": "good",
    "comment": "quiet",
    "operator": "quiet",
    "name": "",
}
_LANGUAGES: dict[str, Language] = {"sql": "sql", "expect": "sql", "expr": "sql", "label": "sql", "when": "cel"}
"""Fields of definitions that hold code."""
_FIELD = re.compile(r"( *(?:- )?)([\w.]+|\"[^\"]*\"):(?= |$)(.*)")
_BLOCK = re.compile(r" [|>][-+\d]*$")


def code_styles(variables: Mapping[str, str]) -> dict[str, Style]:
    """The style of each role in an editor, from the colours of a theme: numbers (#rrggbb), or those of the terminal."""
    return {
        role: Style(bold=True) if tone == "strong" else Style(color=variables[f"tone-{tone}"].removeprefix("ansi_"))
        for role, tone in _TONES.items()
        if tone
    }


def code_lines(language: Language, text: str) -> list[Content]:
    """A text of that language, line by line."""
    shown = plain(text, lines=True)
    parts, position = list[Content](), 0
    for span in spans(language, shown):
        parts += [styled(shown[position : span.start], lines=True)]
        parts += [styled(shown[span.start : span.end], _TONES[span.role], lines=True)]
        position = span.end
    whole = Content("").join([*parts, styled(shown[position:], lines=True)])
    return whole.split("\n", allow_blank=True)


def yaml_lines(text: str) -> list[Content]:
    """A document as we write it, line by line."""
    return list(_yaml(plain(text, lines=True).splitlines()))


def _yaml(lines: list[str]) -> Iterator[Content]:
    at = 0
    while at < len(lines):
        field = _FIELD.fullmatch(lines[at])
        at += 1
        if field is None:
            yield styled(lines[at - 1], "quiet" if lines[at - 1].lstrip().startswith("#") else "")
            continue
        depth, language = len(field[1]), _LANGUAGES.get(field[2])
        head = joined(field[1], (f"{field[2]}:", "active"))
        end = at
        while language and end < len(lines) and (not lines[end].strip() or _depth(lines[end]) > depth):
            end += 1
        code = lines[at:end] if _BLOCK.match(field[3]) else []
        if language and code:
            yield joined(head, field[3])
            yield from code_lines(language, "\n".join(code))
            at = end
        elif language and field[3][1:2] not in ("'", '"', "{", "[", "|", ">", ""):
            yield joined(head, *code_lines(language, field[3]))
        else:
            yield joined(head, field[3])


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
