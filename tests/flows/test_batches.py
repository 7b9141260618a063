"""Exactly once: whatever dies between intent, write and close, the tables end as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from flows import batches as writing
from flows import folders, storing
from flows.tasks import ingest
from metadata import tables
from metadata.intents import Intent
from metadata.rows import batches, reading, runs
from metadata.rows.holding import Reader, set_held, unread
from metadata.states import BatchState, State
from metadata.values import utc_now
from tests.flows.spark_servers import SparkAddress
from tests.flows.warehouse import Warehouse
from tests.metadata.rows import batch_state

pytestmark = pytest.mark.slow


class DeadError(BaseException):
    """The process ends here."""


def define(house: Warehouse) -> None:
    house.define(
        datasets={
            "bronze.x": {"columns": {"id": "long", "v": "string"}},
            "silver.x": {
                "storage": {"mode": "merge", "keys": ["id"]},
                "quality": {"named": {"expect": "v IS NOT NULL", "otherwise": "quarantine"}},
            },
            "gold.x": {"storage": {"mode": "overwrite"}},
            "gold.log": {"storage": {"mode": "append"}},
        },
        pipelines={
            "flow": {
                "tasks": {
                    "take": {
                        "kind": "ingest",
                        "from": {"connection": "landing", "files": "*.csv"},
                        "to": "bronze.x",
                    },
                    "clean": {
                        "kind": "transform",
                        "to": "silver.x",
                        "reads": {"bronze.x": "new"},
                        "sql": "SELECT id, v FROM bronze.x",
                    },
                    "count": {
                        "kind": "transform",
                        "to": "gold.x",
                        "sql": "SELECT v, count(*) AS n FROM silver.x GROUP BY v",
                    },
                    "log": {"kind": "transform", "to": "gold.log", "sql": "SELECT sum(n) AS n FROM gold.x"},
                }
            }
        },
    )


def contents(house: Warehouse) -> dict[str, Any]:
    """All that a reader sees."""
    found: dict[str, Any] = {key: house.rows(key, order="ALL") for key in house.plan.datasets}
    found["aside"] = [(row["id"], row["_reasons"]) for row in house.quarantined("silver.x")]
    found["rows"] = {key: house.state(key).rows for key in house.plan.datasets}
    return found


def land_first(house: Warehouse) -> None:
    house.land("a.csv", "id,v\n1,a\n2,\n3,c\n")


def landed(folder: Path, spark: Any) -> Warehouse:
    """A home whose first file is there, and nothing done."""
    house = Warehouse(folder, spark)
    define(house)
    land_first(house)
    return house


def land_second(house: Warehouse) -> None:
    house.land("b.csv", "v,id\nz,1\nd,4\n,5\n")


UNDISTURBED = {
    "bronze.x": [(1, "a"), (1, "z"), (2, None), (3, "c"), (4, "d"), (5, None)],
    "silver.x": [(1, "z"), (3, "c"), (4, "d")],
    "gold.x": [("c", 1), ("d", 1), ("z", 1)],
    "gold.log": [(2,), (3,)],
    "aside": [(2, ["named"]), (5, ["named"])],
    "rows": {"bronze.x": 6, "silver.x": 3, "gold.x": 3, "gold.log": 2},
}
"""What is there when a run has read the first file, and another one the second."""


def before_the_write(patch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> Any:
        raise DeadError

    patch.setattr(storing, "_put", die)


def after_the_write(patch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> Any:
        raise DeadError

    patch.setattr(batches, "close_batch", die)


def after_the_close(patch: pytest.MonkeyPatch) -> None:
    close = batches.close_batch

    def die(*arguments: Any) -> Any:
        close(*arguments)
        raise DeadError

    patch.setattr(batches, "close_batch", die)


def after_the_intent(patch: pytest.MonkeyPatch) -> None:
    opened = batches.open_batch

    def die(*arguments: Any) -> Any:
        opened(*arguments)
        raise DeadError

    patch.setattr(batches, "open_batch", die)


SEAMS = (after_the_intent, before_the_write, after_the_write, after_the_close)


def test_tasks_that_die_at_every_step_are_finished_by_their_retries(tmp_path: Path, spark: Any) -> None:
    house = landed(tmp_path, spark)
    run = house.start()
    for key in [one.key for one in house.plan.tasks]:
        for seam in SEAMS if key in ("take", "clean", "log") else ():
            with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
                seam(patch)
                house.execute(run, key)
        outcome = house.execute(run, key)
        assert outcome.skipped is None and outcome.rows_out
    land_second(house)
    house.run()
    assert contents(house) == UNDISTURBED


@pytest.mark.parametrize("seam", [before_the_write, after_the_write])
def test_the_next_run_finishes_what_a_dead_run_left(
    tmp_path: Path, spark: Any, seam: Callable[[pytest.MonkeyPatch], None]
) -> None:
    house = landed(tmp_path, spark)
    dead = house.start()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
        seam(patch)
        house.execute(dead, "take")
    house.land("c.csv", "id,v\n9,late\n")
    assert house.run("take").rows_out == 4
    assert house.rows("bronze.x", order="id") == [(1, "a"), (2, None), (3, "c"), (9, "late")]
    assert house.state("bronze.x").rows == 4
    assert reading.new_inputs(house.database, "reader", house.plan.datasets["bronze.x"].uid, "out") == ((1, 2), ())
    assert house.execute(dead, "take").rows_out == 3


def test_a_commit_without_rows_of_the_open_batch_is_not_taken_for_it(tmp_path: Path, spark: Any) -> None:
    """The owner of an earlier batch, taken for dead too early, may commit late."""
    house = landed(tmp_path, spark)
    house.run("take")
    dead = house.start()
    house.land("c.csv", "id,v\n9,late\n")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
        before_the_write(patch)
        house.execute(dead, "take")
    path = f"{house.settings.data}/tables/{house.plan.datasets['bronze.x'].uid}"
    late = spark.sql("SELECT 1L AS id, 'a' AS v, 1L AS _batch")
    late.write.format("delta").mode("append").save(path)
    house.run("take")
    assert (9, "late") in house.rows("bronze.x", order="id")


def test_what_is_written_while_inputs_are_pinned_is_read_by_the_next_run(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = landed(tmp_path, spark)
    house.run("take")
    seen, late = batches.state_of, ["id,v\n8,eight\n"]

    def closes_a_batch_first(database: Any, uid: str) -> Any:
        if late and uid == house.plan.datasets["bronze.x"].uid:
            state = seen(database, uid)
            house.land("late.csv", late.pop())
            house.run("take")
            return state
        return seen(database, uid)

    run = house.start()
    monkeypatch.setattr(batches, "state_of", closes_a_batch_first)
    house.execute(run, "clean")
    monkeypatch.undo()
    house.run("clean")
    assert 8 in [row[0] for row in house.rows("silver.x", order="id")]


def test_what_is_finished_of_a_dead_run_counts_for_who_finishes_it(tmp_path: Path, spark: Any) -> None:
    house = landed(tmp_path, spark)
    dead = house.start()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
        before_the_write(patch)
        house.execute(dead, "take")
    outcome = house.run("take")
    assert (outcome.skipped, outcome.rows_out) == (None, 3)
    assert house.run("take").skipped


def test_held_rows_are_named_where_nothing_else_is_new(tmp_path: Path, spark: Any) -> None:
    house = landed(tmp_path, spark)
    house.run("take")
    reader = Reader(house.plan.task("clean").spec.uid, new=(house.plan.datasets["bronze.x"].uid,))
    with house.database.write() as link:
        set_held(link, unread(link, reader), held=True)
    assert "3 rows that are held" in str(house.run("clean").skipped)


SCRIPT = """
import os, signal, sys
from pathlib import Path
from flows import batches as writing, engine, storing
from metadata.rows import batches, runs
from tests.flows.test_batches import define
from tests.flows.warehouse import Warehouse
from tests.metadata.rows import batch_state

