"""The console over a real sshd on loopback, as people reach it from elsewhere."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from metadata.database import Database
from metadata.rows.history import list_revisions
from tests.console.pty_terminal import Terminal
from tests.console.sshd import Door, console_on, open_door

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """How one comes in."""
    with open_door(tmp_path_factory.mktemp("ssh")) as opened:
        yield opened


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
def test_every_screen_over_ssh(door: Door, home: Path, database: Database, size: tuple[int, int]) -> None:
    with Terminal(door.command(console_on(home)), size=size, term="screen") as shown:
        shown.until("ATTENTION 4", "flights #13", "q quit", f"{getpass.getuser()}@127.0.0.1")
        for key, words in (
            ("2", ("Runs", "1–17 of 17")),
            ("3", ("Blueprint",)),
            ("4", ("Lineage",)),
            ("5", ("Models", "late_arrival")),
            ("6", ("Decisions",)),
        ):
            shown.send(key)
            text = shown.until(*words)
            assert all(len(line.rstrip()) <= size[0] for line in text.splitlines())
        shown.send("1")
        shown.until("ATTENTION 4")
        shown.send("q")
        assert shown.ended()


def test_a_dropped_connection_ends_the_console_at_the_other_end(door: Door, home: Path, database: Database) -> None:
    with Terminal(door.command(console_on(home)), term="screen") as shown:
        shown.until("ATTENTION 4")
        consoles = _processes_of(home)
        assert consoles
        shown.hang_up()
        assert shown.ended()
    deadline = time.monotonic() + 30
    while _processes_of(home):
        assert time.monotonic() < deadline, "the console is still there"
        time.sleep(0.1)


def test_an_edit_in_whose_middle_the_line_was_cut_is_applied_later_by_who_came_in(
    door: Door, home: Path, database: Database, tmp_path: Path
) -> None:
    script = tmp_path / "editor.sh"
    script.write_text(f"sed -i 's/one file a month/a file every month/' $1; touch {tmp_path}/opened; sleep 60")
    with Terminal(door.command(console_on(home, f"sh {script}")), size=(160, 48)) as shown:
        shown.until("ATTENTION 4")
        shown.send("3")
        shown.until("Flights as landed")
        shown.send("e")
        for _ in range(200):
            if (tmp_path / "opened").exists():
                break
            shown.read(0.05)
        shown.hang_up()
        assert shown.ended()
    with Terminal(door.command(console_on(home)), size=(160, 48)) as shown:
        shown.until("ATTENTION 5", "not applied, ")
        shown.send("3")
        shown.until("Flights as landed, one")
        shown.send("e")
        shown.until("An edit of dataset bronze.flights was not applied")
        shown.send("e")
        shown.until("a file every month", "y apply")
        shown.send("y")
        shown.until("revision 3 is applied")
        shown.send("q")
        assert shown.ended()
    assert list_revisions(database).items[0].author == f"{getpass.getuser()}@127.0.0.1"


def _processes_of(home: Path) -> list[int]:
    """Processes, the caller's aside, whose environment names this home."""
    mark, found = f"PILOTHOUSE_HOME={home}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in variables and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found
