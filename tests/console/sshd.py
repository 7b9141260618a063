"""A real sshd on loopback, and the console at its other end."""

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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.console.pty_terminal import CONSOLE

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


@contextmanager
def open_door(folder: Path) -> Iterator[Door]:
    """An sshd of the user who runs the tests, on a free port of loopback, with keys of its own in `folder`."""
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("neither sshd nor ssh is installed here")
    if os.geteuid() == 0 and not PRIVILEGE_SEPARATION.is_dir():
        pytest.skip(f"sshd needs {PRIVILEGE_SEPARATION} when root starts it")
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


def console_on(home: Path, editor: str = "true", **more: str) -> str:
    """The shell command that opens the console on a home, with `more` in its environment."""
    variables = {
        "PILOTHOUSE_HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "EDITOR": editor,
        **more,
    }
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    return f"{given} exec {shlex.join(CONSOLE)}"
