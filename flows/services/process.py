"""Processes of one home: who a process is, how it is started, found, and stopped with all that it started."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MARKS = HOME_MARK, NAME_MARK = "PILOTHOUSE_SERVICE_OF", "PILOTHOUSE_SERVICE"
"""Environment variables that every process of a home carries from its start: the home's path, the service's name."""

_START_TIME = 19  # field 22 of proc(5), counted from the state, which follows the command in parentheses


@dataclass(frozen=True)
class Identity:
    """A process for ever: its id and its start (clock ticks since the host started), so that a reused id is another."""

    pid: int
    started: int

    def alive(self) -> bool:
        """Whether this very process lives. A zombie does not."""
        return identify(self.pid) == self

    def __str__(self) -> str:
        return f"{self.pid}:{self.started}"

    @classmethod
    def parse(cls, text: str | None) -> Identity | None:
        """The identity that `str()` gave, None for anything else."""
        pid, _, started = (text or "").partition(":")
        return cls(int(pid), int(started)) if pid.isdigit() and started.isdigit() else None


def identify(pid: int) -> Identity | None:
    """Identity of the live process with this id, None where there is none (or only a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else Identity(pid, int(fields[_START_TIME]))


def ourselves() -> Identity:
    """Identity of the calling process."""
    found = identify(os.getpid())
    if found is None:  # pragma: no cover - a process reads its own /proc entry
        raise RuntimeError("/proc is not mounted")
    return found


@contextlib.contextmanager
def lock(path: Path) -> Iterator[bool]:
    """Hold the lock file for the length of the block; yields False when another process holds it.

    The kernel gives the lock back when its holder dies, however it dies: a file that was left behind locks nothing.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def environment(home: Path, name: str, without: tuple[str, ...] = (), **values: str) -> dict[str, str]:
    """Environment of a service of `home`: the caller's, without names that start with one of `without`, plus `values`.

    Carries the mark that `members` looks for, and the folder of the packages when they run from a checkout.
    """
    kept = {variable: value for variable, value in os.environ.items() if not variable.startswith(without)}
    root = str(Path(__file__).resolve().parents[2])
    if root not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        kept["PYTHONPATH"] = os.pathsep.join(part for part in (root, kept.get("PYTHONPATH")) if part)
    marks = {HOME_MARK: str(home), NAME_MARK: name}
    return {**kept, **marks, "PILOTHOUSE_HOME": str(home), "PYTHONUNBUFFERED": "1", **values}


def module(name: str, *arguments: str) -> list[str]:
    """Command that runs a module of ours with this Python, without the working folder on its path."""
    return [sys.executable, "-P", "-m", name, *arguments]


def unmarked(home: Path) -> dict[str, str]:
    """`environment` of a process of ours that is no service, and none of `members`."""
    return {variable: value for variable, value in environment(home, "").items() if variable not in MARKS}


def spawn(
    argv: Sequence[str], env: Mapping[str, str], folder: Path, log: Path, pass_fds: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, away from the terminal, with everything it says in `log`."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            argv,
            env=dict(env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            pass_fds=pass_fds,
        )
    finally:
        os.close(descriptor)


def command(identity: Identity) -> list[str]:
    """Arguments with which the process was started; empty when it is gone."""
    try:
        return psutil.Process(identity.pid).cmdline() if identity.alive() else []
    except psutil.NoSuchProcess:
        return []


def tree(root: Identity) -> list[Identity]:
    """The process and all that descend from it, the root first; empty when it does not live."""
    if not root.alive():
        return []
    try:
        below = [identify(child.pid) for child in psutil.Process(root.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    return [root, *(found for found in below if found is not None)]


def members(home: Path) -> dict[Identity, str]:
    """Every live process that carries the mark of `home`, with its service; orphans too, never the caller."""
    mark, prefix = f"{HOME_MARK}={home}".encode(), f"{NAME_MARK}=".encode()
    found: dict[Identity, str] = {}
    for pid in psutil.pids():
        try:
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        identity = identify(pid) if mark in variables and pid != os.getpid() else None
        if identity is not None:
            names = [variable.removeprefix(prefix) for variable in variables if variable.startswith(prefix)]
            found[identity] = names[0].decode() if names else ""
    return found


def send(identity: Identity, number: signal.Signals) -> None:
    """Signal this very process; nothing happens when it is gone."""
    if identity.alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, number)


def wait(identities: Iterable[Identity], seconds: float) -> list[Identity]:
    """Wait until all have ended, or until `seconds` are over; gives those that still live."""
    left, deadline = list(identities), time.monotonic() + seconds
    while left := [identity for identity in left if identity.alive()]:
        if time.monotonic() >= deadline:
            break
        time.sleep(0.05)
    return left


def stop(identities: Iterable[Identity], grace: float) -> None:
    """End processes: SIGTERM, `grace` seconds to tidy up, then SIGKILL. Returns when they are gone (or unkillable)."""
    asked = list(identities)
    for identity in asked:
        send(identity, signal.SIGTERM)
    left = wait(asked, grace)
    for identity in left:
        send(identity, signal.SIGKILL)
    wait(left, 5)


def stop_tree(root: Identity, grace: float) -> None:
    """End a process by SIGTERM; when it has ended, or after `grace` seconds, all that descends from it by SIGKILL."""
    below = tree(root)
    send(root, signal.SIGTERM)
    wait([root], grace)
    left = {*below, *tree(root)}
    for identity in left:
        send(identity, signal.SIGKILL)
    wait(left, 5)
