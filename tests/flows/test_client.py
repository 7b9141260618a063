"""The client is light, and tells the truth about services from files alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows import client
from flows.services import process, records, standing
from flows.services.given import Given, GivenRegistry, Look
from flows.services.records import Record
from metadata import migrations
from metadata.database import Database
from metadata.errors import PilothouseError, ServiceDownError
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.rows import runs
from metadata.settings import settings
from metadata.states import State
from tests.flows.homes import until
from tests.flows.web import answering


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """State folder of an empty home in which nothing is given by URL."""
    monkeypatch.setenv("PILOTHOUSE_HOME", str(tmp_path / "home"))
    for name in ("PREFECT_API_URL", "SPARK_REMOTE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    settings.cache_clear()
    yield settings().state
    settings.cache_clear()


def _record(name: str, started: int = 0) -> Record:
    me = process.ourselves()
    return Record(name, "up", datetime.now(UTC), "http://127.0.0.1:1/api", "user:secret", me.pid, me.started + started)


def _state(name: str) -> tuple[str, str]:
    found = next(one for one in client.status() if one.name == name)
    return found.state, found.detail


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = ("prefect", "pyspark", "mlflow", "pandas", "httpx", "sqlalchemy.orm", "uvicorn")
    code = f"import sys, flows.client; print([name for name in {heavy!r} if name in sys.modules])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env).stdout == "[]\n"


def test_in_an_empty_home_everything_is_down(state: Path) -> None:
    assert [(one.name, one.state) for one in client.status()] == [
        (name, "down") for name in records.NAMES if name != records.MLFLOW
    ]
    with pytest.raises(ServiceDownError, match="PH311"):
        client.prefect_api()
    with pytest.raises(ServiceDownError, match="PH410"):
        client.spark_remote()


def test_a_record_counts_only_while_its_very_process_lives(state: Path) -> None:
    records.save(state, _record(records.PREFECT))
    assert _state(records.PREFECT) == ("up", "runs without a supervisor")
    records.save(state, _record(records.SUPERVISOR))
    assert _state(records.PREFECT) == ("up", "")
    records.save(state, _record(records.PREFECT, started=-1))
    assert _state(records.PREFECT) == ("down", "the process has ended")


def test_a_spark_server_that_has_ended_is_away_at_once_whoever_listens_at_its_port(state: Path) -> None:
    records.save(state, replace(_record(records.SPARK, started=-1), state="down", detail="killed by SIGKILL"))
    with pytest.raises(ServiceDownError, match="PH410.*killed by SIGKILL"):
        client.spark_remote()


def test_a_record_that_is_no_record_is_none(state: Path) -> None:
    for text in ("", "{", "[]", '{"name": "prefect"}', '{"since": 4}'):
        records.write(records.file(state, records.PREFECT), text)
        assert _state(records.PREFECT) == ("down", "not started")


def test_taking_down_ends_no_process_that_reused_an_id(state: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        identity = process.identify(stranger.pid)
        assert identity is not None
        record = replace(_record(records.SUPERVISOR), pid=identity.pid, started=identity.started - 1)
        records.save(state, record)
        client.down()
        assert identity.alive()
        stranger.kill()


def test_records_are_for_their_owner_alone_and_tokens_are_not_shown(state: Path) -> None:
    records.save(state, replace(_record(records.SPARK), url="sc://localhost:1/;user_id=x;token=geheim"))
    assert records.file(state, records.SPARK).stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    assert "geheim" in client.spark_remote()
    assert "geheim" not in str(client.status())


def test_what_is_given_by_url_is_taken_from_the_settings(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "a:b")
    monkeypatch.delenv("PREFECT_API_KEY", raising=False)
    monkeypatch.setenv("SPARK_REMOTE", "sc://spark.example/;token=geheim")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://mlflow:geheim@db.example/mlflow")
    settings.cache_clear()
    assert client.prefect_api() == ("http://prefect.example/api", {"Authorization": "Basic YTpi"})
    assert client.spark_remote() == "sc://spark.example/;token=geheim"
    given = {one.name: one for one in client.status() if one.given}
    assert {one.state for one in given.values()} == {"external"}
    assert given[records.MLFLOW].url == "postgresql://db.example/mlflow"
    assert "geheim" not in str(client.status())


@pytest.mark.parametrize("supervised", [True, False])
def test_what_was_there_and_has_not_been_looked_at_lately_is_tried(
    state: Path, monkeypatch: pytest.MonkeyPatch, supervised: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        url = f"http://127.0.0.1:{there.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        settings.cache_clear()
        records.save(state, Record(records.MLFLOW, "external", datetime.now(UTC), url))
        if supervised:
            records.save(state, _record(records.SUPERVISOR))
        records.beat(state, records.MLFLOW)

        def seen() -> tuple[str, str]:
            standing._unanswered.cache_clear()
            return next((one.state, one.detail) for one in client.status(knock=True) if one.given)

        assert seen()[0] == "external"
        there.close()
        assert seen()[0] == ("external" if supervised else "down")
        os.utime(state / "mlflow.beat", (time.time() - 11, time.time() - 11))
        assert seen() == ("down", "given by URL; Connection refused")


def test_one_given_by_url_is_looked_at_again_and_again(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(kind.seconds for kind in (Given, *Given.__subclasses__())) <= records.FRESH_SECONDS / 2
    monkeypatch.setattr(GivenRegistry, "seconds", 0.1)

    def found() -> tuple[str, bool]:
        record = records.load(state, records.MLFLOW)
        return record.state if record else "", (records.beat_age(state, records.MLFLOW) or 0.0) < 1.0

    with answering(200, "{}") as address:
        look = Look(settings(), GivenRegistry(address))
        look.start()
        until(lambda: found() == ("external", True), 10)
    until(lambda: found() == ("down", True), 20)
    look.close()
    look.join(10)


def test_one_given_by_url_is_looked_at_also_after_its_record_could_not_be_written(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GivenRegistry, "seconds", 0.05)
    values = settings()
    with answering(200, "{}") as address:
        look = Look(values, GivenRegistry(address))
        away = state.rename(state.with_name("away"))
        look.start()
        time.sleep(0.3)
        away.rename(state)
        until(lambda: records.beat_age(state, records.MLFLOW) is not None, 3)
        until(lambda: (found := records.load(state, records.MLFLOW)) is not None and found.state == "external", 3)
        look.close()
        look.join(10)


def test_a_server_that_fails_at_a_launch_or_a_cancellation_does_not_undo_it(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(500, '{"detail": "Internal error"}') as address, closing(Database.of(settings())) as database:
        monkeypatch.setenv("PREFECT_API_URL", f"{address}/api")
        settings.cache_clear()
        migrations.ensure(database)
        document = {
            "datasets": {"gold.x": {"storage": {"mode": "overwrite"}}},
            "pipelines": {"orders": {"tasks": {"a": {"kind": "transform", "to": "gold.x", "sql": "SELECT 1 AS a"}}}},
        }
        apply(database, Blueprint.model_validate(document), author="ada", settings=settings())
        with pytest.raises(PilothouseError, match="PH313") as refused:
            client.launch("orders", {}, None, "ada")
        assert refused.value.fault.cause.startswith("it answered 500 to GET /api/deployments")
        said = "do not ask again: run 1 is {}, and handed on as soon as the server takes it"
        assert refused.value.fault.remedy == said.format("queued")
        (run,) = runs.unsettled_runs(database)
        assert (run.number, run.state) == (1, State.QUEUED)
        runs.attach_flow_run(database, run.id, 1, "f-1")
        with pytest.raises(PilothouseError, match="PH313") as refused:
            client.cancel(run.id, "ada")
        assert refused.value.fault.remedy == said.format("cancelling")
        assert runs.get_run(database, run.id).cancel_requested


def test_a_secret_is_made_once_for_each_home(state: Path, tmp_path: Path) -> None:
    first = records.secret(state, "x")
    assert records.secret(state, "x") == first
    assert records.secret(tmp_path, "x") != first
    assert (state / "x.secret").stat().st_mode & 0o777 == 0o600
