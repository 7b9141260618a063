"""Processes are told apart for ever, found by their mark, and ended with all that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.services import flow_process, logs, process, records
from flows.services.process import Identity
from flows.services.records import Record
from tests.console import faults
from tests.flows.homes import until

SLEEP = "import time; time.sleep(60)"
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    children: list[subprocess.Popen[bytes]] = []

    def begin(code: str, **variables: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, **variables})
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()
        child.wait()


def _identity(child: subprocess.Popen[bytes]) -> Identity:
    identity = process.identify(child.pid)
    assert identity is not None
    return identity


def test_a_reused_process_id_is_another_process(start: Start) -> None:
    identity = _identity(start(SLEEP))
    assert identity.alive()
    assert not Identity(identity.pid, identity.started - 1).alive()


def test_a_zombie_is_not_alive(start: Start) -> None:
    child = start("")
    deadline = time.monotonic() + 10
    while process.identify(child.pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_identity_survives_being_written_down(start: Start) -> None:
    identity = process.ourselves()
    assert Identity.parse(str(identity)) == identity
    assert [Identity.parse(text) for text in (None, "", "12", "12:", "x:1", "1:-2")] == [None] * 6


def test_a_signal_never_reaches_a_process_that_reused_the_id(start: Start) -> None:
    child = start(SLEEP)
    identity = _identity(child)
    earlier = Identity(identity.pid, identity.started - 1)
    process.stop([earlier], 0)
    process.stop_tree(earlier, 0)
    assert identity.alive()


def test_stopping_a_tree_ends_descendants_in_other_sessions(start: Start) -> None:
    parent = start(PARENT)
    assert parent.stdout is not None
    grandchild = process.identify(int(parent.stdout.readline()))
    assert grandchild is not None
    process.stop_tree(_identity(parent), 5)
    assert parent.wait(5) == -signal.SIGTERM
    assert not grandchild.alive()


def test_who_ignores_sigterm_is_killed(start: Start) -> None:
    child = start(STUBBORN)
    assert child.stdout is not None
    child.stdout.readline()
    process.stop([_identity(child)], 0.2)
    assert child.wait(5) == -signal.SIGKILL


def test_members_are_found_by_their_mark_even_when_orphaned(start: Start, tmp_path: Path) -> None:
    marks = {process.HOME_MARK: str(tmp_path), process.NAME_MARK: "worker"}
    parent = start(PARENT, **marks)
    other = start(SLEEP, **{**marks, process.HOME_MARK: f"{tmp_path}-other"})
    assert parent.stdout is not None
    orphan = process.identify(int(parent.stdout.readline()))
    assert orphan is not None
    parent.kill()
    parent.wait()
    until(lambda: process.members(tmp_path) == {orphan: "worker"}, 5, "the orphan is found, and nobody else")
    process.stop(process.members(tmp_path), 5)
    assert not orphan.alive()
    assert _identity(other).alive()


def test_the_lock_goes_to_one_and_is_free_when_its_holder_was_killed(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = start(
        f"""
import time
import uuid
from pathlib import Path
from flows.services import process
with process.lock(Path({str(path)!r})) as ours:
    print(ours, flush=True)
    time.sleep(60)
""",
        PYTHONPATH=os.pathsep.join(sys.path),
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"True\n"
    with process.lock(path) as ours:
        assert not ours
    holder.kill()
    holder.wait()
    with process.lock(path) as ours:
        assert ours


def test_a_service_gets_no_settings_of_another_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "not:ours")
    env = process.environment(tmp_path, "prefect", ("PREFECT_",), PREFECT_HOME="x")
    assert "PREFECT_API_AUTH_STRING" not in env
    assert env["PREFECT_HOME"] == "x"
    assert env["PILOTHOUSE_HOME"] == env[process.HOME_MARK] == str(tmp_path)


def test_a_log_is_set_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    with path.open("ab", buffering=0) as writer:
        for generation in range(5):
            writer.write(b"%d" % generation * 20)
            logs.rotate(path, most=10, kept=2)
        writer.write(b"last line\n\n")
    assert path.read_bytes() == b"last line\n\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"4" * 20
    assert (tmp_path / "x.log.2").read_bytes() == b"3" * 20
    assert not (tmp_path / "x.log.3").exists()
    assert logs.last_line(logs.tail(path)) == "last line"
    assert logs.tail(path, since=5) == "line\n\n"
    assert logs.tail(path, most=3) == "e\n\n"
    assert logs.tail(path, since=1000) == "last line\n\n"
    assert logs.tail(tmp_path / "none.log") == ""


def test_a_log_is_emptied_where_there_is_no_room_to_set_it_aside(tmp_path: Path) -> None:
    with faults.small_disk(tmp_path / "small", 1):
        path = tmp_path / "small" / "x.log"
        path.write_bytes(b"x" * 700_000)
        logs.rotate(path, most=10)
        assert [one.name for one in path.parent.iterdir()] == ["x.log"]
        assert path.read_bytes() == b""


def test_notes_of_flow_processes_go_when_their_processes_have(tmp_path: Path) -> None:
    folder, alive, ended = tmp_path / "flow-runs", uuid.uuid4(), uuid.uuid4()
    folder.mkdir()
    me = process.ourselves()
    flow_process.note(tmp_path, alive).write_text(str(me))
    flow_process.note(tmp_path, ended).write_text(str(Identity(me.pid, me.started - 1)))
    (folder / ".draft").write_text("")
    gone = flow_process.note(tmp_path, uuid.uuid4())
    gone.symlink_to(tmp_path / "gone")  # as one that an earlier worker removes after it was listed
    assert flow_process.going_on(tmp_path) == {me}
    flow_process.forget_ended(tmp_path)
    assert flow_process.noted(tmp_path, alive) == me
    assert flow_process.noted(tmp_path, ended) is None


def test_a_process_of_another_host_is_not_ours() -> None:
    me = process.ourselves()
    assert flow_process.here(flow_process.place(me)) == me
    assert flow_process.here(f"elsewhere/{me}") is None
    assert flow_process.here(None) is None


def test_a_record_that_cannot_be_written_ends_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").touch()
    records.try_save(tmp_path / "state", Record(records.SPARK, "down", datetime.now(UTC)))
    assert "spark: its record cannot be written" in caplog.text
