"""Services that were given by URL: neither started, nor stopped, nor changed here; only looked at."""

from __future__ import annotations

import logging
import os
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlsplit

from flows.services import records
from flows.services.prefect_api import PrefectApi, given_headers
from flows.services.records import Record
from metadata.errors import PilothouseError, ServiceDownError
from metadata.settings import Settings

log = logging.getLogger("supervisor")


class Given(ABC):
    """One service of somebody else."""

    name: ClassVar[str]
    setting: ClassVar[str]
    """The variable by which it is given."""
    seconds: ClassVar[float] = 5.0
    """Time between two looks: what was seen at the last one counts for `records.FRESH_SECONDS`."""

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    def look(self) -> str:
        """Have it answer; gives what is to be said of it although it does. Raises PilothouseError when it does not."""


class GivenPrefect(Given):
    """A Prefect server, asked as we ask it for work: with our password, and from its database."""

    name = records.PREFECT
    setting = "PREFECT_API_URL"
    seconds = 2.0

    def look(self) -> str:
        with PrefectApi(self.url, given_headers()) as api:
            api.check()
        return ""


class GivenSpark(Given):
    """A Spark Connect server, asked for a query."""

    name = records.SPARK
    setting = "SPARK_REMOTE"

    def look(self) -> str:
        from flows import engine

        engine.ping(self.url)
        return ""


class GivenRegistry(Given):
    """An MLflow tracking server, asked for a model; another kind of store is looked at when it is used."""

    name = records.MLFLOW
    setting = "MLFLOW_TRACKING_URI"

    def look(self) -> str:
        if urlsplit(self.url).scheme not in ("http", "https"):
            return "no server; looked at when it is used"
        import httpx

        from flows.registry_errors import THING, explained

        try:
            answer = httpx.get(
                f"{self.url.rstrip('/')}/api/2.0/mlflow/registered-models/search",
                params={"max_results": 1},
                headers=_authorization(),
                auth=_password(),
                timeout=5.0,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceDownError(
                "PH620", THING, "its store does not answer", "Start it where it runs", str(error)
            ) from error
        if not answer.is_success:
            raise explained(RuntimeError(f"failed with error code {answer.status_code}: {answer.text[:4000]}"), THING)
        return ""


def _authorization() -> dict[str, str]:
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _password() -> tuple[str, str] | None:
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    return (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None


def given(settings: Settings) -> list[Given]:
    """The services that the settings name by URL."""
    urls = records.given(settings)
    return [kind(urls[kind.name]) for kind in (GivenPrefect, GivenSpark, GivenRegistry) if kind.name in urls]


class Look(threading.Thread):
    """Looks at one until `close()`. What it finds is in the service's record."""

    def __init__(self, settings: Settings, service: Given) -> None:
        super().__init__(name=f"look {service.name}", daemon=True)
        self._service = service
        self._folder = settings.state
        self._closing = threading.Event()

    def close(self) -> None:
        """Stop looking; returns at once, `join()` waits for it."""
        self._closing.set()

    def run(self) -> None:
        """Look, write down what has changed, wait."""
        service = self._service
        record = Record(service.name, "starting", datetime.now(UTC), service.url, detail="looked at for the first time")
        records.try_save(self._folder, record)
        while not self._closing.is_set():
            seen = self._seen(record)
            with suppress(OSError):  # then what it was counts no more
                records.beat(self._folder, service.name)
            is_other = (seen.state, seen.detail) != (record.state, record.detail)
            if is_other and records.try_save(self._folder, seen):
                log.info("%s, given by %s: %s %s", service.name, service.setting, seen.state, seen.detail)
                record = seen
            self._closing.wait(service.seconds)

    def _seen(self, record: Record) -> Record:
        try:
            return record.now("external", self._service.look())
        except PilothouseError as error:
            reason = f"{error.fault.cause} ({error.fault.code})"
        except Exception as error:  # noqa: BLE001 - whatever a look raises, the service is not well
            reason = f"{type(error).__name__}: {error}"
        return record.now("down", f"{reason}; given by {self._service.setting}")
