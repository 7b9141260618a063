"""What many batches, and many decisions, cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from metadata import tables
from metadata.database import Database, next_change
from metadata.rows.decisions import HELD_BATCHES, Ruling, decisions_of_run, record, release
from metadata.rows.holding import Reader, rows_held, set_held
from metadata.rows.reading import new_inputs
from metadata.states import BatchState, DecisionState
from tests.metadata.rows import NOW, add_decision
from tests.metadata.steps import steps

READER = Reader("reader", new=("raw",), into="clean")


def batch(dataset: str, sequence: int, task: str) -> dict[str, object]:
    return {
        "id": f"{dataset}-{sequence}",
        "dataset_uid": dataset,
        "sequence": sequence,
        "state": BatchState.WRITTEN,
        "held": False,
        "run_id": "r",
        "task_run_id": "t",
        "task_key": task,
        "task_uid": task,
        "plan_hash": "h",
        "as_of": NOW,
        "intent": {},
        "rows_out": 1,
        "opened_at": NOW,
        "closed_at": NOW,
        "changed": 0,
    }


def fill(database: Database, many: int, unread: int = 0) -> None:
    """So many batches, all read but for the newest."""
    with database.write() as connection:
        connection.execute(insert(tables.plan).values(hash="h", pipeline_uid="p", body="{}", created_at=NOW))
        numbers = range(1, many - unread + 1)
        connection.execute(insert(tables.batch), [batch("raw", number, "load") for number in range(1, many + 1)])
        connection.execute(insert(tables.batch), [batch("clean", number, "reader") for number in numbers])
        reads = [
            {"batch_id": f"clean-{number}", "dataset_uid": "raw", "sequence": number, "task_uid": "reader"}
            for number in numbers
        ]
        connection.execute(insert(tables.batch_input), reads)


def hold(database: Database, run: str = "r1") -> list[str]:
    ruling = Ruling("rule", "rule", DecisionState.FIRED, "", "", {}, {}, hold=READER)
    decision = record(database, ruling, run_id=run, attempt=1, task_key="decide", as_of=NOW, author="ada")
    return list(decision.actions.get(HELD_BATCHES, ()))


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_template: Path) -> Callable[[], Database]:
    def make() -> Database:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
        path.write_bytes(sqlite_template.read_bytes())
        return Database(f"sqlite:///{path}")

    return make


@pytest.mark.parametrize(
    "ask",
    [lambda database: new_inputs(database, "reader", "raw", "clean", 1), lambda database: rows_held(database, READER)],
    ids=["new inputs", "rows held"],
)
def test_what_is_new_costs_as_much_a_batch_however_many_were_read(
    sqlite: Callable[[], Database], ask: Callable[[Database], object]
) -> None:
    cost = []
    for many in (500, 2000):
        database = sqlite()
        fill(database, many, unread=1)
        with steps(database) as counted:
            ask(database)
        cost.append(counted[0])
    assert 0 < cost[1] < 6 * cost[0], "four times as many batches"


def test_a_decision_keeps_others_waiting_as_long_however_many_batches_were_read(
    sqlite: Callable[[], Database],
) -> None:
    cost = []
    for many in (50, 2000):
        database = sqlite()
        fill(database, many, unread=2)
        with steps(database, writing=True) as counted:
            assert hold(database) == [f"raw-{many - 1}", f"raw-{many}"]
        cost.append(counted[0])
    assert 0 < cost[1] < 2 * cost[0]


def test_what_was_released_long_ago_keeps_nobody_waiting(sqlite: Callable[[], Database]) -> None:
    cost = []
    for many in (10, 300):
        database = sqlite()
        fill(database, 3, unread=2)
        for number in range(many):
            held = {HELD_BATCHES: ["raw-2" if number == 0 else f"old-{number}"]}
            add_decision(database, "rule", "rule", "fired", f"r-{number}", actions=held, released_at=NOW)
        with steps(database, writing=True) as counted:
            assert hold(database) == ["raw-3"]
        cost.append(counted[0])
    assert 0 < cost[1] < 2 * cost[0]


class Meanwhile(Database):
    """Something happens before its next transaction that writes."""

    happens: Callable[[Database], None] | None = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        happens, self.happens = self.happens, None
        if happens is not None:
            happens(self)
        with super().write() as connection:
            yield connection


def land(database: Database) -> None:
    with database.write() as connection:
        change = next_change(connection)
        connection.execute(insert(tables.batch).values({**batch("raw", 4, "load"), "changed": change}))


def read_the_newest(database: Database) -> None:
    with database.write() as connection:
        made = {**batch("clean", 9, "reader"), "changed": next_change(connection)}
        connection.execute(insert(tables.batch).values(made))
        read = {"batch_id": "clean-9", "dataset_uid": "raw", "sequence": 3, "task_uid": "reader"}
        connection.execute(insert(tables.batch_input).values(read))


def hold_the_newest(database: Database) -> None:
    with database.write() as connection:
        set_held(connection, ["raw-3"], held=True)


def release_all(database: Database) -> None:
    hold(database, "another")
    (decision,) = decisions_of_run(database, "another")
    release(database, decision.id, "ann")


@pytest.mark.parametrize(
    ("happens", "held"),
    [
        (release_all, []),
        (land, ["raw-2", "raw-3", "raw-4"]),
        (read_the_newest, ["raw-2"]),
        (hold_the_newest, ["raw-2"]),
    ],
)
def test_what_happens_while_a_decision_looks_around_counts(
    database: Database, happens: Callable[[Database], None], held: list[str]
) -> None:
    fill(database, 3, unread=2)
    racing = Meanwhile(database.url)
    racing.happens = happens
    assert hold(racing) == held
    racing.close()
