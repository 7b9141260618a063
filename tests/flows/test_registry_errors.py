"""Failures provoked on real MLflow stores, servers and models, and what an operator reads of each."""

from __future__ import annotations

import pickle
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sqlalchemy import event
from sqlalchemy.engine import Engine

from flows.registry import Candidate, Registered, Registry
from flows.registry_errors import explain
from metadata.errors import PilothouseError, ServiceDownError
from metadata.rows.models import ModelFeature
from metadata.settings import Settings
from tests.flows.web import answering

pytestmark = pytest.mark.slow

NAME = "late-12345678"
ROWS = pd.DataFrame({"x": [0.0, 1.0], "y": [1.0, 0.0]})


def candidate(name: str = NAME, digest: str = "a" * 64) -> Candidate:
    return Candidate(
        name=name,
        estimator=LogisticRegression().fit(ROWS, [0, 1]),
        features=(ModelFeature(name="x", kind="number"), ModelFeature(name="y", kind="number")),
        requirements=("scikit-learn",),
        params={},
        metrics={"accuracy": 0.5},
        tags={"pilothouse.digest": digest},
        rows="bronze.trips",
        digest=digest,
    )


@dataclass
class Shelf:
    """A store in a folder of its own, with one version of one model."""

    home: Path
    registered: Registered

    @property
    def registry(self) -> Registry:
        return Registry.of(Settings(home=self.home))

    @property
    def database(self) -> Path:
        return self.home / "mlflow.db"

    @property
    def model_file(self) -> Path:
        (found,) = (self.home / "models").rglob("model.pkl")
        return found

    def client(self) -> Any:
        return self.registry._client


@pytest.fixture
def shelf(tmp_path: Path, store: Path) -> Shelf:
    shutil.copy(store, tmp_path / "mlflow.db")
    return Shelf(tmp_path, Registry.of(Settings(home=tmp_path)).register(candidate()))


def unknown_model(shelf: Shelf) -> None:
    shelf.registry.model_bytes("models:/early-1/1")


def unknown_version(shelf: Shelf) -> None:
    shelf.registry.model_bytes(f"models:/{NAME}/99")


def test_a_version_of_another_store_is_not_taken_for_ours(shelf: Shelf) -> None:
    source = shelf.registered.source
    assert shelf.registry.model(source, shelf.registered.tracking_run_id)
    with pytest.raises(PilothouseError, match="PH612 .*another model under this number"):
        shelf.registry.model_bytes(source, "the run that made it elsewhere")


def unknown_alias(shelf: Shelf) -> None:
    shelf.client().get_model_version_by_alias(NAME, "champion")


def unknown_run(shelf: Shelf) -> None:
    shelf.client().get_run("0" * 32)


def malformed_name(shelf: Shelf) -> None:
    shelf.registry.register(candidate("late/flights:all"))


def deleted_experiment(shelf: Shelf) -> None:
    client = shelf.client()
    client.delete_experiment(client.get_experiment_by_name(NAME).experiment_id)
    shelf.registry.register(candidate(digest="b" * 64))


def files_gone(shelf: Shelf) -> None:
    shutil.rmtree(shelf.home / "models")
    shelf.registry.model_bytes(shelf.registered.source)


def folder_is_a_file(shelf: Shelf) -> None:
    shutil.rmtree(shelf.home / "models")
    (shelf.home / "models").write_text("no folder")
    shelf.registry.register(candidate(digest="b" * 64))


def other_package(shelf: Shelf) -> None:
    shelf.model_file.write_bytes(b"cno_such_package.boosting\nBooster\n.")
    shelf.registry.model(shelf.registered.source)


def other_version_of_a_package(shelf: Shelf) -> None:
    shelf.model_file.write_bytes(b"csklearn.linear_model\nClassifierOfTomorrow\n.")
    shelf.registry.model(shelf.registered.source)


def cut_file(shelf: Shelf) -> None:
    shelf.model_file.write_bytes(pickle.dumps(candidate().estimator)[:40])
    shelf.registry.model(shelf.registered.source)


def empty_file(shelf: Shelf) -> None:
    shelf.model_file.write_bytes(b"")
    shelf.registry.model(shelf.registered.source)


def other_signature(shelf: Shelf) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(shelf.model_file.parent))
    model.predict(pd.DataFrame({"x": ["high"], "y": [1.0]}))


def other_features(shelf: Shelf) -> None:
    shelf.registry.model(shelf.registered.source).predict(ROWS.rename(columns={"y": "z"}))


def fewer_columns(shelf: Shelf) -> None:
    transformer = make_column_transformer(("passthrough", ["x", "y"]))
    make_pipeline(transformer, LogisticRegression()).fit(ROWS, [0, 1]).predict(ROWS[["x"]])


def text_for_a_number(shelf: Shelf) -> None:
    shelf.registry.model(shelf.registered.source).predict(pd.DataFrame({"x": ["high"], "y": [1.0]}))


