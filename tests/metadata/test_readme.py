"""The blueprints that the README shows."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from metadata.checks import check
from metadata.documents import read_text

README = Path(__file__).parents[2] / "README.md"
SHOWN = re.findall(r"(?:^    connections:\n)(?:^(?:    .*)?\n)+", README.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("text", SHOWN, ids=range(len(SHOWN)))
def test_a_blueprint_of_the_readme_has_nothing_wrong(text: str) -> None:
    document = read_text(textwrap.dedent(text), "README.md")
    assert [str(found) for found in check(document.blueprint)] == []


def test_the_readme_shows_a_source_of_files_and_one_of_sql() -> None:
    assert [kind for text in SHOWN for kind in re.findall(r"\{kind: (files|sql)", text)] == ["files", "sql"]
