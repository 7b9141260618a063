"""Fixtures that tests of this room share: one Spark server a test session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import client, engine, registry
from flows.services import deployments
from flows.services.prefect_api import PrefectApi
from metadata.settings import Settings
from tests.conftest import NewHome, made_once, root_of
from tests.flows import learning
from tests.flows.homes import at_home, start_prefect, take_down
from tests.flows.house import House, open_house
from tests.flows.spark_servers import SparkAddress, shared_spark


@pytest.fixture(scope="session", name="spark_server")
def spark_address(tmp_path_factory: pytest.TempPathFactory, jars: Path) -> Iterator[SparkAddress]:
    """One Spark server for all tests: the one that PILOTHOUSE_TEST_SPARK_REMOTE names, else one that is started."""
    given = os.environ.get("PILOTHOUSE_TEST_SPARK_REMOTE")
    if given:
        yield SparkAddress(given)
        return
    with shared_spark(root_of(tmp_path_factory) / "spark-home", jars) as address:
        yield address


@pytest.fixture(scope="session")
def spark(spark_server: SparkAddress) -> Iterator[Any]:
    """A session on the Spark server of the tests."""
    session = engine.connect(spark_server.remote)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty MLflow store to copy from (making one takes 4 s)."""
    folder = made_once(tmp_path_factory, "registry", lambda folder: registry.prepare(Settings(home=folder)))
    return folder / "mlflow.db"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, spark: Any, store: Path) -> Path:
    """A home in which 60 days of trips have their features, to copy from (tests.flows.learning)."""

    def make(home: Path) -> None:
        house = learning.open_house(home, spark, store)
        learning.land(house, "trips-1.csv", learning.trips(60))
        house.run("ingest", "features", as_of=learning.day(60))
        house.database.close()

    return made_once(tmp_path_factory, "world", make)


@pytest.fixture(scope="session")
def house_folder(new_home: NewHome) -> Iterator[Path]:
    """The folder of a home whose services, once up, stay so until the last test."""
    folder = new_home("house")
    yield folder
    take_down(folder)


@pytest.fixture(scope="module")
def house(house_folder: Path, spark_server: SparkAddress) -> Iterator[House]:
    """A home with every service up, on the Spark server of the tests. Other modules have used it before."""
    with open_house(house_folder, spark_server.remote) as opened:
        yield opened


@pytest.fixture(scope="session")
def prefect_folder(new_home: NewHome) -> Iterator[Path]:
    """The folder of a home in which a Prefect server runs alone."""
    folder = new_home("prefect")
    try:
        with at_home(folder):
            start_prefect()
        yield folder
    finally:
        take_down(folder)


@pytest.fixture(scope="module")
def api(prefect_folder: Path) -> Iterator[PrefectApi]:
    """A Prefect server on its own, which the client finds: our work pool and launch deployment, and no schedule."""
    with at_home(prefect_folder), PrefectApi(*client.prefect_api(), seconds=30) as connection:
        yield connection
        deployments.sync_schedules(connection, [])
