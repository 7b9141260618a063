"""Failures provoked on a real Spark server, and what an operator reads of each."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PySparkException

from flows import engine
from flows.spark_errors import explain, is_about_the_work
from metadata.errors import PilothouseError
from tests.flows.spark_servers import SparkAddress

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Bench:
    """A session, a folder of our own and a table of ten rows in it."""

    spark: Any
    folder: Path
    remote: str

    @property
    def table(self) -> str:
        return str(self.folder / "table")

    def sql(self, statement: str) -> None:
        self.spark.sql(statement.replace("TABLE_PATH", f"delta.`{self.table}`")).collect()

    def apply(self, function: Callable[[Iterator[Any]], Iterator[Any]]) -> None:
        self.spark.range(3).mapInPandas(function, "id long").collect()


@pytest.fixture(scope="module")
def bench(spark: Any, spark_server: SparkAddress, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = Bench(spark, tmp_path_factory.mktemp("errors"), spark_server.remote)
    rows = spark.sql("SELECT id, CAST(id AS STRING) AS name, 1L AS _batch FROM range(10)")
    engine.append(spark, rows, made.table, 1)
    return made


def other_type(bench: Bench) -> None:
    engine.append(bench.spark, bench.spark.sql("SELECT 'x' AS id, 'y' AS name, 2L AS _batch"), bench.table, 2)


def other_columns(bench: Bench) -> None:
    rows = bench.spark.sql("SELECT 1L AS id, 'y' AS name, 1 AS extra, 2L AS _batch")
    engine.overwrite(bench.spark, rows, bench.table, 2)


def other_batch(bench: Bench) -> None:
    engine.append(bench.spark, bench.spark.sql("SELECT 1L AS id, 'y' AS name, 2L AS _batch"), bench.table, 3)


def missing_files(bench: Bench) -> None:
    bench.spark.read.parquet(str(bench.folder / "nothing")).collect()


def broken_parquet(bench: Bench) -> None:
    file = bench.folder / "broken.parquet"
    file.write_bytes(b"this is no Parquet file")
    bench.spark.read.schema("a int").parquet(str(file)).collect()


def malformed_csv(bench: Bench) -> None:
    file = bench.folder / "letters.csv"
    file.write_text("one,two\n")
    bench.spark.read.schema("a int, b int").option("mode", "FAILFAST").csv(str(file)).collect()


def forbidden_folder(bench: Bench) -> None:
    bench.spark.range(3).write.mode("overwrite").parquet("/proc/pilothouse")


def foreign_scheme(bench: Bench) -> None:
    bench.spark.read.parquet("s3a://bucket/folder").collect()


def cancelled(bench: Bench) -> None:
    with engine.operation_tag(bench.spark, "errors-cancelled"):
        threading.Timer(1.0, lambda: engine.interrupt(bench.spark, "errors-cancelled")).start()
        bench.sql("SELECT sum(id % 7) FROM range(100000000000000)")


def user_code_raises(bench: Bench) -> None:
    def refuse(parts: Iterator[Any]) -> Iterator[Any]:
        for _ in parts:
            raise ValueError("seven is no colour")
        yield from ()

    bench.apply(refuse)


def user_code_dies(bench: Bench) -> None:
    def die(parts: Iterator[Any]) -> Iterator[Any]:
        import os

        os._exit(3)
        yield from parts

    bench.apply(die)


def missing_module(bench: Bench) -> None:
    def need(parts: Iterator[Any]) -> Iterator[Any]:
        import no_such_module  # type: ignore[import-not-found]

        no_such_module.use()
        yield from parts

    bench.apply(need)


def other_python(bench: Bench) -> None:
    class Version(tuple[Any, ...]):
        major, minor, micro = 3, 9, 0

    with pytest.MonkeyPatch.context() as patch:
        frame = bench.spark.range(3)
        patch.setattr(sys, "version_info", Version((3, 9, 0, "final", 0)))
        mapped = frame.mapInPandas(lambda parts: parts, "id long")
        patch.undo()
        mapped.collect()


def refused_token(bench: Bench) -> None:
    engine.ping(bench.remote.partition("token=")[0] + "token=wrong")


def closed_meanwhile(bench: Bench) -> None:
    spark = engine.connect(bench.remote)
    spark.client.close()
    spark.sql("SELECT 1").collect()


def nobody_there(bench: Bench) -> None:
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession

    lost = SparkSession.builder.remote("sc://localhost:1/;token=x").create()
    lost.client.set_retry_policies([DefaultPolicy(max_retries=1)])
    lost.sql("SELECT 1").collect()


def sql(statement: str) -> Callable[[Bench], None]:
    return lambda bench: bench.sql(statement)


MERGE_TWICE = (
    "MERGE INTO TABLE_PATH AS t USING (SELECT 1L AS id, 'x' AS name, 9L AS _batch FROM range(2)) AS s "
    "ON t.id = s.id WHEN MATCHED THEN UPDATE SET *"
)
PROVOKED: list[tuple[str, Callable[[Bench], None], str, str]] = [
    ("column", sql("SELECT nope FROM TABLE_PATH"), "PH446", "no column nope; there are id, name, _batch"),
    ("ambiguous", sql("SELECT id FROM range(3) a JOIN range(3) b"), "PH447", "column id could be any of"),
    ("cast", sql("SELECT CAST(name || 'x' AS INT) FROM TABLE_PATH"), "PH448", "is not of type INT"),
    ("timestamp", sql("SELECT CAST('2020-13-45' AS TIMESTAMP)"), "PH448", "'2020-13-45' is not of type TIMESTAMP"),
    ("overflow", sql("SELECT 2147483647 + 1"), "PH449", "too large"),
    ("cast overflow", sql("SELECT CAST(3000000000L AS INT)"), "PH449", "too large"),
    ("divide", sql("SELECT 1 / 0"), "PH450", "divided by zero"),
    ("index", sql("SELECT array(1)[5]"), "PH451", "an element is asked for"),
    ("syntax", sql("SELEC 1"), "PH452", "not understood at 'SELEC'"),
    ("function", sql("SELECT nosuch(1)"), "PH453", "no function nosuch"),
    ("argument", sql("SELECT date_add('x', array(1))"), "PH454", "date_add(x, array(1))"),
    ("group by", sql("SELECT id, count(*) FROM TABLE_PATH"), "PH455", "does not group by"),
    ("raised", sql("SELECT raise_error('stop here')"), "PH456", "stop here"),
    ("no table", sql("SELECT * FROM nosuch"), "PH444", "no table nosuch"),
    ("no version", sql("SELECT * FROM TABLE_PATH VERSION AS OF 99"), "PH442", "version 99"),
    ("merge twice", sql(MERGE_TWICE), "PH437", "same key"),
    ("other type", other_type, "PH438", "column id has another type"),
    ("other columns", other_columns, "PH439", "columns of the new rows"),
    ("other batch", other_batch, "PH441", "another batch"),
    ("no files", missing_files, "PH443", "nothing at"),
    ("broken file", broken_parquet, "PH445", "broken.parquet"),
    ("malformed csv", malformed_csv, "PH445", "letters.csv"),
    ("forbidden", forbidden_folder, "PH457", "may not write"),
    ("scheme", foreign_scheme, "PH458", "cannot read that kind of address"),
    ("cancelled", cancelled, "PH432", "cancelled"),
    ("user code", user_code_raises, "PH435", "ValueError: seven is no colour"),
    ("worker death", user_code_dies, "PH434", "a Python process of Spark died"),
    ("module", missing_module, "PH641", "No module named 'no_such_module'"),
    ("python version", other_python, "PH433", "another version of Python"),
    ("token", refused_token, "PH412", "refuses our token"),
    ("gone", nobody_there, "PH411", "went away"),
    ("closed", closed_meanwhile, "PH411", "went away"),
]


@pytest.mark.parametrize(("provoke", "code", "words"), [row[1:] for row in PROVOKED], ids=[row[0] for row in PROVOKED])
def test_a_failure_of_spark_has_a_reason_in_plain_words(
    bench: Bench, provoke: Callable[[Bench], None], code: str, words: str
) -> None:
    with pytest.raises(Exception) as caught:
        provoke(bench)
    fault = explain(caught.value, "task clean")
    assert fault.code == code, fault
    assert words in fault.cause, fault
    assert "\n" not in fault.cause
    assert fault.thing.startswith("task clean") or isinstance(caught.value, PilothouseError)
    assert fault.remedy
    assert "{" not in fault.remedy


def test_the_detail_holds_what_the_engine_said(bench: Bench) -> None:
    with pytest.raises(Exception) as caught:
        bench.sql("SELECT 1 / 0")
    assert "DIVIDE_BY_ZERO" in explain(caught.value, "x").detail


def test_an_error_that_is_not_of_spark_names_its_type() -> None:
    fault = explain(KeyError("colour"), "task clean")
    assert (fault.code, fault.cause) == ("PH499", "KeyError: 'colour'")


@pytest.mark.parametrize(
    "sql", ["SELECT CAST('1' AS DECIMAL(50, 2))", "SELECT CAST(1 AS DECIMAL(2, 5))", "SELECT make_date(2026, 13, 1)"]
)
def test_what_has_no_words_of_its_own_is_still_told_from_trouble_with_services(spark: Any, sql: str) -> None:
    with pytest.raises(PySparkException) as raised:
        spark.sql(sql).collect()
    assert is_about_the_work(raised.value)
