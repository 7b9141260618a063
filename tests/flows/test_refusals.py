"""What a batch that can never be written does to the dataset: nothing, once its cause is mended."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.errors import PySparkRuntimeError, PySparkTypeError, PySparkValueError

from flows import batches as writing
from flows import engine, sources
from flows.folders import SourceChangedError
from flows.tasks import ingest
from metadata.errors import PilothouseError, ServiceDownError
from metadata.rows import batches, reading
from metadata.rows.batches import Written
from metadata.states import BatchState
from tests.flows.warehouse import Warehouse, identity

UID = identity("dataset", "bronze.x")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """A warehouse without Spark: what is built and stored is said by the tests, and no table holds a commit."""
    made = Warehouse(tmp_path, None)
    task = {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "bronze.x"}
    made.define(datasets={"bronze.x": {}}, pipelines={"flow": {"tasks": {"take": task}}})
    made.land("a.csv", "id\n1\n")
    monkeypatch.setattr(engine, "interrupt", lambda *_: 0)
    monkeypatch.setattr(engine, "committed", lambda *_: None)
    monkeypatch.setattr(engine, "newest_batch", lambda *_: 1)
    monkeypatch.setattr(engine, "disown", lambda *_, **_more: None)
    monkeypatch.setattr(engine, "table_version", lambda *_: 0)
    monkeypatch.setattr(writing, "store", lambda *_: written(1))
    return made


def written(rows: int) -> Written:
    return Written(rows_in=rows, rows_out=rows, rows_bad=0, version=0, rows=rows, columns={"id": "int"})


def fail(house: Warehouse, patch: pytest.MonkeyPatch, error: Exception) -> None:
    def build(*_: Any) -> Any:
        raise error

    patch.setattr(ingest, "build", build)
    with pytest.raises(type(error)):
        house.run()
    patch.setattr(ingest, "build", lambda *_: None)


def wrong_column() -> Exception:
    from pyspark.errors.exceptions.connect import AnalysisException

    return AnalysisException("[UNRESOLVED_COLUMN] no", errorClass="UNRESOLVED_COLUMN", messageParameters={})


@pytest.mark.parametrize(
    "error",
    [
        wrong_column(),
        PilothouseError("PH255", "x", "an odd value", "mend it"),
        OverflowError("date value out of range"),
        csv.Error("field larger than field limit (131072)"),
        pa.ArrowTypeError("incompatible types: int64 vs string"),
        pa.ArrowNotImplementedError("no such conversion"),
        KeyError("a bug"),
        PySparkTypeError("no such type"),
        PySparkValueError(errorClass="CANNOT_INFER_EMPTY_SCHEMA", messageParameters={}),
    ],
    ids=lambda error: type(error).__name__,
)
def test_work_that_cannot_succeed_is_refused_and_does_not_block_what_comes_next(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fail(house, monkeypatch, error)
    assert batches.open_batch_of(house.database, UID) is None
    assert house.run().rows_out == 1
    assert reading.new_inputs(house.database, "reader", UID, "out") == ((2,), ())


@pytest.mark.parametrize(
    "error",
    [
        ServiceDownError("PH411", "Spark", "it went away", "wait"),
        ValueError("Cannot invoke RPC on closed channel!"),
        PermissionError("not yet"),
        MemoryError(),
        PySparkRuntimeError("odd"),
        pa.ArrowMemoryError("malloc of size 9 failed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_says_nothing_about_the_rows_leaves_the_batch_to_be_finished(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fail(house, monkeypatch, error)
    left = batches.open_batch_of(house.database, UID)
    assert left is not None and left.state == BatchState.OPEN
    assert house.run().rows_out == 1
    assert reading.new_inputs(house.database, "reader", UID, "out") == ((1,), ())


def test_what_is_in_the_table_already_is_not_refused(house: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "committed", lambda *_: 0)
    monkeypatch.setattr(writing, "recount", lambda *_: written(1))
    fail(house, monkeypatch, PilothouseError("PH255", "x", "an odd value", "mend it"))
    assert batches.open_batch_of(house.database, UID) is not None


def test_a_commit_without_a_row_of_the_batch_does_not_keep_it_from_being_refused(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as that of an empty batch, whose process died before it could say so and whose file has gone since."""
    fail(house, monkeypatch, ServiceDownError("PH411", "Spark", "it went away", "wait"))
    monkeypatch.setattr(engine, "committed", lambda *_: 0)
    monkeypatch.setattr(writing, "recount", lambda *_: written(0))
    causes = [SourceChangedError("PH233", "x", "a.csv vanished before it was read", "land it again")]

    def build(*_: Any) -> Any:
        if causes:
            raise causes.pop()

    monkeypatch.setattr(ingest, "build", build)
    assert house.run().rows_out == 1
    assert reading.new_inputs(house.database, "reader", UID, "out") == ((2,), ())


