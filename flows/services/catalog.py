"""The services of a home: how each is started, asked whether it is well, and stopped."""

from __future__ import annotations

import re
import signal
import socket
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from flows.services import logs, prefect_server, process, records
from flows.services.prefect_api import PrefectApi, basic
from flows.services.process import Identity
from flows.services.records import Record
from metadata.errors import ServiceDownError
from metadata.settings import Settings

LOOPBACK = "127.0.0.1"
LOG_BYTES = 200_000
"""As much of a log is read at each look as a server can have written since the last one."""


@dataclass(frozen=True)
class Launch:
    """What it takes to start a service, and where it can then be found."""

    argv: list[str]
    env: dict[str, str]
    folder: Path
    url: str = ""
    token: str = ""
    pass_fds: tuple[int, ...] = ()


class Service(ABC):
    """One long-lived process."""

    name: str
    start_seconds = 180.0
    """After this time without a first answer the start has failed."""
    probe_seconds = 2.0
    """Time between two looks at its health."""
    grace_seconds = 10.0
    """Time that it gets to end in an orderly way."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = settings.logs / f"{self.name}.log"

    @abstractmethod
    def launch(self, previous: Record | None) -> Launch:
        """Prepare a start; at the address of the `previous` one when that can be had again."""

    @abstractmethod
    def healthy(self, record: Record) -> bool:
        """A real call: whether it does what it is there for."""

    def spent(self) -> str:
        """Why it must be started again although it answers; empty when it need not."""
        return ""

    def waits_for(self) -> str:
        """The service without which it cannot be started now; empty when it can."""
        return ""

    def warm_up(self) -> list[str] | None:
        """Command that is run once when it has become well, so that its first user need not wait."""
        return None

    def stop(self, identity: Identity) -> None:
        """End it, with all that it started."""
        process.stop_tree(identity, self.grace_seconds)

    def kill(self, identity: Identity) -> None:
        """End it at once, because it does not answer any more."""
        process.stop_tree(identity, 2.0)

    def reason(self, said: str) -> str:
        """The reason of its end in one line, from what it `said` (in its log) since its start."""
        return logs.last_line(said)

    def progress(self, said: str) -> str:
        """What it does while it is not up yet, from what it `said`; empty where there is nothing to tell."""
        return ""

    def environment(self, without: tuple[str, ...] = (), **values: str) -> dict[str, str]:
        """Environment that marks the process as this service of this home."""
        return process.environment(self.settings.home, self.name, without, **values)


def bind(previous: Record | None) -> socket.socket:
    """A listening socket on loopback: the port of the previous record when it is free, else any free port.

    Who holds a URL of the service need not be told of a restart.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, (urlsplit(previous.url).port if previous else None) or 0))
    except OSError:
        listener.bind((LOOPBACK, 0))
    return listener


class PrefectServer(Service):
    """Prefect's server. Its socket belongs to the supervisor: while it restarts, callers wait and do not fail."""

    name = records.PREFECT

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._listener: socket.socket | None = None

    def launch(self, previous: Record | None) -> Launch:
        if self._listener is None:
            self._listener = bind(previous)
            self._listener.listen(512)
        (self.settings.home / "prefect").mkdir(mode=0o700, exist_ok=True)
        return Launch(
            argv=process.module("flows.services.prefect_server", str(self._listener.fileno())),
            env=self.environment(
                prefect_server.OURS, **prefect_server.server_settings(self.settings.home, self.settings.state)
            ),
            folder=self.settings.home,
            url=f"http://{LOOPBACK}:{self._listener.getsockname()[1]}/api",
            token=prefect_server.password(self.settings.state),
            pass_fds=(self._listener.fileno(),),
        )

    def healthy(self, record: Record) -> bool:
        with PrefectApi(record.url, basic(record.token)) as api:
            return api.healthy()


