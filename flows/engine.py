"""The compute engine, through Spark Connect alone: sessions, tags and progress; tables are in `flows.delta`."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.delta import (
    Commit,
    Merged,
    append,
    committed,
    disown,
    merge,
    newest_batch,
    overwrite,
    relation,
    remove,
    table_exists,
    table_version,
    time_bounds,
)
from metadata.errors import ServiceDownError, UsageError

if TYPE_CHECKING:
    from pyspark.sql.connect.client import DefaultChannelBuilder
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.observation import Observation
    from pyspark.sql.connect.session import SparkSession

__all__ = [
    "Commit",
    "Merged",
    "Progress",
    "append",
    "committed",
    "connect",
    "disown",
    "interrupt",
    "interrupt_from_outside",
    "merge",
    "newest_batch",
    "observe",
    "operation_tag",
    "overwrite",
    "ping",
    "progress",
    "python_version",
    "relation",
    "remove",
    "select",
    "side_by_side",
    "table_exists",
    "table_version",
    "time_bounds",
]

PYTHON_PROPERTY = "spark.pilothouse.python"
SEMANTICS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.legacy.parquet.nanosAsLong": "true",
}
"""What every session is set to, ours and one on a server of others: without it, hours shift, sums wrap in silence, and
the instants that pandas writes cannot be read."""
# Loggers by which PySpark prints every failed query, with a stack trace as JSON, to standard error.
QUERY_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
PROBE_SECONDS = 3.0
ANSWER_SECONDS = 15.0
# How long a request is tried again when the server goes away meanwhile: 8 s at home, a minute elsewhere.
RETRIES = {True: {"max_retries": 5, "max_backoff": 4_000}, False: {"max_retries": 8, "max_backoff": 15_000}}


def python_version() -> str:
    """Major and minor version of this Python; both sides of a Python function must agree on it."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def connect(remote: str, *, session_id: str | None = None) -> SparkSession:
    """A session on the server at `remote`; fails within seconds when it cannot be had.

    With `session_id` (a UUID) it attaches to that session, which lives on at the server: its Python workers are warm
    for whoever attaches next (0.2 s instead of 1.8 s). Never `stop()` such a session. Its settings and temporary views
    are shared; operations are told apart by `operation_tag`. If the server has closed that session meanwhile, the one
    that follows from it is used, the same for everybody who asks.

    Raises `ServiceDownError` (PH410 nobody listens, PH411 no proper answer, PH412 refused, PH413 other Python).
    """
    ping(remote)
    return _attached(remote, session_id)


def interrupt_from_outside(remote: str, session_id: str, tag: str) -> int:
    """Cancel what other processes have running under `tag` in the session `session_id`; how many operations it was.

    Raises `ServiceDownError` as `connect` does.
    """
    endpoint = _builder(remote, None).endpoint
    _probe(endpoint, f"the Spark server at {endpoint}")
    return interrupt(_attached(remote, session_id), tag)


def _attached(remote: str, session_id: str | None) -> SparkSession:
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession

    for name in QUERY_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    while True:
        builder = _builder(remote, session_id)
        spark = SparkSession.builder.channelBuilder(builder).create()
        spark.client.set_retry_policies([DefaultPolicy(**RETRIES[_is_local(builder)])])
        spark.release_session_on_close = session_id is None
        try:
            server_python = spark.conf.get(PYTHON_PROPERTY, "")
        except PySparkException as error:
            if session_id is None or "SESSION_CLOSED" not in str(error):
                raise
            session_id = str(uuid.uuid5(uuid.UUID(session_id), "next"))
            continue
        if not server_python:
            for name, value in SEMANTICS.items():
                spark.conf.set(name, value)
        elif server_python != python_version():
            raise ServiceDownError(
                "PH413",
                f"the Spark server at {builder.endpoint}",
                f"it runs Python {server_python} and this is Python {python_version()}",
                "Start both with the same Python: `pilothouse down`, then `pilothouse up`",
            )
        return spark


def select(spark: SparkSession, query: str) -> DataFrame:
    """The rows of one SELECT; what is wrong with it is raised when they are first used.

    `SparkSession.sql` has the server look at once whether the text is a command, which takes 20–100 ms with our tables.
    """
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.plan import SQL

    return DataFrame(SQL(query), spark)


def observe(frame: DataFrame, observation: Observation, counts: Mapping[str, str]) -> DataFrame:
    """The frame whose rows are counted while it is written: SQL of aggregates by name, which the observation then has.

    `DataFrame.observe` has the server say first whether it is a stream, which takes 20–50 ms; none of ours is.
    """
    from pyspark.sql.connect import functions as f

    vars(frame)["isStreaming"] = False
    return frame.observe(observation, *(f.expr(text).alias(name) for name, text in counts.items()))


