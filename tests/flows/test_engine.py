"""Sessions on a real Spark server: connecting, and failing to, in seconds; tags; progress."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from flows import engine
from flows.spark_errors import explain
from metadata.errors import PilothouseError, ServiceDownError, UsageError
from tests.flows.spark_servers import SparkAddress

SLOW_QUERY = "SELECT sum(id % 7) FROM range(0, 100000000000000, 1, {parts})"
"""Goes on for hours, and stops at once: it reads rows, between which Spark looks whether it is cancelled."""


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port at which somebody listens who never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def code_of(remote: str) -> str:
    with pytest.raises(PilothouseError) as caught:
        engine.connect(remote)
    return caught.value.fault.code


def test_nobody_listens(silent_port: int) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        free = listener.getsockname()[1]
    with pytest.raises(ServiceDownError, match="PH410") as caught:
        engine.connect(f"sc://localhost:{free}/;token=x")
    assert "pilothouse up" in caught.value.fault.remedy


def test_who_listens_is_no_spark_server(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ANSWER_SECONDS", 1.0)
    assert code_of(f"sc://localhost:{silent_port}/;token=x") == "PH411"


@pytest.mark.parametrize("address", ["http://localhost:15002", "sc://localhost:15002/;token=c2VjcmV0LXRva2Vu="])
def test_an_address_that_is_none_is_wrong_use_and_its_token_is_not_told(address: str) -> None:
    with pytest.raises(UsageError, match="PH414") as refused:
        engine.connect(address)
    assert "c2VjcmV0" not in str(refused.value.fault.model_dump())


@pytest.mark.slow
class TestSession:
    def test_a_wrong_token_is_refused(self, spark_server: SparkAddress) -> None:
        address = spark_server.remote.partition("token=")[0]
        assert code_of(address + "token=wrong") == "PH412"
        assert code_of(address.rstrip(";")) in ("PH411", "PH412")

    def test_another_python_on_the_server_is_refused(
        self, spark_server: SparkAddress, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "python_version", lambda: "3.9")
        with pytest.raises(ServiceDownError, match=r"PH413.*this is Python 3\.9"):
            engine.connect(spark_server.remote)

    def test_who_attaches_to_a_session_shares_it(self, spark_server: SparkAddress) -> None:
        session_id = str(uuid.uuid4())
        first, second = (engine.connect(spark_server.remote, session_id=session_id) for _ in range(2))
        stranger = engine.connect(spark_server.remote)
        first.conf.set("pilothouse.test", "here")
        assert second.conf.get("pilothouse.test") == "here"
        assert stranger.conf.get("pilothouse.test", "none") == "none"

    def test_stop_leaves_a_shared_session_alive(self, spark_server: SparkAddress) -> None:
        session_id = str(uuid.uuid4())
        first = engine.connect(spark_server.remote, session_id=session_id)
        first.conf.set("pilothouse.test", "here")
        first.stop()
        second = engine.connect(spark_server.remote, session_id=session_id)
        assert second.conf.get("pilothouse.test") == "here"

    def test_a_shared_session_that_was_closed_is_followed_by_another(self, spark_server: SparkAddress) -> None:
        session_id = str(uuid.uuid4())
        closed = engine.connect(spark_server.remote, session_id=session_id)
        closed.client.release_session()
        first, second = (engine.connect(spark_server.remote, session_id=session_id) for _ in range(2))
        assert first.sql("SELECT 1").collect()[0][0] == 1
        assert first.session_id == second.session_id != session_id

    def test_times_are_utc_and_sums_do_not_wrap(self, spark: Any) -> None:
        assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
        assert spark.conf.get("spark.sql.ansi.enabled") == "true"

    def test_so_they_are_on_a_server_that_somebody_else_configured(self, spark_server: SparkAddress) -> None:
        session_id = str(uuid.uuid4())
        before = engine.connect(spark_server.remote, session_id=session_id)
        for name, value in (
            (engine.PYTHON_PROPERTY, ""),
            ("spark.sql.session.timeZone", "America/New_York"),
            ("spark.sql.ansi.enabled", "false"),
        ):
            before.conf.set(name, value)
        after = engine.connect(spark_server.remote, session_id=session_id)
        assert after.conf.get("spark.sql.session.timeZone") == "UTC"
        assert after.conf.get("spark.sql.ansi.enabled") == "true"

    def test_interrupt_stops_what_carries_the_tag_and_nothing_else(self, spark_server: SparkAddress) -> None:
        """From another client of the same session, as a cancel comes from another thread or process."""
        session_id = str(uuid.uuid4())
        ends: dict[str, tuple[float, str]] = {}

        def work(tag: str, query: str) -> None:
            spark = engine.connect(spark_server.remote, session_id=session_id)
            with engine.operation_tag(spark, tag):
                try:
                    spark.sql(query).collect()
                    code = "done"
                except Exception as error:
                    code = explain(error, tag).code
            ends[tag] = (time.monotonic(), code)

        short_query = "SELECT sum(a.id * b.id) FROM range(3000) a CROSS JOIN range(3000) b"
        threads = [
            threading.Thread(target=work, args=pair)
            for pair in (("mine", SLOW_QUERY.format(parts=2)), ("other", short_query))
        ]
        for thread in threads:
            thread.start()
        control = engine.connect(spark_server.remote, session_id=session_id)
        while engine.interrupt(control, "mine") == 0:
            time.sleep(0.1)
        asked = time.monotonic()
        for thread in threads:
            thread.join(60)
        assert ends["mine"][1] == "PH432"
        assert ends["mine"][0] - asked < 5
        assert ends["other"][1] == "done"

    def test_work_that_takes_every_core_is_interrupted_from_outside_and_the_server_does_not_seem_dead(
        self, spark_server: SparkAddress, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session_id = str(uuid.uuid4())
        spark = engine.connect(spark_server.remote, session_id=session_id)
        begun = threading.Event()
        ended: list[str] = []

        def note(seen: engine.Progress) -> None:
            if seen.tasks_total >= 64:
                begun.set()

        def burn() -> None:
            with engine.operation_tag(spark, "burns"), engine.progress(spark, note):
                try:
                    spark.sql(SLOW_QUERY.format(parts=64)).collect()
                except Exception as error:
                    ended.append(explain(error, "it").code)

        thread = threading.Thread(target=burn)
        thread.start()
        try:
            assert begun.wait(30)
            monkeypatch.setattr(engine, "ANSWER_SECONDS", 5.0)
            engine.ping(spark_server.remote)
            assert engine.interrupt_from_outside(spark_server.remote, session_id, "waits") == 0
            assert engine.interrupt_from_outside(spark_server.remote, session_id, "burns") == 1
        finally:
            engine.interrupt(spark, "burns")
        thread.join(10)
        assert ended == ["PH432"]

    def test_a_tag_ends_with_its_block(self, spark: Any) -> None:
        with engine.operation_tag(spark, "inside"):
            assert spark.getTags() == {"inside"}
        assert spark.getTags() == set()

    def test_progress_says_how_far_the_operations_of_this_thread_are(self, spark: Any) -> None:
        mine: list[engine.Progress] = []
        foreign: list[engine.Progress] = []
        started, ended, told = (threading.Event() for _ in range(3))

        def watch() -> None:
            with engine.progress(spark, foreign.append):
                started.set()
                ended.wait(120)

        def witness(stages: Any, **_others: Any) -> None:
            if stages:
                told.set()

        def stop() -> None:
            told.wait(60)
            engine.interrupt(spark, "burns")

        def burn() -> None:
            """Work that goes on until the session was told how far it is."""
            told.clear()
            stopper = threading.Thread(target=stop)
            stopper.start()
            with engine.operation_tag(spark, "burns"), pytest.raises(Exception, match="OPERATION_CANCELED"):
                spark.sql(SLOW_QUERY.format(parts=8)).collect()
            stopper.join()
            assert told.is_set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        started.wait(10)
        spark.registerProgressHandler(witness)
        try:
            with engine.progress(spark, mine.append):
                burn()
            seen = len(mine)
            burn()
        finally:
            spark.removeProgressHandler(witness)
            ended.set()
            watcher.join()
        assert mine
        assert all(p.tasks_done <= p.tasks_total and p.stages_done <= p.stages_total for p in mine)
        assert mine[-1].tasks_total >= 8
        assert len(mine) == seen
        assert foreign == []