def schema(version: str) -> Callable[[Shelf], None]:
    def provoke(shelf: Shelf) -> None:
        copy = shelf.home / f"{version}.db"
        shutil.copy(shelf.database, copy)
        with sqlite3.connect(copy) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
        Registry(f"sqlite:///{copy}", None).check()

    return provoke


def no_database(shelf: Shelf) -> None:
    (shelf.home / "broken.db").write_bytes(b"no database" * 1000)
    Registry(f"sqlite:///{shelf.home / 'broken.db'}", None).check()


@contextmanager
def impatient() -> Iterator[None]:
    """MLflow waits 20 s for a lock, whatever its address says; here 0.2 s."""

    def shorter(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> Any:
        return statement.replace("busy_timeout = 20000", "busy_timeout = 200"), parameters

    event.listen(Engine, "before_cursor_execute", shorter, retval=True)
    yield
    event.remove(Engine, "before_cursor_execute", shorter)


def locked_database(shelf: Shelf) -> None:
    registry = shelf.registry
    registry.check()
    with closing(sqlite3.connect(shelf.database)) as holder, impatient():
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(PilothouseError) as caught:
            registry.register(candidate("other-1"))
    raise caught.value


def no_address(shelf: Shelf) -> None:
    Registry("kafka://host", None).check()


def nobody_there(shelf: Shelf) -> None:
    Registry("http://127.0.0.1:9", None).check()


def no_database_server(shelf: Shelf) -> None:
    Registry("postgresql+psycopg://mlflow@127.0.0.1:9/mlflow", None).check()


def another_server(shelf: Shelf) -> None:
    with answering(404) as address:
        Registry(address, None).check()


def refused(shelf: Shelf) -> None:
    with answering(401) as address:
        Registry(address, None).check()


PROVOKED: list[tuple[str, Callable[[Shelf], None], str, str]] = [
    ("model", unknown_model, "PH635", "no model early-1"),
    ("version", unknown_version, "PH634", f"no version 99 of {NAME}"),
    ("alias", unknown_alias, "PH633", "no version has the alias champion"),
    ("run", unknown_run, "PH637", "no run 0000"),
    ("name", malformed_name, "PH636", "does not take the name late/flights:all"),
    ("experiment", deleted_experiment, "PH632", "experiment was deleted"),
    ("files gone", files_gone, "PH621", "files of the model are gone"),
    ("no folder", folder_is_a_file, "PH638", "cannot be written"),
    ("package", other_package, "PH641", "No module named 'no_such_package'"),
    ("package version", other_version_of_a_package, "PH641", "Can't get attribute 'ClassifierOfTomorrow'"),
    ("cut file", cut_file, "PH642", "damaged"),
    ("empty file", empty_file, "PH642", "damaged"),
    ("signature", other_signature, "PH639", "Failed to convert column x"),
    ("features", other_features, "PH640", "trained on: y"),
    ("fewer columns", fewer_columns, "PH640", "trained on: {'y'}"),
    ("text", text_for_a_number, "PH640", "could not convert string to float: 'high'"),
    ("newer schema", schema("ffffffffffff"), "PH626", "has schema ffffffffffff"),
    ("older schema", schema("451aebb31d03"), "PH626", "has schema 451aebb31d03"),
    ("no database", no_database, "PH627", "damaged, or no database"),
    ("locked", locked_database, "PH624", "locked by another process"),
    ("address", no_address, "PH630", "no address of a model registry"),
    ("away", nobody_there, "PH620", "does not answer"),
    ("database away", no_database_server, "PH620", "does not answer"),
    ("another server", another_server, "PH631", "no MLflow server"),
    ("refused", refused, "PH623", "refuses us"),
]


@pytest.mark.parametrize(("provoke", "code", "words"), [row[1:] for row in PROVOKED], ids=[row[0] for row in PROVOKED])
def test_a_failure_of_the_registry_has_a_reason_in_plain_words(
    shelf: Shelf, provoke: Callable[[Shelf], None], code: str, words: str
) -> None:
    with pytest.raises(Exception) as caught:
        provoke(shelf)
    fault = explain(caught.value, "model late")
    assert (fault.code, words in fault.cause) == (code, True), fault
    assert "\n" not in fault.cause
    assert "it asks for" not in f"{fault.cause}{fault.remedy}"
    assert fault.thing
    assert fault.remedy
    assert fault.detail
    assert isinstance(caught.value, ServiceDownError) or code not in ("PH620", "PH623", "PH624")


def test_an_error_without_a_row_names_its_type() -> None:
    fault = explain(RuntimeError("colour\nof the sky"), "model late")
    assert (fault.code, fault.cause) == ("PH629", "RuntimeError: colour")


def test_an_error_that_explains_itself_does(shelf: Shelf) -> None:
    with pytest.raises(PilothouseError) as caught:
        shelf.registry.model_bytes(f"models:/{NAME}/99")
    assert explain(caught.value, "anything") is caught.value.fault