def ping(remote: str) -> None:
    """Have the server at `remote` answer a query; raise `ServiceDownError` within seconds if it does not.

    It is a query that the driver answers: a server is busy, not dead, while others have taken all of its cores.
    """
    import grpc
    from pyspark.sql.connect.proto import ExecutePlanRequest, SparkConnectServiceStub

    builder = _builder(remote, None)
    thing = f"the Spark server at {builder.endpoint}"
    _probe(builder.endpoint, thing)
    request = ExecutePlanRequest(session_id=str(uuid.uuid5(uuid.NAMESPACE_URL, remote)))
    request.user_context.user_id = builder.userId or "pilothouse"
    request.plan.root.sql.query = "VALUES (1)"
    with builder.toChannel() as channel:
        try:
            answers = SparkConnectServiceStub(channel).ExecutePlan(
                request, timeout=ANSWER_SECONDS, metadata=builder.metadata()
            )
            for _ in answers:
                pass
        except grpc.RpcError as error:
            refused = error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
            raise ServiceDownError(
                "PH412" if refused else "PH411",
                thing,
                "it refuses our token" if refused else f"it does not answer a query ({error.code().name})",
                "Check the token in SPARK_REMOTE" if refused else "See `pilothouse status` and the log of the server",
                str(error.details()),
            ) from error


def _probe(endpoint: str, thing: str) -> None:
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS).close()
    except OSError as error:
        raise ServiceDownError(
            "PH410", thing, "nothing listens at this address", "Run `pilothouse up`, or check SPARK_REMOTE", str(error)
        ) from error


def _builder(remote: str, session_id: str | None) -> DefaultChannelBuilder:
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.client import DefaultChannelBuilder

    try:
        builder = DefaultChannelBuilder(remote)
    except PySparkException as error:
        raise UsageError(
            "PH414",
            "SPARK_REMOTE",
            "this is no Spark Connect address",
            "Write it as sc://host:port/;token=…, and a = within the token as %3D",
        ) from error  # what it says holds the token
    if session_id is not None:
        builder.set(DefaultChannelBuilder.PARAM_SESSION_ID, session_id)
    if _is_local(builder):
        builder.setChannelOption("grpc.enable_http_proxy", 0)
    return builder


def _is_local(builder: DefaultChannelBuilder) -> bool:
    return builder.host in ("localhost", "127.0.0.1", "[::1]")


@contextlib.contextmanager
def operation_tag(spark: SparkSession, tag: str) -> Iterator[None]:
    """Operations that this thread starts inside carry `tag`, by which `interrupt` finds them."""
    spark.addTag(tag)
    try:
        yield
    finally:
        spark.removeTag(tag)


def interrupt(spark: SparkSession, tag: str) -> int:
    """Cancel the running operations of this session that carry `tag`; how many there were. Callable from any thread."""
    return len(spark.interruptTag(tag))


@contextlib.contextmanager
def side_by_side(spark: SparkSession) -> Iterator[ThreadPoolExecutor]:
    """Threads whose operations carry the tags of this one, so that an interrupt stops them all. They are waited for."""
    tags = spark.getTags()

    def carry() -> None:
        for tag in tags:
            spark.addTag(tag)

    with ThreadPoolExecutor(initializer=carry) as pool:
        yield pool


@dataclass(frozen=True)
class Progress:
    """How far the running operation is: stages and their tasks, and the bytes read so far."""

    stages_done: int
    stages_total: int
    tasks_done: int
    tasks_total: int
    bytes_read: int


@contextlib.contextmanager
def progress(spark: SparkSession, callback: Callable[[Progress], None]) -> Iterator[None]:
    """Tell `callback` how far operations are that this thread starts inside; others of the session are not told."""
    thread = threading.get_ident()

    def handler(stages: Iterable[Any] | None, inflight_tasks: int, operation_id: str | None, done: bool) -> None:
        seen = list(stages or ())
        if seen and threading.get_ident() == thread:
            callback(
                Progress(
                    stages_done=sum(stage.done for stage in seen),
                    stages_total=len(seen),
                    tasks_done=sum(stage.num_completed_tasks for stage in seen),
                    tasks_total=sum(stage.num_tasks for stage in seen),
                    bytes_read=sum(stage.num_bytes_read for stage in seen),
                )
            )

    spark.registerProgressHandler(handler)
    try:
        yield
    finally:
        spark.removeProgressHandler(handler)
