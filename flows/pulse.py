"""The pulse of a run: a heartbeat with the progress of its running tasks, and its log lines, written as rows."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import Any

from metadata.database import Database, patience, waiting_at_most
from metadata.errors import ServiceDownError
from metadata.rows.logs import LogLine, write_lines
from metadata.rows.task_runs import beat
from metadata.values import counted, storable

BEAT_SECONDS = 5.0
FLUSH_SECONDS = 0.5
KEPT_WHILE_AWAY = 2_000

_complaints = logging.getLogger("pilothouse.pulse")


class Pulse(threading.Thread):
    """Writes heartbeats each 5 s, progress and log lines each half second. Database trouble is waited out."""

    def __init__(self, database: Database, run_id: str, attempt: int, cap: int) -> None:
        super().__init__(name="pulse", daemon=True)
        self._database = database
        self._run_id = run_id
        self._attempt = attempt
        self._cap = cap
        self._lock = threading.Lock()
        self._running: dict[str, dict[str, Any] | None] = {}
        self._lines: list[LogLine] = []
        self._stopping = threading.Event()

    def begin(self, task_run_id: str) -> None:
        """A task run begins: it beats from now on."""
        with self._lock:
            self._running[task_run_id] = None

    def report(self, task_run_id: str, what: str, done: int, total: int) -> None:
        """Progress of a task run: `done` of `total` of `what`."""
        with self._lock:
            if task_run_id in self._running:
                self._running[task_run_id] = {"what": what, "done": done, "total": total}

    def end(self, task_run_id: str) -> None:
        """A task run has ended."""
        with self._lock:
            self._running.pop(task_run_id, None)

    def line(self, task_key: str, record: logging.LogRecord, text: str) -> None:
        """One log line of a task (or of the run itself, with an empty key)."""
        at = datetime.fromtimestamp(record.created, UTC)
        with self._lock:
            self._lines.append(LogLine(self._run_id, self._attempt, task_key, at, record.levelname, storable(text)))
            del self._lines[:-KEPT_WHILE_AWAY]

    def run(self) -> None:
        """Until `close`."""
        since_beat = BEAT_SECONDS
        while not self._stopping.wait(FLUSH_SECONDS):
            since_beat += FLUSH_SECONDS
            if self._flush(beats=since_beat >= BEAT_SECONDS):
                since_beat = 0.0

    def close(self) -> None:
        """Write what is left and stop."""
        self._stopping.set()
        if self.is_alive():
            self.join(timeout=10)
        self._flush(beats=False)

    def _flush(self, beats: bool) -> bool:
        """True when a heartbeat was written."""
        with self._lock:
            lines, self._lines = self._lines, []
            moved = any(self._running.values())
            progress = dict(self._running)
            for task_run_id in self._running:
                self._running[task_run_id] = None
        beaten = False
        try:
            if beats or moved:
                beat(self._database, self._run_id, self._attempt, progress)
                beaten = True
        except Exception as error:  # noqa: BLE001 - the next beat may get through
            _complaints.warning("no heartbeat: %s", error)
        self._write(lines)
        return beaten

    def _write(self, lines: list[LogLine]) -> None:
        """Lines may wait for a database that is away, and are let go when it refuses them; no beat waits for them."""
        try:
            with waiting_at_most(min(patience(), BEAT_SECONDS)):
                write_lines(self._database, lines, self._cap)
        except ServiceDownError as error:
            _complaints.warning("%s", error)
            with self._lock:
                self._lines = lines + self._lines
        except Exception as error:  # noqa: BLE001 - lines may be lost, the heartbeat may not
            _complaints.warning(
                "%s not be written, and let go: %s", counted(len(lines), "line could", "lines could"), error
            )


class RowHandler(logging.Handler):
    """Sends the log records of one task to the pulse."""

    def __init__(self, pulse: Pulse, task_key: str) -> None:
        super().__init__(logging.INFO)
        self._pulse = pulse
        self._task_key = task_key

    def emit(self, record: logging.LogRecord) -> None:
        """One record becomes one line."""
        self._pulse.line(self._task_key, record, self.format(record))


def task_logger(pulse: Pulse, run_id: str, task_key: str) -> logging.Logger:
    """The logger of one task of a run; its lines become rows and go nowhere else."""
    logger = logging.Logger(f"pilothouse.run.{run_id}.{task_key}", logging.INFO)
    logger.addHandler(RowHandler(pulse, task_key))
    return logger
