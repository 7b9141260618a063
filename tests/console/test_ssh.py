"""The console over a real sshd on loopback, as people reach it from elsewhere."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from metadata.database import Database
from metadata.revisions import list_revisions
from tests.console.pty_terminal import CONSOLE, Terminal

pytestmark = pytest.mark.slow
PRIVILEGE_SEPARATION = Path("/run/sshd")
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""


@dataclass(frozen=True)
class Door:
    """A running sshd, and how one comes in."""

    port: int
    folder: Path

    def command(self, remote: str) -> tuple[str, ...]:
        """Runs `remote` on a terminal at the other end."""
        options = (
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            f"UserKnownHostsFile={self.folder}/known",
            "LogLevel=ERROR",
        )
        given = [word for option in options for word in ("-o", option)]
        who = f"{getpass.getuser()}@127.0.0.1"
        return ("ssh", "-tt", "-F", "none", "-i", f"{self.folder}/user", "-p", str(self.port), *given, who, remote)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """An sshd of the user who runs the tests, on a free port of loopback, with keys of its own."""
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("neither sshd nor ssh is installed here")
    if os.geteuid() == 0 and not PRIVILEGE_SEPARATION.is_dir():
        pytest.skip(f"sshd needs {PRIVILEGE_SEPARATION} when root starts it")
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    (folder / "config").write_text(CONFIGURATION.format(port=port, folder=folder))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "config"], stdin=subprocess.DEVNULL, stderr=log)
    try:
        _wait_for(port, server, folder / "log")
        yield Door(port, folder)
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"sshd did not start: {log.read_text()}")
            time.sleep(0.1)


def _console(home: Path, editor: str = "true") -> str:
    """The shell command that opens the console on a home."""
    variables = {
        "PILOTHOUSE_HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "EDITOR": editor,
    }
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    return f"{given} exec {shlex.join(CONSOLE)}"


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
def test_every_screen_over_ssh(door: Door, home: Path, database: Database, size: tuple[int, int]) -> None:
    with Terminal(door.command(_console(home)), size=size, term="screen") as shown:
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
    with Terminal(door.command(_console(home)), term="screen") as shown:
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
    with Terminal(door.command(_console(home, f"sh {script}")), size=(160, 48)) as shown:
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
    with Terminal(door.command(_console(home)), size=(160, 48)) as shown:
        shown.until("ATTENTION 5", "an edit of ")
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
    assert list_revisions(database)[0].author == f"{getpass.getuser()}@127.0.0.1"


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
