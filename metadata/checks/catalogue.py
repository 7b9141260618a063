"""The page of every check: what it finds, what would happen at run time, how it is mended, and an example of both.

A page is `pages/PHnnn.md`. Its example is a document with the lines that are wrong (-) and those that mend it (+).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from importlib import resources

from metadata.errors import UsageError

_PAGES = resources.files("metadata.checks") / "pages"
_PAGE = re.compile(
    r"# (?P<code>PH\d{3}) (?P<title>.+)\n\n(?P<meaning>.+?)\n\n## At run time\n\n(?P<why>.+?)\n\n"
    r"## To mend it\n\n(?P<remedy>.+?)\n\n## For example\n\n```diff\n(?P<example>.+)\n```\n",
    re.DOTALL,
)

EXAMPLE = "For example (- wrong, + mended)"
"""Heading of an example where it is shown."""


@dataclass(frozen=True)
class Page:
    """One check, for people who look its code up. Texts are one paragraph; `example` has a sign before each line."""

    code: str
    title: str
    meaning: str
    why: str
    remedy: str
    example: tuple[str, ...]

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """Heading and text of each part before the example; the first has no heading."""
        return (("", self.meaning), ("At run time", self.why), ("To mend it", self.remedy))

    @property
    def wrong(self) -> str:
        """The document of the example in which it is found."""
        return self._without("+")

    @property
    def right(self) -> str:
        """The document of the example, mended."""
        return self._without("-")

    def _without(self, sign: str) -> str:
        return "".join(f"{line[1:]}\n" for line in self.example if not line.startswith(sign))


@functools.cache
def codes() -> tuple[str, ...]:
    """The code of every check, in order."""
    return tuple(sorted(each.name.removesuffix(".md") for each in _PAGES.iterdir() if each.name.endswith(".md")))


@functools.cache
def page(code: str) -> Page:
    """The page of a code that is one of `codes()`."""
    found = _PAGE.fullmatch((_PAGES / f"{code}.md").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"pages/{code}.md is no page of a check")
    texts = {name: " ".join(found[name].split()) for name in ("code", "title", "meaning", "why", "remedy")}
    return Page(**texts, example=tuple(found["example"].split("\n")))


def find(word: str) -> Page:
    """The page of a code as people write it: `PH131`, `ph131` or `131`. Raises UsageError PH353."""
    code = word.upper() if word[:2].upper() == "PH" else f"PH{word}"
    if code not in codes():
        raise UsageError("PH353", f"code {word}", "there is no such code", "pilothouse explain lists them all")
    return page(code)
