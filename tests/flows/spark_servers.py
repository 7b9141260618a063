"""Spark servers of tests: one of its own for who kills it, and one that all processes of a test session share."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows import spark_server
from flows.java import Java
from metadata.settings import Settings
from tests.conftest import alone


@dataclass(frozen=True)
class SparkAddress:
    """Where a Spark server of the tests is; `home` and `pid` are None when it was running before."""

    remote: str
    home: Path | None = None
    pid: int | None = None


@contextmanager
def running_spark(home: Path, jars: Path, java: Java | None = None) -> Iterator[SparkAddress]:
    """A local Spark server of the home `home`, its Delta jars kept in `jars`; killed with its children afterwards.

    It runs on `java`, else on the Java that is found.
    """
    address = _start(home, jars, java)
    try:
        yield address
    finally:
        kill(address)


@contextmanager
def shared_spark(home: Path, jars: Path) -> Iterator[SparkAddress]:
    """The server of the home `home`, started by the first process that uses it and killed by the last."""
    noted = home.with_name(f"{home.name}.users")
    with alone(noted):
        users, remote, pid = json.loads(noted.read_text()) if noted.exists() else (0, "", 0)
        address = SparkAddress(remote, home, pid) if users else _start(home, jars, heap="2g")
        noted.write_text(json.dumps((users + 1, address.remote, address.pid)))
    yield address
    with alone(noted):
        users = json.loads(noted.read_text())[0] - 1
        noted.write_text(json.dumps((users, address.remote, address.pid)))
        if not users:
            kill(address)


def _start(home: Path, jars: Path, java: Java | None = None, heap: str = "1g") -> SparkAddress:
    settings = Settings(home=home, spark_driver_memory=heap)
    settings.logs.mkdir(parents=True, exist_ok=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    token = secrets.token_urlsafe()
    argv, environment = spark_server.spark_command(settings, port, token, java=java, ivy_folder=jars)
    with (settings.logs / "spark.out").open("wb") as output:
        process = subprocess.Popen(
            argv,
            env=environment,
            cwd=spark_server.work_folder(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    address = SparkAddress(spark_server.remote_url(port, token), home, process.pid)
    if not spark_server.wait_ready(address.remote, 180, lambda: process.poll() is None):
        kill(address)
        pytest.fail("the Spark server did not start:\n" + (settings.logs / "spark.out").read_text()[-4000:])
    return address


def kill(address: SparkAddress) -> None:
    """Kill a server that was started here, with its children, if it still runs."""
    assert address.pid is not None
    with suppress(ProcessLookupError):
        os.killpg(address.pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(address.pid, 0)
