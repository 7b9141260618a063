"""One service under watch: started, asked whether it is well, started again when it is not."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from flows.services import logs, process, records
from flows.services.catalog import Follower, Service
from flows.services.process import Identity
from flows.services.records import Record
from metadata.errors import PilothouseError

FIRST_DELAY, LONGEST_DELAY, STABLE_SECONDS = 0.5, 30.0, 60.0
"""Seconds to the first restart, at most, and of running after which an end counts as the first again."""
MISSES = 4
"""Looks in a row at a service without an answer, after which it is killed and started again."""
GLANCE_SECONDS = 0.2
"""Time between two looks at whether the process lives."""
REAP_SECONDS = 2.0
"""Time that a process which is no longer alive may take to be gone for good."""

log = logging.getLogger("supervisor")


def delay(failures: int) -> float:
    """Seconds to wait before the next start, after so many ends in a row: doubled each time, up to a limit."""
    return min(FIRST_DELAY * 2.0 ** min(failures - 1, 16), LONGEST_DELAY)


def _moved(before: str, now: str) -> str:
    """That a service is no longer at the port it had, when it is not."""
    old, new = urlsplit(before).port, urlsplit(now).port
    return f"port {old} was taken by another process: it is at {new}" if old and new and old != new else ""


class Watch(threading.Thread):
    """Keeps one service up until `close()`. Everything that it finds out is in the service's record."""

    def __init__(self, service: Service) -> None:
        super().__init__(name=f"watch {service.name}", daemon=True)
        self._service = service
        self._folder = service.settings.state
        self._closing = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._ended = self._moved = ""

    def close(self) -> None:
        """End the service in an orderly way and stop watching; returns at once, `join()` waits for it."""
        self._closing.set()

    def run(self) -> None:
        record, failures = records.load(self._folder, self._service.name), 0
        while not self._closing.is_set():
            begun = time.monotonic()
            try:
                if record is None or not record.alive():
                    record = self._start(record)
                reason = self._follow(record)
            except PilothouseError as error:
                reason = str(error)
            except Exception as error:
                log.debug("%s", self._service.name, exc_info=True)
                reason = f"{type(error).__name__}: {error}"
            if self._closing.is_set():
                break
            failures = 1 if time.monotonic() - begun > STABLE_SECONDS else failures + 1
            log.warning("%s: %s; starts again in %g s", self._service.name, reason, delay(failures))
            self._ended = reason
            record = self._down(record, reason, failures)
            self._rest(delay(failures))
        if record is not None and (identity := record.identity) is not None:
            self._service.stop(identity)
            self._down(record, "stopped")
        self._reap()

    def _rest(self, seconds: float) -> None:
        """Wait before the next start; not longer when somebody asks for it, having mended the cause."""
        until, asked = time.monotonic() + seconds, records.asked_to_start(self._folder)
        while time.monotonic() < until and not self._closing.wait(GLANCE_SECONDS):
            if records.asked_to_start(self._folder) != asked:
                return

    def _start(self, previous: Record | None) -> Record:
        while (other := self._service.waits_for()) and not self._closing.wait(GLANCE_SECONDS):
            log.debug("%s waits for %s", self._service.name, other)
        launch = self._service.launch(previous)
        self._log_start = logs.size(self._service.log)
        self._child = process.spawn(launch.argv, launch.env, launch.folder, self._service.log, launch.pass_fds)
        identity = process.identify(self._child.pid) or Identity(self._child.pid, 0)
        log.info("%s: started as process %d", self._service.name, identity.pid)
        away = previous if previous is not None and previous.ends else None
        self._ended = self._ended or (away.detail if away else "")
        if previous is not None and not isinstance(self._service, Follower):
            self._moved = _moved(previous.url, launch.url)
        record = Record(
            name=self._service.name,
            state="starting",
            since=away.since if away else datetime.now(UTC),
            url=launch.url,
            token=launch.token,
            pid=identity.pid,
            started=identity.started,
            detail=self._ended,
            ends=away.ends if away else 0,
        )
        records.try_save(self._folder, record)
        return record

    def _follow(self, record: Record) -> str:
        """Look at it until it ends, does not answer, or is to be closed; gives the reason of its end."""
        identity = record.identity or Identity(0, 0)
        ready, born, looked, misses = record.state == "up", time.monotonic(), 0.0, 0
        while not self._closing.wait(GLANCE_SECONDS):
            self._reap()
            if not identity.alive():
                return self._reason(self._exit_code(identity))
            if time.monotonic() - looked < (self._service.probe_seconds if ready else GLANCE_SECONDS):
                continue
            well, looked = self._well(record), time.monotonic()
            if well and not ready:
                ready = True
                self._warm_up()
            misses = 0 if well or not ready else misses + 1
            record = self._note(record, well) if ready else self._note_start(record)
            if ready and (spent := self._service.spent()):
                self._service.kill(identity)
                return spent
            late = not ready and time.monotonic() - born > self._service.start_seconds
            if late or misses >= MISSES:
                self._service.kill(identity)
                return (
                    f"it did not answer in {self._service.start_seconds:g} s" if late else "it did not answer any more"
                )
        return "stopped"

    def _well(self, record: Record) -> bool:
        try:
            return self._service.healthy(record)
        except Exception as error:  # noqa: BLE001 - whatever a look raises, the service is not well
            log.debug("%s: %s", self._service.name, error)
            return False

    def _note(self, record: Record, well: bool) -> Record:
        seen = replace(record.now("up", self._moved), ends=0) if well else record.now("down", "it does not answer")
        if seen.state != record.state:
            log.info("%s: %s %s", seen.name, seen.state, seen.detail)
            records.try_save(self._folder, seen)
        return seen

    def _note_start(self, record: Record) -> Record:
        seen = record.now(record.state, self._service.progress(self._said()) or self._ended)
        if seen.detail != record.detail:
            records.try_save(self._folder, seen)
        return seen

    def _warm_up(self) -> None:
        command = self._service.warm_up()
        if command is not None:
            process.spawn(command, self._service.environment(), self._service.settings.home, self._service.log)

    def _down(self, record: Record | None, reason: str, ends: int = 0) -> Record:
        """Write down that it is not there: since the first of so many `ends` in a row."""
        newest = records.load(self._folder, self._service.name)  # it may have come up since it was started
        base = newest or record or Record(self._service.name, "starting", datetime.now(UTC))
        since = base.since if base.ends else datetime.now(UTC)
        record = replace(base, state="down", detail=reason, since=since, ends=ends)
        records.try_save(self._folder, record)
        return record

    def _reap(self) -> None:
        """Let the process go if it has ended and was started by this supervisor."""
        if self._child is not None:
            self._child.poll()

    def _exit_code(self, identity: Identity) -> int | None:
        """Exit code of a process that has ended just now; None when it was started by somebody else."""
        if self._child is None or self._child.pid != identity.pid:
            return None
        try:
            return self._child.wait(REAP_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def _said(self) -> str:
        return logs.tail(self._service.log, self._log_start)

    def _reason(self, code: int | None) -> str:
        if code is not None and code < 0:
            return f"the process was killed by {signal.Signals(-code).name}"
        return f"the process has ended: {self._service.reason(self._said())}"
