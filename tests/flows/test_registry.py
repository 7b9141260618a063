"""The registry on a real MLflow store: names that last, files that are there, aliases that follow our rows."""

from __future__ import annotations

import pickle
import shutil
import sqlite3
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sklearn.dummy import DummyClassifier

from flows.registry import Candidate, Registry, prepare, registered_name
from metadata.rows.models import ModelFeature
from metadata.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path: Path, store: Path) -> Settings:
    shutil.copy(store, tmp_path / "mlflow.db")
    return Settings(home=tmp_path)


def candidate(digest: str = "a" * 64) -> Candidate:
    return Candidate(
        name="late-12345678",
        estimator=DummyClassifier().fit([[0], [1]], [0, 1]),
        features=(ModelFeature(name="x", kind="number"),),
        requirements=("scikit-learn",),
        params={"estimator": "sklearn.dummy.DummyClassifier"},
        metrics={"accuracy": 0.5},
        tags={"pilothouse.digest": digest},
        rows="bronze.trips",
        digest=digest,
    )


def test_preparing_again_changes_nothing_and_the_store_is_in_wal_mode(settings: Settings) -> None:
    prepare(settings)
    with sqlite3.connect(settings.home / "mlflow.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_version_is_registered_once_for_its_tags(settings: Settings) -> None:
    registry = Registry.of(settings)
    first = registry.register(candidate())
    assert Registry.of(settings).register(candidate()) == first
    second = registry.register(candidate("b" * 64))
    assert (first.version, second.version) == (1, 2)
    loaded = pickle.loads(registry.model_bytes(second.source))
    assert loaded.predict([[3]]).tolist() == [0]
    assert list((settings.home / "models").rglob("model.pkl"))


def test_the_name_in_the_registry_outlasts_a_rename() -> None:
    assert registered_name("late", "123456789", None) == "late-12345678"
    assert registered_name("delayed", "123456789", "models:/late-12345678/3") == "late-12345678"


def test_our_store_is_what_mlflow_reads(settings: Settings) -> None:
    registered = Registry.of(settings).register(candidate())
    client = MlflowClient(f"sqlite:///{settings.home / 'mlflow.db'}")
    assert client.get_run(registered.tracking_run_id).info.status == "FINISHED"