folder, remote, number, task, seam = sys.argv[1:]
house = Warehouse(Path(folder), engine.connect(remote))
define(house)
module, name = {"write": (storing, "_put"), "close": (batches, "close_batch")}[seam]
setattr(module, name, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
house.execute(runs.find_run(house.database, int(number)), task)
"""


def test_kill_9(tmp_path: Path, spark: Any, spark_server: SparkAddress) -> None:
    """Twice the same task: before its write, and then between that and its bookkeeping."""
    house = landed(tmp_path, spark)
    run = house.start()
    house.execute(run, "take")
    for seam, versions in (("write", []), ("close", [0])):
        arguments = [str(tmp_path), spark_server.remote, str(run.number), "clean", seam]
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *arguments], cwd=Path(__file__).parents[2], capture_output=True, text=True
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        table = Path(writing.table_path(house.settings, house.plan.datasets["silver.x"]))
        assert [int(path.stem) for path in table.glob("_delta_log/*.json")] == versions
        with house.database.write() as link:
            link.execute(update(tables.task_run).values(heartbeat_at=utc_now() - timedelta(seconds=30)))
    land_second(house)
    for task in ("clean", "count", "log"):
        house.execute(run, task)
    house.run()
    assert contents(house) == UNDISTURBED


def test_a_live_owner_is_waited_for(tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    house = landed(tmp_path, spark)
    run, other = house.start(), house.start()
    context = house.context(other, "take")
    intent = ingest.intend(context)
    assert isinstance(intent, Intent)
    held = batches.open_batch(house.database, context.plan.datasets["bronze.x"].uid, writing._owner(context), intent)
    assert held is not None
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        assert batch_state(house.database, held.id) == BatchState.OPEN
        if len(waits) == 2:
            batches.refuse_batch(house.database, held)

    monkeypatch.setattr(writing.time, "sleep", sleep)
    assert house.execute(run, "take").rows_out == 3
    assert len(waits) == 2


def test_a_file_that_changes_under_the_reader_is_intended_anew(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = landed(tmp_path, spark)
    opened, changes = batches.open_batch, ["id,v\n7,new\n"]

    def change(*arguments: Any) -> Any:
        batch = opened(*arguments)
        if changes:
            house.land("a.csv", changes.pop())
        return batch

    monkeypatch.setattr(batches, "open_batch", change)
    assert house.run("take").rows_out == 1
    assert house.rows("bronze.x") == [(7, "new")]


def write_over(path: Path, text: str) -> None:
    path.write_text(text)


def rename_over(path: Path, text: str) -> None:
    other = path.with_suffix(".part")
    other.write_text(text)
    other.replace(path)


@pytest.mark.parametrize(("replace", "copied"), [(write_over, 64), (rename_over, 64), (rename_over, 0)])
def test_a_file_that_changes_while_it_is_read_is_read_as_it_was_and_then_as_it_is(
    tmp_path: Path,
    spark: Any,
    monkeypatch: pytest.MonkeyPatch,
    replace: Callable[[Path, str], None],
    copied: int,
) -> None:
    monkeypatch.setattr(folders, "COPY_BYTES", copied)
    house = landed(tmp_path, spark)
    stored, later = storing.store, ["id,v\n7,new\n8,new\n"]

    def change_and_store(*arguments: Any) -> Any:
        if later:
            replace(house.landing / "a.csv", later.pop())
        return stored(*arguments)

    monkeypatch.setattr(writing, "store", change_and_store)
    assert house.run("take").rows_out == 3
    assert house.rows("bronze.x", order="id") == [(1, "a"), (2, None), (3, "c")]
    assert house.run("take").rows_out == 2
    assert house.rows("bronze.x", order="id")[3:] == [(7, "new"), (8, "new")]
    assert not [path for path in (Path(house.settings.data) / "reading").rglob("*") if path.is_file()]


def test_a_finished_batch_is_not_built_again(tmp_path: Path, spark: Any) -> None:
    """What was committed stays, even if its file has changed before anybody could close the batch."""
    house = landed(tmp_path, spark)
    run = house.start()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
        after_the_write(patch)
        house.execute(run, "take")
    house.land("a.csv", "id,v\n8,other\n")
    outcome = house.execute(run, "take")
    assert outcome.rows_out == 4
    assert sorted(house.rows("bronze.x", order="id")) == [(1, "a"), (2, None), (3, "c"), (8, "other")]


def test_doing_all_again_appends_again_also_what_a_lost_try_wrote(tmp_path: Path, spark: Any) -> None:
    house = landed(tmp_path, spark)
    house.run("take", "clean", "count")

    def lose() -> runs.Run:
        """A run whose process dies when its rows are written and its batch is closed."""
        run = house.start()
        with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
            after_the_close(patch)
            house.execute(run, "log")
        runs.set_run_state(house.database, run.id, State.LOST)
        return run

    def again(run: runs.Run, mode: str) -> None:
        attempt = runs.new_attempt(house.database, run.id, mode, "tests")
        runs.set_run_state(house.database, run.id, State.RUNNING)
        assert house.execute(attempt, "log").rows_out == 1
        runs.set_run_state(house.database, run.id, State.SUCCEEDED)

    run = lose()
    again(run, "failed")
    assert len(house.rows("gold.log")) == 1
    again(run, "all")
    assert len(house.rows("gold.log")) == 2
    again(lose(), "all")
    assert len(house.rows("gold.log")) == 4
