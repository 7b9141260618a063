"""The model registry: MLflow behind one class. Our rows say which version serves; the aliases in MLflow follow them.

MLflow is imported at first use (1.3–3 s). Nothing here touches its process-wide state, so that tasks of several runs
may register side by side. Models are stored pickled: loading one runs its code, so the store is to be trusted as code.
"""

from __future__ import annotations

import os
import pickle
import socket
import sqlite3
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

from flows.registry_errors import THING, explained
from metadata.database import Database
from metadata.errors import PilothouseError
from metadata.migrations import locked
from metadata.rows.models import Alias, ModelFeature, holder, other_store
from metadata.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL_FILE = "model.pkl"
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
"""What MLflow reads, where nobody has said otherwise: a server that goes away is told within seconds, not minutes."""
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class Registered:
    """A version in the registry: its number, the tracking run that made it, and the URI of its files."""

    version: int
    tracking_run_id: str
    source: str


@dataclass(frozen=True)
class Candidate:
    """A fitted model that is to be registered, and what is kept beside it."""

    name: str
    estimator: Any
    features: Sequence[ModelFeature]
    requirements: Sequence[str]
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    """What tells this version from all others: the same tags are never registered twice."""
    rows: str
    digest: str


def tracking_uri(settings: Settings) -> str:
    """Where MLflow keeps its rows: the URI that was given, else a SQLite file in the home."""
    return settings.mlflow_tracking_uri or f"sqlite:///{settings.home / 'mlflow.db'}"


def registered_name(model_key: str, model_uid: str, source: str | None) -> str:
    """The model's name in the registry: that of its earlier versions (`source` of one), else of its key and uid.

    A model that is renamed keeps its name there; two models that had the same key one after the other do not meet.
    """
    return source.split("/")[-2] if source else f"{model_key}-{model_uid[:8]}"


def prepare(settings: Settings) -> None:
    """Create or upgrade the embedded store (a new one takes some 4 s). A store by URI is left to its owner."""
    if settings.mlflow_tracking_uri is None:
        Registry.of(settings).check()
        with closing(sqlite3.connect(settings.home / "mlflow.db")) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


