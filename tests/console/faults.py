"""Faults as they happen: small disks, locks, and pipelines each of which meets one; and how long it takes to tell."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.console.pty_terminal import Terminal

SECONDS = 10.0
NARROW = (80, 24)


def pilothouse(*words: str) -> subprocess.Popen[str]:
    """A command on its way, in the home that the environment names."""
    argv = [sys.executable, "-m", "console", *words]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def squeezed(text: str) -> str:
    """Without spaces and breaks of lines, which fall where the length of a path puts them."""
    return "".join(text.split())


def soon(shown: Terminal, *words: str) -> None:
    """All words stand on the screen within 10 s, wherever their lines break."""
    for _ in range(int(SECONDS / 0.1)):
        shown.read(0.1)
        if all(squeezed(word) in squeezed(shown.text) for word in words):
            return
    raise AssertionError(f"{words} were not on screen within {SECONDS:g} s:\n{shown.text}")


@dataclass(frozen=True)
class Case:
    """A task whose source is wrong in one way, and what a person is to read of it.

    `files` are what lies in its folder, None for no folder at all; `mended` is what is put there instead.
    """

    name: str
    code: str = ""
    words: tuple[str, ...] = ()
    files: dict[str, str] | None = field(default_factory=dict)
    mended: dict[str, str] = field(default_factory=lambda: {"a.csv": "id,place\n1,Rome\n"})
    rule: str = ""


POSITIVE = ", quality: {positive: {expect: id > 0, otherwise: fail}}"
CASES = (
    Case("missing_column", "PH210", ("a.csv", "place"), {"a.csv": "id\n1\n"}),
    Case("extra_column", "PH211", ("a.csv", "colour"), {"a.csv": "id,place,colour\n1,Rome,red\n"}),
    Case("wrong_type", "PH214", ("id", "'many'"), {"a.csv": "id,place\nmany,Rome\n"}),
    Case("empty_file", "PH235", ("a.csv", "is empty"), {"a.csv": ""}),
    Case("no_folder", "PH232", ("no_folder is not there",), None),
    Case("broken_rule", "PH220", ("1 of 2 rows", "positive"), {"a.csv": "id,place\n1,Rome\n-2,Oslo\n"}, rule=POSITIVE),
)
NO_MATCH = Case("no_match", "PH232", ("no file matches", "a.txt"), {"a.txt": "id,place\n1,Rome\n"})
FULL_DISK = Case("full_disk", "PH430", ("the disk is full",))
GOOD = Case("good", files={"a.csv": "id,place\n1,Rome\n"})


def blueprint(pipeline: str, *cases: Case) -> str:
    """A pipeline with a task for each case, and what they need."""
    lines = ["connections:"]
    lines += [f"  {case.name}: {{kind: files, path: {case.name}}}" for case in cases]
    lines += ["datasets:"]
    lines += [f"  bronze.{case.name}: {{columns: {{id: long, place: string}}{case.rule}}}" for case in cases]
    lines += ["pipelines:", f"  {pipeline}:", "    tasks:"]
    for case in cases:
        source = f'{{connection: {case.name}, files: "*.csv"}}'
        lines.append(f"      {case.name}: {{kind: ingest, from: {source}, to: bronze.{case.name}}}")
    return "\n".join(lines) + "\n"


def much(rows: int = 100_000) -> str:
    """A CSV of text that does not compress well: 32 bytes a row."""
    chance = random.Random(1)
    return "id,place\n" + "".join(f"{number},{chance.randbytes(16).hex()}\n" for number in range(rows))


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[None]:
    """A disk of its own at `folder`, so large; the test is skipped, visibly, where none can be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=700", "tmpfs", str(folder)]
    if _fails(mount):
        pytest.skip("a small disk cannot be mounted here: that needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def enlarge(folder: Path, mebibytes: int) -> None:
    """Somebody makes room on a small disk."""
    subprocess.run(["mount", "-o", f"remount,size={mebibytes}m", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the room that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(b"x" * 4_096):
            pass
    return filler


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process keeps an embedded database to itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Nobody may write a file; the test is skipped, visibly, where root cannot be kept from that."""
    path.chmod(0o444)
    try:
        if os.access(path, os.W_OK) and _fails(["chattr", "+i", str(path)]):
            pytest.skip("root may write every file here")
        yield
    finally:
        made_writable(path)


def made_writable(path: Path) -> None:
    """Its owner may write it again."""
    _fails(["chattr", "-i", str(path)])
    path.chmod(0o600)


def _fails(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode != 0
    except OSError:
        return True