class SparkServer(Service):
    """The local Spark Connect server. Its first start downloads the Delta jars."""

    name = records.SPARK
    start_seconds = 600.0
    probe_seconds = 10.0
    grace_seconds = 8.0

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._log_start: int | None = None

    def launch(self, previous: Record | None) -> Launch:
        from flows import spark_server

        self._log_start = None
        with bind(previous) as listener:
            port = listener.getsockname()[1]
        token = records.secret(self.settings.state, self.name)
        argv, env = spark_server.spark_command(self.settings, port, token)
        marks = {name: value for name, value in self.environment().items() if name in process.MARKS}
        url = spark_server.remote_url(port, token)
        return Launch(argv, {**env, **marks}, spark_server.work_folder(self.settings), url)

    def healthy(self, record: Record) -> bool:
        from flows import spark_server

        return spark_server.ready(record.url)

    def spent(self) -> str:
        """Spark stops work between two rows that it reads; a join that makes millions of one row goes on for hours."""
        from flows import spark_server

        path = spark_server.log_file(self.settings)
        if self._log_start is None:
            self._log_start = logs.size(path)
        said = logs.tail(path, self._log_start, most=LOG_BYTES)
        return "work that was cancelled did not stop and kept a core to itself" if spark_server.STUCK in said else ""

    def reason(self, said: str) -> str:
        from flows import spark_server

        own_log = logs.tail(spark_server.log_file(self.settings), most=10_000)
        fault = spark_server.explain_start_failure(f"{said}\n{own_log}")
        return f"{fault.cause}. {fault.remedy}"

    def progress(self, said: str) -> str:
        jars = re.findall(r"downloading \S*?([^/\s]+\.jar)", said)
        return f"downloads {jars[-1]}" if jars and "artifacts copied" not in said else ""

    def warm_up(self) -> list[str] | None:
        return process.module("flows.services.warm_spark")


class Follower(Service):
    """A service of our own that follows Prefect and has no port: it says by a file that its loop goes round."""

    patience_seconds = 45.0
    """Time without a beat after which it counts as stuck."""

    def _prefect(self) -> Record | None:
        record = records.load(self.settings.state, records.PREFECT)
        return record if record is not None and record.alive() else None

    def waits_for(self) -> str:
        if self.settings.prefect_api_url is None:
            return "" if self._prefect() else records.PREFECT
        record = records.load(self.settings.state, records.PREFECT)
        return "" if record is not None and record.state == "external" else records.PREFECT

    def launch(self, previous: Record | None) -> Launch:
        records.forget_beat(self.settings.state, self.name)
        prefect = self._prefect()
        if self.settings.prefect_api_url:
            url, folder = self.settings.prefect_api_url, str(self.settings.home / "prefect")
            env = self.environment(PREFECT_API_URL=url, PREFECT_HOME=folder)
        elif prefect is not None:
            variables = prefect_server.client_settings(self.settings.home, prefect.url, prefect.token)
            url, env = prefect.url, self.environment(prefect_server.OURS, **variables)
        else:
            raise ServiceDownError("PH314", self.name, "the Prefect server has ended meanwhile", "It is tried again")
        return Launch(process.module(f"flows.services.{self.name}"), env, self.settings.home, url)

    def healthy(self, record: Record) -> bool:
        """Its loop goes round, and it follows the server that is there now."""
        age, prefect = records.beat_age(self.settings.state, self.name), self._prefect()
        moved = self.settings.prefect_api_url is None and prefect is not None and prefect.url != record.url
        return age is not None and age < self.patience_seconds and not moved


class Worker(Follower):
    """Executes flow runs, each in a process of its own that outlives a worker which is killed."""

    name = records.WORKER
    drain_seconds = 5.0
    """Time that runs get to complete when the services go down; what still runs then is cancelled."""

    def stop(self, identity: Identity) -> None:
        process.send(identity, signal.SIGTERM)
        if process.wait([identity], self.drain_seconds):
            process.stop_tree(identity, self.grace_seconds)

    def kill(self, identity: Identity) -> None:
        """Its flow processes go on; the worker that comes next settles them."""
        process.send(identity, signal.SIGKILL)
        process.wait([identity], 5)


class Projector(Follower):
    """Writes what Prefect knows of runs into our rows."""

    name = records.PROJECTOR


def services(settings: Settings) -> list[Service]:
    """The services of a home, in the order in which they are started; they are stopped the other way round.

    What is given by URL is none of them (`flows.services.given`).
    """
    own = (PrefectServer(settings), SparkServer(settings), Projector(settings), Worker(settings))
    elsewhere = records.given(settings)
    return [service for service in own if service.name not in elsewhere]