class Registry:
    """Model versions in one MLflow store. `folder` holds their files; None leaves it to the tracking server.

    Whatever MLflow, its store or a model raises is told by the table of `flows.registry_errors`: PilothouseError PH62x
    and PH63x, ServiceDownError when the store is away, PH64x for a model that cannot be loaded.
    """

    def __init__(self, uri: str, folder: Path | None) -> None:
        self._uri = uri
        self._folder = folder

    @classmethod
    def of(cls, settings: Settings) -> Registry:
        """The registry that the settings name."""
        embedded = settings.mlflow_tracking_uri is None
        return cls(tracking_uri(settings), settings.home / "models" if embedded else None)

    def check(self) -> None:
        """Have the store answer."""
        with _told(THING):
            self._client.search_registered_models(max_results=1)

    def register(self, candidate: Candidate) -> Registered:
        """Store and register a version, once: a version with the same tags is returned as it is."""
        with _told(f"model {candidate.name}"):
            return self._register(candidate)

    def _register(self, candidate: Candidate) -> Registered:
        client = self._client
        known = self._find(candidate)
        if known is not None:
            return known
        run = client.create_run(self._experiment(candidate.name), tags=dict(candidate.tags))
        run_id = run.info.run_id
        self._log(run_id, candidate)
        with tempfile.TemporaryDirectory() as folder:
            _save(candidate, Path(folder) / "model")
            client.log_artifacts(run_id, str(Path(folder) / "model"), "model")
        files = f"{run.info.artifact_uri}/model"
        version = client.create_model_version(candidate.name, files, run_id, tags=dict(candidate.tags))
        client.set_terminated(run_id)
        return Registered(int(version.version), run_id, f"models:/{candidate.name}/{version.version}")

    def model_bytes(self, source: str, tracking_run_id: str | None = None) -> bytes:
        """The pickled model of a version, by its `models:/` URI.

        Raises PilothouseError PH612 when another tracking run made it: then it is a version of another store.
        """
        import mlflow.artifacts

        name, version = source.split("/")[-2:]
        thing = f"model {name} version {version}"
        with _told(thing), tempfile.TemporaryDirectory() as folder:
            if tracking_run_id and self._client.get_model_version(name, version).run_id != tracking_run_id:
                raise other_store(thing)
            files = self._client.get_model_version_download_uri(name, version)
            path = mlflow.artifacts.download_artifacts(
                artifact_uri=f"{files}/{MODEL_FILE}", dst_path=folder, tracking_uri=self._uri
            )
            return Path(path).read_bytes()

    def model(self, source: str, tracking_run_id: str | None = None) -> Any:
        """The fitted model of a version, as `model_bytes` finds it. Loading it runs its code."""
        data, (name, version) = self.model_bytes(source, tracking_run_id), source.split("/")[-2:]
        with _told(f"model {name} version {version}"):
            return pickle.loads(data)  # noqa: S301 - the registry is trusted as code

    def align(self, database: Database, model_uid: str, source: str) -> None:
        """Make the aliases of a model what our rows say, whatever a kill left; `source` is of any of its versions."""
        name = source.split("/")[-2]
        wanted = {alias: holder(database, model_uid, alias) for alias in get_args(Alias)}
        with _told(f"model {name}"):
            found = self._client.get_registered_model(name).aliases
            for alias, version in wanted.items():
                if version is None and alias in found:
                    self._client.delete_registered_model_alias(name, alias)
                elif version is not None and str(found.get(alias)) != str(version.version):
                    self._client.set_registered_model_alias(name, alias, str(version.version))

    @cached_property
    def _client(self) -> MlflowClient:
        _probe(self._uri)
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        import logging

        from mlflow import MlflowClient

        for noisy in ("alembic", "mlflow"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        if self._folder is not None:
            with locked(self._folder.with_name("mlflow.db")):  # or two who are first would both make its tables
                client.search_registered_models(max_results=1)
        return client

    def _find(self, candidate: Candidate) -> Registered | None:
        self._ensure_named(candidate.name)
        found = self._client.search_model_versions(f"name = '{candidate.name}'", order_by=["version_number DESC"])
        for version in found:
            if all(version.tags.get(key) == value for key, value in candidate.tags.items()):
                source = f"models:/{candidate.name}/{version.version}"
                return Registered(int(version.version), str(version.run_id), source)
        return None

    def _ensure_named(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = str(self._folder / name) if self._folder else None
        return str(self._client.create_experiment(name, artifact_location=location))

    def _log(self, run_id: str, candidate: Candidate) -> None:
        from mlflow.entities import Dataset, DatasetInput, Metric, Param
        from mlflow.utils.time import get_current_time_millis

        now = get_current_time_millis()
        self._client.log_batch(
            run_id,
            metrics=[Metric(name, value, now, 0) for name, value in candidate.metrics.items()],
            params=[Param(name, str(value)[:500]) for name, value in candidate.params.items()],
        )
        data = Dataset(
            name=candidate.rows, digest=candidate.digest[:32], source_type="delta", source=candidate.rows, schema=None
        )
        self._client.log_inputs(run_id, [DatasetInput(data)])


@contextmanager
def _told(thing: str) -> Iterator[None]:
    try:
        yield
    except PilothouseError:
        raise
    except Exception as error:
        raise explained(error, thing) from error


def _probe(uri: str) -> None:
    """Raises ServiceDownError PH620 when nothing listens at the address: MLflow would try again for minutes."""
    parts = urlsplit(uri)
    port = parts.port or PORTS.get(parts.scheme.partition("+")[0])
    through_proxy = parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(parts.netloc)
    if parts.hostname is None or port is None or through_proxy:
        return
    with _told(THING):
        socket.create_connection((parts.hostname, port), timeout=PROBE_SECONDS).close()


def _save(candidate: Candidate, folder: Path) -> None:
    import mlflow.sklearn
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    types = {"number": "double", "category": "string"}
    columns = [ColSpec(types[item.kind], item.name, required=False) for item in candidate.features]
    mlflow.sklearn.save_model(
        candidate.estimator,
        path=str(folder),
        serialization_format="cloudpickle",
        signature=ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec("double")])),
        pip_requirements=list(candidate.requirements),
    )