@pytest.mark.parametrize("known", [1, 0], ids=["from a backup with a batch", "from one with none"])
def test_what_restored_metadata_do_not_know_goes_after_a_refused_batch_too(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    """The table has rows of a batch whose number is given again, to one that is refused."""
    if known:
        monkeypatch.setattr(ingest, "build", lambda *_: None)
        house.run()
        house.land("b.csv", "id\n2\n")
    disowned: list[int] = []
    monkeypatch.setattr(engine, "committed", lambda *_: 1)
    monkeypatch.setattr(engine, "disown", lambda _spark, _path, first, keep_rows: disowned.append(first))
    monkeypatch.setattr(writing, "recount", lambda *_: written(0))
    fail(house, monkeypatch, ValueError("odd"))
    house.run()
    assert disowned[-1] == known + 1


@pytest.mark.parametrize("refused", [True, False], ids=["after a refused one", "at once"])
def test_what_restored_metadata_do_not_know_goes_before_a_batch_that_was_left_open_is_finished(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """Its owner died, or Spark went away, before what nobody knows was taken from the table."""
    monkeypatch.setattr(ingest, "build", lambda *_: None)
    house.run()
    house.land("b.csv", "id\n2\n")
    did: list[str] = []
    monkeypatch.setattr(engine, "committed", lambda *_: 1)
    monkeypatch.setattr(engine, "disown", lambda _spark, _path, first, keep_rows: did.append(f"disown {first}"))
    monkeypatch.setattr(writing, "recount", lambda *_: written(0))
    for build in (None, wrong) if refused else (None,):
        with monkeypatch.context() as patch, pytest.raises(ServiceDownError):
            patch.setattr(writing, "_disown_unknown", goes_away)
            patch.setattr(ingest, "build", build)
            house.run()
    monkeypatch.setattr(writing, "store", lambda *_: did.append("store") or written(1))
    house.run()
    assert did[:2] == ["disown 2", "store"]


def test_what_spark_may_still_do_for_a_refused_batch_is_stopped_first(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(engine, "interrupt", lambda _, tag: asked.append(f"stop {tag}"))
    monkeypatch.setattr(engine, "committed", lambda *_: asked.append("look"))
    fail(house, monkeypatch, ValueError("odd"))
    assert [what.split()[0] for what in asked] == ["stop", "look"]


def test_a_refusal_that_leaves_its_batch_open_ends_the_task(house: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(house, monkeypatch, ServiceDownError("PH411", "Spark", "it went away", "wait"))
    monkeypatch.setattr(writing, "_is_unwritten", lambda *_: False)
    fail(house, monkeypatch, PilothouseError("PH255", "x", "an odd value", "mend it"))


def test_copies_of_files_go_with_whoever_read_them(house: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a task of another kind finishes the batch of an ingest."""
    tasks = {
        "take": {"kind": "ingest", "from": {"connection": "landing", "files": "*.csv"}, "to": "bronze.x"},
        "fill": {"kind": "transform", "to": "bronze.x", "sql": "SELECT id FROM bronze.y", "after": ["take"]},
    }
    house.define(datasets={"bronze.x": {}, "bronze.y": {}}, pipelines={"flow": {"tasks": tasks}})
    copies: list[list[str]] = []

    def read(_spark: Any, _thing: str, files: dict[str, Path], *_: Any) -> None:
        copies.append([path.read_text() for path in files.values()])

    monkeypatch.setattr(sources, "read_csv", read)
    with monkeypatch.context() as patch:
        patch.setattr(writing, "store", goes_away)
        with pytest.raises(ServiceDownError):
            house.run("take")
    assert str(house.run("fill").skipped).startswith("no finished batch of bronze.y is known")
    assert batches.state_of(house.database, UID) is not None
    assert copies == [["id\n1\n"]] * 2
    assert not [path for path in (Path(house.settings.data) / "reading").rglob("*") if path.is_file()]


def wrong(*_: Any) -> Any:
    raise PilothouseError("PH255", "x", "an odd value", "mend it")


def goes_away(*_: Any) -> Any:
    raise ServiceDownError("PH411", "Spark", "it went away", "wait")


def test_a_file_whose_name_would_stand_for_another_is_named(house: Warehouse) -> None:
    house.land("[a].csv", "id\n1\n")
    with pytest.raises(PilothouseError, match=r"PH237.*'\[a\].csv'"):
        house.run()
