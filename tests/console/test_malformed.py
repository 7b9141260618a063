"""Two hundred documents that are broken: none changes a row, shows a traceback, or ends with a code nobody knows."""

from __future__ import annotations

import itertools
import re
import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

from metadata.database import Database
from metadata.documents import dump
from metadata.revisions import apply
from metadata.settings import settings
from tests.console.malformed import LONG, documents
from tests.console.running import Commands, Ended
from tests.metadata.blueprints import orders

BROKEN = 200
COMMANDS = (("check",), ("apply",), ("diff",), ("fmt", "--check"))
"""The last two of every fourth."""


def rows() -> list[str]:
    with closing(sqlite3.connect(settings().home / "metadata.db")) as connection:
        return list(connection.iterdump())


def is_strange(ended: Ended) -> bool:
    said = ended.out + ended.err
    coded = ended.code in (0, 3) or re.search(r"PH\d{3}", said)
    return ended.code not in (0, 1, 2, 3) or not coded or "PH599" in said or "Traceback" in said or "\x1b" in said


def test_no_broken_document_changes_a_row_or_shows_a_traceback(
    empty_database: Database, run: Commands, tmp_path: Path
) -> None:
    file = tmp_path / "document.yaml"
    start = resources.files("metadata.blueprints").joinpath("start.yaml").read_bytes()
    good = [dump(orders()).encode(), start]
    apply(empty_database, orders(), author="ada", settings=settings())
    before, strange, broken = rows(), [], 0
    long_one = ("a line of 5 MB", good[-1].replace(b"Orders as they land.", b"{" + LONG))
    for name, text in itertools.chain([long_one], documents(good, seed=5)):
        file.write_bytes(text)
        ended = {command[0]: run("blueprint", *command, file) for command in COMMANDS[:1]}
        if ended["check"].code:
            broken += 1
            others = COMMANDS[1:] if broken % 4 == 0 else COMMANDS[1:2]
            ended |= {command[0]: run("blueprint", *command, file) for command in others}
            if ended["apply"].code not in (1, 2):
                strange.append((name, "apply", ended["apply"]))
        strange += [(name, command, each) for command, each in ended.items() if is_strange(each)]
        if broken == BROKEN:
            break
    assert strange == []
    assert rows() == before
