"""Batches written to real Delta tables: repeated, concurrent, drifting, and cut off by a killed server."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import deltalake
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.errors.exceptions.connect import SparkConnectGrpcException

from flows import engine
from metadata.errors import PilothouseError
from tests.flows.spark_servers import kill, running_spark


@pytest.mark.parametrize(
    "instant", ["9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999", "10000-01-01", "-0001-01-01"]
)
def test_statistics_of_instants_that_stand_for_never_tell_nothing(tmp_path: Path, instant: str) -> None:
    micros = np.array(["2024-01-01", instant], dtype="datetime64[us]").astype("int64")
    table = pa.table({"at": pa.array(micros, pa.timestamp("us", "UTC")), "id": [1, 2]})
    deltalake.write_deltalake(str(tmp_path / "t"), table)
    assert engine.time_bounds(str(tmp_path / "t"), 0, "at") is None


def rows(spark: Any, batch: int, *values: tuple[int | None, str]) -> Any:
    """A frame of (id, name) that belongs to `batch`."""
    frame = spark.createDataFrame(list(values), "id bigint, name string")
    return frame.selectExpr("*", f"{batch}L AS _batch")


def content(
    spark: Any, path: str, version: int | None = None, batches: set[int] | None = None
) -> list[tuple[Any, ...]]:
    """All rows of the table, sorted, as readers see them."""
    newest = engine.table_version(spark, path) if version is None else version
    assert newest is not None
    found = spark.sql(f"SELECT * FROM {engine.relation(path, newest, batches)}").collect()
    return sorted(map(tuple, found), key=repr)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_path_cannot_leave_its_quotes(path: str) -> None:
    text = engine.relation(path, 3, {2, 1})
    quoted = text.removeprefix("(SELECT * EXCEPT (_batch) FROM delta.").removesuffix(
        " VERSION AS OF 3 WHERE _batch IN (1, 2))"
    )
    assert quoted[0] == quoted[-1] == "`"
    assert quoted[1:-1].replace("``", "").count("`") == 0
    assert quoted[1:-1].replace("``", "`") == path


@pytest.mark.slow
class TestTable:
    def test_there_is_none(self, spark: Any, tmp_path: Path) -> None:
        (tmp_path / "stray").mkdir()
        (tmp_path / "stray" / "part-0.parquet").touch()
        for path in (tmp_path / "gone", tmp_path, tmp_path / "stray"):
            assert engine.table_version(spark, str(path)) is None
            assert not engine.table_exists(spark, str(path))

    def test_a_repeated_append_replaces_what_the_first_try_wrote(self, spark: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        first = engine.append(spark, rows(spark, 1, (1, "a")), path, 1).version
        second = engine.append(spark, rows(spark, 2, (2, "b"), (3, "c")), path, 2).version
        third = engine.append(spark, rows(spark, 2, (2, "b"), (4, "d")), path, 2).version
        assert first < second < third
        assert content(spark, path) == [(1, "a"), (2, "b"), (4, "d")]
        assert content(spark, path, second) == [(1, "a"), (2, "b"), (3, "c")]
        assert content(spark, path, third, {2}) == [(2, "b"), (4, "d")]
        assert content(spark, path, third, set()) == []

    def test_of_writes_with_one_token_one_is_committed(self, spark: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        first = engine.append(spark, rows(spark, 1, (1, "a")), path, 1).version
        tries = [
            functools.partial(engine.append, spark, rows(spark, 2, (2, name)), path, 2, after=first, token="two")
            for name in ("b", "c", "d")
        ]
        with ThreadPoolExecutor() as pool:
            commits = {one.result() for one in [pool.submit(write) for write in tries]}
        assert commits == {engine.Commit(first + 1)}
        assert len(content(spark, path)) == 2
        written = content(spark, path)
        assert tries[-1]() == engine.Commit(first + 1)
        assert content(spark, path) == written

    def test_a_table_forgets_tokens_in_time(self, spark: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        engine.append(spark, rows(spark, 1, (1, "a")), path, 1, token="one")
        found = {row.key: row.value for row in spark.sql(f"SHOW TBLPROPERTIES delta.`{path}`").collect()}
        assert found["delta.setTransactionRetentionDuration"] == "interval 30 days"

    def test_a_table_that_is_ahead_of_what_is_known_of_it_gets_no_row_twice(self, spark: Any, tmp_path: Path) -> None:
        """As after metadata was restored from a backup that is older than the table."""
        path = str(tmp_path / "t")
        first = engine.append(spark, rows(spark, 1, (1, "a")), path, 1).version
        lost = engine.append(spark, rows(spark, 2, (2, "lost")), path, 2, after=first, token="lost")
        engine.append(spark, rows(spark, 3, (3, "lost")), path, 3, after=lost.version, token="later")
        again = engine.append(spark, rows(spark, 2, (2, "b"), (3, "c")), path, 2, after=first, token="again")
        assert content(spark, path) == [(1, "a"), (2, "b"), (3, "c")]
        engine.append(spark, rows(spark, 3, (4, "d")), path, 3, after=again.version, token="and on")
        assert content(spark, path) == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]

    def test_a_write_that_lost_a_race_asks_again_whether_it_is_still_to_be_done(
        self, spark: Any, tmp_path: Path
    ) -> None:
        """The batch was taken over meanwhile: the faster writer wrote it."""
        path = str(tmp_path / "t")
        first = engine.append(spark, rows(spark, 1, (1, "a")), path, 1)
        asked = []

        def check() -> None:
            asked.append(engine.table_version(spark, path))
            if len(asked) > 1:
                raise PilothouseError("PH202", "batch 2", "it was taken over", "")

        class Overtaken:
            """A session in whose merges somebody else is faster, once each."""

            def sql(self, statement: str, **named: Any) -> None:
                spark.sql(statement, **named)
                raise SparkConnectGrpcException("a file was added", errorClass="DELTA_CONCURRENT_APPEND")

        with pytest.raises(PilothouseError, match="PH202"):
            engine.merge(Overtaken(), rows(spark, 2, (2, "b")), path, ["id"], 2, after=first.version, check=check)
        assert asked == [0, 1]

    def test_a_table_that_has_gone_is_not_made_anew(self, spark: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        first = engine.append(spark, rows(spark, 1, (1, "a")), path, 1).version
        (tmp_path / "t").rename(tmp_path / "moved")
        with pytest.raises(PilothouseError, match=r"PH422.*it was at version 0.*PILOTHOUSE_DATA_URL"):
            engine.append(spark, rows(spark, 2, (2, "b")), path, 2, after=first, token="two")
        assert not (tmp_path / "t").exists()

    def test_an_empty_batch_makes_a_table_and_takes_away_what_an_earlier_try_wrote(
        self, spark: Any, tmp_path: Path
    ) -> None:
        path = str(tmp_path / "t")
        first = engine.append(spark, rows(spark, 1).where("false"), path, 1)
        assert engine.append(spark, rows(spark, 2).where("false"), path, 2) == first
        engine.append(spark, rows(spark, 3, (1, "a")), path, 3)
        engine.append(spark, rows(spark, 3).where("false"), path, 3)
        assert content(spark, path) == []

    def test_a_write_tells_its_own_version_whatever_upkeep_came_after(self, spark: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        first = engine.append(spark, rows(spark, 1, (1, "a")), path, 1)
        merged = engine.merge(spark, rows(spark, 2, (1, "b")), path, ["id"], 2, after=first.version)
        assert merged == engine.Commit(first.version + 1, engine.Merged(1, 0))
        spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('a' = 'b')")
        assert engine.committed(spark, path, first.version) == merged.version
        assert engine.committed(spark, path, merged.version) is None

    @pytest.mark.parametrize("name", ["it's {a} `strange` path; --", "ops #1? 20%20of"])
    def test_a_path_may_hold_any_character(self, spark: Any, tmp_path: Path, name: str) -> None:
        path = str(tmp_path / name)
        engine.append(spark, rows(spark, 1, (1, "a")), path, 1)
        assert engine.table_version(spark, path) == 0
        engine.merge(spark, rows(spark, 2, (1, "b")), path, ["id"], 2)
        assert content(spark, path) == [(1, "b")]

    def test_batch_leads_so_that_delta_keeps_its_statistics(self, spark: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        engine.append(spark, rows(spark, 1, (1, "a")), path, 1)
        assert spark.read.format("delta").load(path).columns == ["_batch", "id", "name"]

    def test_statistics_bound_the_instants_of_one_version(self, spark: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        for batch, days in ((1, "1, 5"), (2, "9")):
            frame = spark.sql(
                f"SELECT {batch}L AS _batch, day, TIMESTAMP '2026-01-01 06:00:00.0005Z' + make_dt_interval(day) AS at "
                f"FROM (SELECT explode(array({days})) AS day)"
            )
            engine.append(spark, frame, path, batch)
        first, last = datetime(2026, 1, 2, 6, tzinfo=UTC), datetime(2026, 1, 10, 6, 0, 0, 500, tzinfo=UTC)
        bounds = engine.time_bounds(path, 1, "at")
        assert bounds is not None
        assert first - timedelta(milliseconds=1) < bounds[0] < first + timedelta(milliseconds=1)
        assert last <= bounds[1] < last + timedelta(milliseconds=2)
        early = engine.time_bounds(path, 0, "at")
        assert early is not None and early[1] < datetime(2026, 1, 7, tzinfo=UTC)
        assert engine.time_bounds(path, 1, "day") is None
        assert engine.time_bounds(path, 1, "gone") is None
        assert engine.time_bounds(str(tmp_path / "none"), 0, "at") is None

    def test_partitions(self, spark: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        for batch in (1, 2, 2):
            engine.append(spark, rows(spark, batch, (batch, "a"), (batch, "b")), path, batch, partition_by=["name"])
        assert content(spark, path) == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
        assert (tmp_path / "t" / "name=a").is_dir()

    def test_overwrite_leaves_the_last_batch_alone(self, spark: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        for batch in (1, 2, 2):
            version = engine.overwrite(spark, rows(spark, batch, (batch, "x")), path, batch).version
        assert content(spark, path, version) == [(2, "x")]
        wider = rows(spark, 3, (3, "x")).selectExpr("*", "1 AS extra")
        engine.overwrite(spark, wider, path, 3, evolve=True)
        assert content(spark, path) == [(3, "x", 1)]

    def test_merge_updates_by_key_and_null_is_a_key(self, spark: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        engine.merge(spark, rows(spark, 1, (1, "a"), (None, "n")), path, ["id"], 1)
        commits = [engine.merge(spark, rows(spark, 2, (None, "m"), (2, "b")), path, ["id"], 2) for _ in range(2)]
        assert [commit.merged for commit in commits] == [engine.Merged(2, 1), engine.Merged(2, 0)]
        version = commits[-1].version
        assert content(spark, path, version) == [(1, "a"), (2, "b"), (None, "m")]
        assert content(spark, path, version, {2}) == [(2, "b"), (None, "m")]

    @pytest.mark.parametrize("way", ["append", "merge"])
    def test_other_columns_are_refused_or_evolve(self, spark: Any, tmp_path: Path, way: str) -> None:
        """Delta would fill a missing column with NULL, and MERGE would drop a new one, without a word."""
        path = str(tmp_path / "t")
        engine.append(spark, rows(spark, 1, (1, "a")), path, 1)

        def write(frame: Any, batch: int, evolve: bool) -> engine.Commit:
            if way == "append":
                return engine.append(spark, frame, path, batch, evolve=evolve)
            return engine.merge(spark, frame, path, ["id"], batch, evolve=evolve)

        wider = rows(spark, 2, (2, "b")).selectExpr("*", "1 AS extra")
        with pytest.raises(PilothouseError, match=r"PH421.*bring extra"):
            write(wider, 2, False)
        with pytest.raises(PilothouseError, match=r"PH421.*lack name"):
            write(rows(spark, 2, (2, "b")).drop("name"), 2, False)
        write(wider, 2, True)
        assert content(spark, path) == [(1, "a", None), (2, "b", 1)]

    def test_batches_of_one_table_may_be_written_side_by_side(self, spark: Any, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        engine.append(spark, rows(spark, 1, (1, "x")), path, 1)
        failures: list[BaseException] = []

        def write(batch: int) -> None:
            try:
                engine.append(spark, rows(spark, batch, (batch, "x")), path, batch)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(batch,)) for batch in range(2, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert content(spark, path) == [(batch, "x") for batch in range(1, 5)]


# Of a second batch whose writing takes a moment, and of the first, which it meets.
MANY, FEW = 60_000, 1_000
WRITES: dict[str, Callable[[Any, str, int], engine.Commit]] = {
    "append": lambda spark, path, batch: engine.append(spark, numbered(spark, batch), path, batch),
    "overwrite": lambda spark, path, batch: engine.overwrite(spark, numbered(spark, batch), path, batch),
    "merge": lambda spark, path, batch: engine.merge(spark, numbered(spark, batch), path, ["id"], batch),
}
EXPECTED = {"append": {1: FEW, 2: MANY}, "overwrite": {2: MANY}, "merge": {2: MANY}}


def numbered(spark: Any, batch: int) -> Any:
    """Rows with the ids from 0; `FEW` in batch 1, `MANY` in batch 2."""
    frame = spark.range(0, {1: FEW, 2: MANY}[batch], 1, 2)
    return frame.selectExpr("id", "sha2(repeat(CAST(id AS STRING), 20), 512) AS name", f"{batch}L AS _batch")


def data_files(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*.parquet"))


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.3])
def test_a_batch_is_there_once_after_the_server_was_killed(
    tmp_path: Path, jars: Path, spark: Any, pause: float
) -> None:
    """Killed while three tables are written (`pause` seconds after the first new file); another writes each again."""
    tables = {name: str(tmp_path / name) for name in WRITES}
    with running_spark(tmp_path / "home", jars) as server:
        doomed = engine.connect(server.remote)
        doomed.client.set_retry_policies([])  # nothing comes back there for which it could wait
        for name, write in WRITES.items():
            write(doomed, tables[name], 1)
        before = {name: data_files(Path(path)) for name, path in tables.items()}

        def attempt(name: str) -> None:
            with contextlib.suppress(Exception):
                WRITES[name](doomed, tables[name], 2)

        threads = [threading.Thread(target=attempt, args=(name,)) for name in WRITES]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 120
        while all(data_files(Path(tables[name])) == before[name] for name in WRITES):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(pause)
        kill(server)
    for name, write in WRITES.items():
        version = write(spark, tables[name], 2).version
        found = spark.sql(
            f"SELECT _batch, count(*) AS n, count(DISTINCT id) AS ids "
            f"FROM delta.`{tables[name]}` VERSION AS OF {version} GROUP BY _batch"
        ).collect()
        assert {row[0]: row.n for row in found} == EXPECTED[name], name
        assert all(row.n == row.ids for row in found), name
    for thread in threads:
        thread.join(60)
