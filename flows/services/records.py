"""What is written down about each service of a home, readable by anyone of its user while nothing runs."""

from __future__ import annotations

import json
import logging
import os
import secrets
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from flows.services import program
from flows.services.process import Identity
from metadata.settings import Settings

log = logging.getLogger("records")
State = Literal["up", "starting", "down", "external"]
"""`external`: given by URL, so neither started nor stopped here."""

SUPERVISOR, PREFECT, SPARK, MLFLOW = "supervisor", "prefect", "spark", "mlflow"
WORKER, PROJECTOR = "worker", "projector"
NAMES = (SUPERVISOR, PREFECT, SPARK, MLFLOW, WORKER, PROJECTOR)
"""All that can be a service of a home; MLflow is one only where it is given by URL, else it is a file."""
FRESH_SECONDS = 10.0
"""Age after which what was seen of a service that is given by URL counts no more."""


@dataclass(frozen=True)
class Record:
    """One service as the supervisor last saw it: its process, its state since when, its token and its URL.

    For a service without a port, `url` is that of the Prefect server which it follows. `ends` counts how often it has
    ended in a row without being asked to; while it is started again, `since` is when it went away. `program` is what it
    was started from, empty where that wrote down nothing of the kind.
    """

    name: str
    state: State
    since: datetime
    url: str = ""
    token: str = ""
    pid: int = 0
    started: int = 0
    detail: str = ""
    ends: int = 0
    program: str = field(default_factory=program.installed)

    @property
    def identity(self) -> Identity | None:
        """The process behind the service, None when there is none."""
        return Identity(self.pid, self.started) if self.pid else None

    def alive(self) -> bool:
        """Whether that very process lives, whatever the file says."""
        identity = self.identity
        return identity is not None and identity.alive()

    def now(self, state: State, detail: str = "") -> Record:
        """The same service in another state; its time stays when the state does."""
        return replace(self, state=state, detail=detail, since=self.since if state == self.state else datetime.now(UTC))


def given(settings: Settings) -> dict[str, str]:
    """The services that the settings name by URL, and where they are."""
    urls = {PREFECT: settings.prefect_api_url, SPARK: settings.spark_remote, MLFLOW: settings.mlflow_tracking_uri}
    return {name: url for name, url in urls.items() if url is not None}


def write(path: Path, text: str) -> None:
    """Put a whole file in place at once, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
    draft.replace(path)


def file(folder: Path, name: str) -> Path:
    """Where a service's record lies in the state folder of its home."""
    return folder / f"{name}.json"


def save(folder: Path, record: Record) -> None:
    """Write a record down."""
    write(file(folder, record.name), json.dumps({**asdict(record), "since": record.since.isoformat()}))


def try_save(folder: Path, record: Record) -> bool:
    """As `save`, for those who go on whatever happens: a disk that is full is said in the log. Whether it is saved."""
    try:
        save(folder, record)
    except OSError as error:
        log.warning("%s: its record cannot be written: %s", record.name, error)
        return False
    return True


def load(folder: Path, name: str) -> Record | None:
    """The record of a service; None when there is none, or when what lies there is not one.

    What another program wrote down besides is passed over.
    """
    try:
        found = {"program": "", **json.loads(file(folder, name).read_text(encoding="utf-8"))}
        found["since"] = datetime.fromisoformat(found["since"])
        known = {one.name for one in fields(Record)}
        return Record(**{key: value for key, value in found.items() if key in known})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def ask_to_start(folder: Path) -> None:
    """Ask the supervisor to start what is down now, without waiting longer after a failure."""
    (folder / "start").touch(mode=0o600)


def asked_to_start(folder: Path) -> int:
    """When that was asked for last, in nanoseconds; 0 when it never was."""
    try:
        return (folder / "start").stat().st_mtime_ns
    except OSError:
        return 0


def _beat_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.beat"


def beat(folder: Path, name: str) -> None:
    """Say that the service's own loop goes round, each second or so; of one given by URL, that it was looked at."""
    _beat_file(folder, name).touch(mode=0o600)


def beat_age(folder: Path, name: str) -> float | None:
    """Seconds since the last beat, None when there was none."""
    try:
        return max(0.0, datetime.now(UTC).timestamp() - _beat_file(folder, name).stat().st_mtime)
    except OSError:
        return None


def forget_beat(folder: Path, name: str) -> None:
    """Forget the beats of an earlier process of that service."""
    _beat_file(folder, name).unlink(missing_ok=True)


def secret(folder: Path, name: str) -> str:
    """A random value of this home, made when first asked for (43 characters, 256 bits); mode 0600."""
    path = folder / f"{name}.secret"
    if not path.exists():
        write(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8")
