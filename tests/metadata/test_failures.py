"""The codes of failures: each has its line, and each line is of a code that is raised."""

from __future__ import annotations

import re
from pathlib import Path

from metadata.checks.catalogue import codes
from metadata.failures import failure_of, failures

ROOT = Path(__file__).parents[2]
ROOMS = ("metadata", "flows", "console")


def raised() -> set[str]:
    """Every code that stands in the sources as a text of its own."""
    files = (file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
    return {code for file in files for code in re.findall(r'"(PH\d{3})"', file.read_text(encoding="utf-8"))}


def test_every_code_that_is_raised_is_explained_and_no_other() -> None:
    assert set(codes()) | set(failures()) == raised()
    assert not set(codes()) & set(failures())


def test_a_line_is_a_sentence_and_what_to_do() -> None:
    text = (ROOT / "metadata" / "failures.md").read_text(encoding="utf-8")
    assert [line[:5] for line in text.splitlines() if line.startswith("PH")] == sorted(failures())
    for each in failures().values():
        assert each.meaning[0].isupper()
        assert not each.meaning.endswith(".")
        assert each.remedy[-1] in ".…"


def test_a_code_is_found_as_people_write_it() -> None:
    assert failure_of("PH216") == failure_of("ph216") == failure_of("216") == failures()["PH216"]
    assert failure_of("PH131") is failure_of("ph31") is failure_of("") is None
