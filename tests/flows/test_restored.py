"""Metadata that were restored from a backup: the tables know more than they do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from flows import batches as writing
from flows import storing
from flows.query import last_batch
from metadata.backups import keep, restore
from metadata.errors import PilothouseError, UsageError
from metadata.migrations import VERSION_TABLE, VERSIONS
from tests.flows.test_batches import DeadError, after_the_write, before_the_write, land_second, landed
from tests.flows.warehouse import Warehouse

pytestmark = pytest.mark.slow


def of_a_version(house: Warehouse) -> Warehouse:
    """Its metadata are what a backup can be made of."""
    with house.database.write() as link:
        link.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num TEXT)"))
        link.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('{VERSIONS[-1]}')"))
    return house


def at_once(patch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> Any:
        raise DeadError

    patch.setattr(writing, "_disown_unknown", die)


def test_metadata_restored_from_a_backup_lose_no_row_and_double_none(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CLOCKS_DIFFER", timedelta())
    house = of_a_version(landed(tmp_path, spark))
    house.run("take", "clean")
    keep(house.database, tmp_path / "one.backup")
    land_second(house)
    house.run("take", "clean")
    house.land("c.csv", "id,v\n6,f\n9,\n")
    house.run("take", "clean")
    restore(house.database, tmp_path / "one.backup", "ada")
    house.land("d.csv", "id,v\n7,g\n8,h\n")
    run = house.start()
    for task, deaths in (("take", (at_once, before_the_write)), ("clean", (before_the_write, at_once))):
        for dies in deaths:
            with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
                dies(patch)
                house.execute(run, task)
        house.execute(run, task)
    house.run("take", "clean")
    assert house.rows("bronze.x", order="ALL") == [
        *((1, "a"), (1, "z"), (2, None), (3, "c"), (4, "d"), (5, None), (6, "f"), (7, "g"), (8, "h"), (9, None))
    ]
    assert house.state("bronze.x").rows == 10
    assert house.rows("silver.x", order="id") == [(1, "z"), (3, "c"), (4, "d"), (6, "f"), (7, "g"), (8, "h")]
    assert [row["id"] for row in house.quarantined("silver.x")] == [2, 5, 9]


def test_a_backup_that_was_made_between_a_write_and_its_bookkeeping_doubles_no_row(tmp_path: Path, spark: Any) -> None:
    house = of_a_version(landed(tmp_path, spark))
    house.run("take")
    land_second(house)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
        after_the_write(patch)
        house.run("take")
    keep(house.database, tmp_path / "one.backup")
    house.land("c.csv", "id,v\n6,f\n")
    house.run("take")
    restore(house.database, tmp_path / "one.backup", "ada")
    house.land("d.csv", "id,v\n7,g\n")
    house.run("take")
    assert [row[0] for row in house.rows("bronze.x", order="id")] == [1, 1, 2, 3, 4, 5, 6, 7]
    assert house.state("bronze.x").rows == 8


def test_a_batch_that_gets_a_number_again_and_is_refused_doubles_no_row(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise PilothouseError("PH255", "x", "an odd value", "mend it")

    monkeypatch.setattr(writing, "CLOCKS_DIFFER", timedelta())
    house = of_a_version(landed(tmp_path, spark))
    house.run("take")
    keep(house.database, tmp_path / "one.backup")
    land_second(house)
    house.run("take")
    restore(house.database, tmp_path / "one.backup", "ada")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
        at_once(patch)
        house.run("take")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(PilothouseError):
        patch.setattr(storing, "_put", refuse)
        house.run("take")
    house.run("take")
    assert [row[0] for row in house.rows("bronze.x", order="id")] == [1, 1, 2, 3, 4, 5]
    assert house.state("bronze.x").rows == 6


def test_metadata_of_before_the_first_batch_take_a_table_that_is_merged_into_as_theirs(
    tmp_path: Path, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are of no batch then; the first one counts them, and no later one gives them as its own.

    Until then it is not said that nothing was written.
    """

    def refused() -> str:
        with pytest.raises(UsageError, match="PH592 dataset silver.x") as error:
            last_batch(house.database, house.settings, spark, "silver.x", house.plan.datasets["silver.x"])
        return error.value.fault.cause

    monkeypatch.setattr(writing, "CLOCKS_DIFFER", timedelta())
    house = of_a_version(landed(tmp_path, spark))
    assert refused() == "nothing was written to it yet"
    keep(house.database, tmp_path / "one.backup")
    for land in (lambda: None, lambda: land_second(house), lambda: house.land("c.csv", "id,v\n6,f\n9,\n")):
        land()
        house.run("take", "clean")
    restore(house.database, tmp_path / "one.backup", "tests")
    assert refused().startswith("its table is there, but the metadata know no finished batch of it")
    skipped = "no finished batch of bronze.x is known, though its table is there: the metadata were restored"
    assert str(house.run("clean").skipped).startswith(skipped)
    for path in house.landing.iterdir():
        path.unlink()
    deaths = (("7,g", (at_once, after_the_write)), ("8,h\n3,n\n0,", (after_the_write,)))
    for number, (lines, ways) in enumerate(deaths):
        house.land(f"later {number}.csv", f"id,v\n{lines}\n")
        house.run("take")
        run = house.start()
        for dies in ways:
            with pytest.MonkeyPatch.context() as patch, pytest.raises(DeadError):
                dies(patch)
                house.execute(run, "clean")
        assert house.execute(run, "clean").skipped is None
    assert house.rows("silver.x", columns="id, v, _batch") == [
        *((1, "z", 0), (3, "n", 2), (4, "d", 0), (6, "f", 0), (7, "g", 1), (8, "h", 2))
    ]
    assert house.state("silver.x").rows == 6
    assert [(row["id"], row["_batch"]) for row in house.quarantined("silver.x")] == [(0, 2)]
