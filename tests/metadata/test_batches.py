"""Batches: one open at a time, closed with all that follows from them, whatever is killed and whoever comes next."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import insert, select, update

from metadata import tables
from metadata.database import Database
from metadata.errors import PilothouseError
from metadata.intents import Bounds, FileIdentity, Intent, Mark, PinnedInput
from metadata.rows import batches, consumption, holding, reading
from metadata.rows.holding import Reader
from metadata.states import BatchState, State
from metadata.values import utc_now
from tests.metadata.rows import add, add_run, batch_state

HASH = "0" * 64
AS_OF = datetime(2024, 1, 2, tzinfo=UTC)


def prepare(database: Database) -> None:
    with database.write() as link:
        link.execute(
            insert(tables.plan).values(hash=HASH, pipeline_uid="p", revision=1, body="{}", created_at=utc_now())
        )


def owner(task: str = "task", run: str = "run", task_run: str | None = None) -> batches.Owner:
    return batches.Owner(run, task_run or str(uuid.uuid4()), task, f"uid of {task}", HASH, AS_OF)


def written(version: int = 0, rows: int = 1, rows_bad: int | None = 0, **more: Any) -> batches.Written:
    columns = {"b": "int", "a": "string"}
    return batches.Written(
        rows_in=rows, rows_out=rows, rows_bad=rows_bad, version=version, rows=rows, columns=columns, **more
    )


def write(
    database: Database, dataset: str, intent: Intent | None = None, by: batches.Owner | None = None
) -> batches.Batch:
    state = batches.state_of(database, dataset)
    after = state.sequence if state else None
    version = (state.version or 0) + 1 if state else 0
    opened = batches.open_batch(database, dataset, by or owner(), intent or Intent(), after)
    assert opened is not None
    return batches.close_batch(database, opened, f"key of {dataset}", written(version))


@pytest.fixture
def store(database: Database) -> Database:
    prepare(database)
    return database


def test_a_batch_is_intended_then_closed_with_all_that_follows(store: Database) -> None:
    source = write(store, "in")
    intent = Intent(
        files=(FileIdentity(path="a.csv", size=1, modified="1", checksum="x"),),
        inputs={"in": PinnedInput(uid="in", version=0, batches=(source.sequence,), new=True)},
        bounds=Bounds(connection="c", source="t", column="at", high=Mark.of(7)),
    )
    batch = batches.open_batch(store, "out", owner(), intent)
    assert batch is not None and batch.state == BatchState.OPEN and batch.intent.target_version is None
    assert consumption.known_files(store, "uid of task", "out") == {}
    assert reading.new_inputs(store, "uid of task", "in", "out") == ((1,), ())
    closed = batches.close_batch(store, batch, "silver.out", written(3, rows=5, quality={"r": {"rows_bad": 0}}))
    assert (closed.state, closed.version, closed.rows_out, closed.quality) == (
        BatchState.WRITTEN,
        3,
        5,
        {"r": {"rows_bad": 0}},
    )
    assert consumption.known_files(store, "uid of task", "out") == {"a.csv": intent.files[0]}
    assert reading.new_inputs(store, "uid of task", "in", "out", again=1) == ((), (1,))
    assert consumption.watermark_of(store, "uid of task", "out", intent.bounds) == Mark.of(7)
    state = batches.state_of(store, "out")
    assert state is not None
    assert (state.dataset_key, state.rows, state.version, state.sequence) == ("silver.out", 5, 3, 1)
    assert list(state.columns.items()) == [("b", "int"), ("a", "string")]
    following = batches.open_batch(store, "out", owner(), Intent(), after=1)
    assert following is not None and (following.sequence, following.intent.target_version) == (2, 3)


@pytest.mark.parametrize(("rows_bad", "good"), [(0, True), (1, False), (None, False)])
def test_what_is_unknown_of_bad_rows_is_not_taken_for_none(store: Database, rows_bad: int | None, good: bool) -> None:
    assert batches.all_good_lately(store, "d")
    batch = batches.open_batch(store, "d", owner(), Intent())
    assert batch is not None
    batches.close_batch(store, batch, "d", written(rows_bad=rows_bad))
    assert batches.all_good_lately(store, "d") is good


def test_only_one_batch_is_open_and_only_on_what_was_seen(store: Database) -> None:
    first = batches.open_batch(store, "d", owner(), Intent())
    assert first is not None
    assert batches.open_batch(store, "d", owner(), Intent()) is None
    batches.close_batch(store, first, "d", written())
    assert batches.open_batch(store, "d", owner(), Intent(), after=None) is None
    assert batches.open_batch(store, "d", owner(), Intent(), after=1) is not None
    assert batches.open_batch(store, "other", owner(), Intent()) is not None


def test_many_at_once_open_one(store: Database) -> None:
    opened: list[batches.Batch | None] = []

    def go() -> None:
        opened.append(batches.open_batch(store, "d", owner(), Intent()))

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 8 and sum(batch is not None for batch in opened) == 1


def test_a_refused_batch_uses_nothing_up(store: Database) -> None:
    intent = Intent(files=(FileIdentity(path="a", size=1, modified="1"),))
    batch = batches.open_batch(store, "d", owner(), intent)
    assert batch is not None
    batches.refuse_batch(store, batch, {"r": {"rows_bad": 3}})
    assert batch_state(store, batch.id) == BatchState.REFUSED
    assert consumption.known_files(store, "uid of task", "d") == {} and batches.state_of(store, "d") is None
    with pytest.raises(PilothouseError, match="PH202"):
        batches.close_batch(store, batch, "d", written())
    following = batches.open_batch(store, "d", owner(), intent)
    assert following is not None and following.sequence == 2


def test_who_was_taken_for_dead_cannot_close(store: Database) -> None:
    batch = batches.open_batch(store, "d", owner(), Intent())
    assert batch is not None and batches.still_owned(store, batch)
    heir = batches.take_over(store, batch, "heir")
    assert heir is not None and batches.take_over(store, batch, "slower heir") is None
    assert not batches.still_owned(store, batch)
    with pytest.raises(PilothouseError, match="PH202"):
        batches.close_batch(store, batch, "d", written())
    batches.refuse_batch(store, batch)
    assert batch_state(store, batch.id) == BatchState.OPEN
    closed = batches.close_batch(store, heir, "d", written(4))
    assert batches.close_batch(store, heir, "d", written(9)) == closed
    assert batches.state_of(store, "d").version == 4  # type: ignore[union-attr]


def test_an_owner_lives_while_it_beats(store: Database) -> None:
    now = utc_now()
    with store.write() as link:
        link.execute(
            insert(tables.run).values(
                id="r",
                number=1,
                pipeline_uid="p",
                pipeline_key="p",
                bindings={},
                as_of=AS_OF,
                trigger="manual",
                author="a",
                attempt=1,
                state="running",
                created_at=now,
                changed=1,
            )
        )
        link.execute(
            insert(tables.task_run).values(
                id="t", run_id="r", attempt=1, task_key="task", task_uid="uid of task", kind="ingest", position=0,
                upstream=[], state="running", heartbeat_at=now, changed=1,
            )
        )  # fmt: skip
    batch = batches.open_batch(store, "d", owner(task_run="t"), Intent())
    assert batch is not None and batches.owner_is_alive(store, batch)

    def set_task(**values: Any) -> None:
        with store.write() as link:
            link.execute(update(tables.task_run).values(**values))

    set_task(heartbeat_at=now - timedelta(seconds=21))
    assert not batches.owner_is_alive(store, batch)
    set_task(heartbeat_at=now, state=State.LOST)
    assert not batches.owner_is_alive(store, batch)
    nobody = batches.open_batch(store, "e", owner(task_run="gone"), Intent())
    assert nobody is not None and not batches.owner_is_alive(store, nobody)
    batches.close_batch(store, batch, "d", written())
    assert [one.id for one in batches.unsettled_work(store, "run", "uid of task")] == [batch.id]
    set_task(state=State.SUCCEEDED, ended_at=utc_now(), run_id="r")
    assert len(batches.unsettled_work(store, "run", "uid of task")) == 1
    other = batches.open_batch(store, "d", owner(run="r", task_run="t"), Intent(), after=1)
    assert other is not None
    batches.close_batch(store, other, "d", written(1))
    assert [one.sequence for one in batches.unsettled_work(store, "r", "uid of task")] == [2]
    set_task(ended_at=utc_now())
    assert batches.unsettled_work(store, "r", "uid of task") == []


@pytest.mark.parametrize(("mode", "counted"), [("failed", [1, 2]), ("all", [2])])
def test_what_a_lost_try_has_written_counts_unless_all_is_to_be_done_again(
    store: Database, mode: str, counted: list[int]
) -> None:
    _, run = add_run(store, "p", "p", State.RUNNING)

    def set_run(**values: Any) -> None:
        with store.write() as link:
            link.execute(update(tables.run).values(**values))

    write(store, "d", by=owner(run=run))
    assert [one.sequence for one in batches.unsettled_work(store, run, "uid of task")] == [1]
    set_run(attempt=2, again=mode, started_at=utc_now())
    assert [one.sequence for one in batches.unsettled_work(store, run, "uid of task")] == counted[:-1]
    write(store, "d", by=owner(run=run))
    assert [one.sequence for one in batches.unsettled_work(store, run, "uid of task")] == counted


def test_held_batches_are_passed_over_until_released(store: Database) -> None:
    ids = [write(store, "d").id for _ in range(3)]
    assert reading.visible_batches(store, "d") is None
    with store.write() as link:
        holding.set_held(link, ids[1:2], held=True)
        holding.set_held(link, (), held=True)
    assert reading.new_inputs(store, "reader", "d", "out") == ((1, 3), ())
    assert reading.visible_batches(store, "d") == (reading.NOBODYS, 1, 3)
    with store.write() as link:
        holding.set_held(link, ids, held=False)
    assert reading.new_inputs(store, "reader", "d", "out") == ((1, 2, 3), ())


def test_unread_is_what_a_task_would_read_as_news(store: Database) -> None:
    def succeed() -> None:
        _, run = add_run(store, "p", "p", State.RUNNING)
        row = {"id": run, "run_id": run, "attempt": 1, "task_key": "task", "task_uid": "uid of task", "position": 0}
        ended = {"kind": "transform", "upstream": [], "state": State.SUCCEEDED, "started_at": utc_now()}
        add(store, tables.task_run, **row, **ended)

    one, two = (write(store, "d").id for _ in range(2))
    read = PinnedInput(uid="d", version=1, batches=(1,), new=True)
    write(store, "out", Intent(inputs={"d": read}))
    still_open = batches.open_batch(store, "d", owner(), Intent(), after=2)
    assert still_open is not None
    with store.write() as link:
        holding.set_held(link, [two], held=True)
        assert holding.unread(link, Reader("uid of task", new=("d",), into="out")) == {two: True, still_open.id: False}
        another = Reader("another", new=("d",), into="out")
        assert holding.unread(link, another) == {one: False, two: True, still_open.id: False}
        assert list(holding.unread(link, Reader("uid of task", everything=("d",)))) == [one, two, still_open.id]
    succeed()
    batches.close_batch(store, still_open, "d", written(2))
    with store.read() as link:
        assert holding.unread(link, Reader("uid of task", everything=("d",))) == {still_open.id: False}


def test_a_task_that_writes_elsewhere_begins_anew(store: Database) -> None:
    write(store, "d")
    write(store, "out", Intent(inputs={"d": PinnedInput(uid="d", version=1, batches=(1,), new=True)}))
    assert reading.new_inputs(store, "uid of task", "d", "out") == ((), ())
    assert reading.new_inputs(store, "uid of task", "d", "elsewhere") == ((1,), ())


def test_again_gives_the_newest_that_were_read(store: Database) -> None:
    for _ in range(4):
        write(store, "d")
    read = Intent(inputs={"d": PinnedInput(uid="d", version=3, batches=(1, 2, 3), new=True)})
    write(store, "out", read)
    assert reading.new_inputs(store, "uid of task", "d", "out", again=2) == ((4,), (2, 3))
    assert reading.new_inputs(store, "another task", "d", "out", again=2) == ((1, 2, 3, 4), ())
    all_rows = Intent(inputs={"d": PinnedInput(uid="d", version=3)})
    write(store, "out", all_rows)
    assert reading.new_inputs(store, "uid of task", "d", "out") == ((4,), ())


def above(high: Any = None, **source: str) -> Bounds:
    """Bounds of a read of one source, with changes; up to `high`."""
    return Bounds(
        **{"connection": "c", "source": "t", "column": "n", **source},
        high=Mark.of(high) if high is not None else None,
    )


def mark_of(store: Database, bounds: Bounds) -> Mark | None:
    return consumption.watermark_of(store, "uid of task", "d", bounds)


def test_a_watermark_never_goes_back(store: Database) -> None:
    for high in (5, 9, 3, None):
        write(store, "d", Intent(bounds=above(high)))
    assert mark_of(store, above()) == Mark.of(9)


def test_the_source_alone_orders_texts(store: Database) -> None:
    for high in ("a", "B"):
        write(store, "d", Intent(bounds=above(high)))
    assert mark_of(store, above()) == Mark.of("B")


@pytest.mark.parametrize("other", [{"connection": "other"}, {"source": "other"}, {"column": "other"}])
def test_a_watermark_is_that_of_one_connection_table_and_column(store: Database, other: dict[str, str]) -> None:
    write(store, "d", Intent(bounds=above(9)))
    assert mark_of(store, above(**other)) is None
    write(store, "d", Intent(bounds=above(5, **other)))
    assert (mark_of(store, above(**other)), mark_of(store, above())) == (Mark.of(5), Mark.of(9))


def test_a_watermark_of_a_source_with_the_longest_names_is_kept(store: Database) -> None:
    schema, long = "s" * 128, "n" * 128
    write(store, "d", Intent(bounds=above(9, source=f"{schema}.{long}", column=long)))
    assert mark_of(store, above(source=f"{schema}.{long}", column=long)) == Mark.of(9)
    assert mark_of(store, above(source=f"{schema}.{long}", column=f"{long[:-1]}m")) is None


def test_a_watermark_that_names_the_table_alone_is_taken_over_once(store: Database) -> None:
    write(store, "d", Intent(bounds=above(9, connection="")))
    assert mark_of(store, above()) == Mark.of(9)
    write(store, "d", Intent(bounds=above(12)))
    assert mark_of(store, above()) == Mark.of(12)
    assert mark_of(store, above(connection="other")) is None


def test_a_file_is_known_as_it_was_last_read(store: Database) -> None:
    first, second = (FileIdentity(path="a", size=size, modified="1", checksum="x") for size in (1, 2))
    other = FileIdentity(path="b", size=7, modified="1")
    for file in (first, second, first):
        write(store, "d", Intent(files=(file, other)))
        assert consumption.known_files(store, "uid of task", "d") == {"a": file, "b": other}
    write(store, "e", Intent(files=(second,)))
    assert consumption.known_files(store, "uid of task", "d") == {"a": first, "b": other}


def test_more_files_than_a_statement_has_parameters_are_remembered(store: Database) -> None:
    files = tuple(FileIdentity(path=str(number), size=1, modified="1") for number in range(1_201))
    for _ in range(2):
        write(store, "d", Intent(files=files))
    assert len(consumption.known_files(store, "uid of task", "d")) == 1_201


MARKS = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=-5)))),
)


@given(MARKS)
def test_a_mark_survives_json(value: Any) -> None:
    mark = Mark.model_validate_json(Mark.of(value).model_dump_json())
    assert mark.python == value and type(mark.python) is type(value)
    assert mark.reached_by(mark)


@given(st.sampled_from([int, float, Decimal, date.fromordinal]), st.integers(1, 10**6), st.integers(1, 10**6))
def test_marks_order_as_their_values(kind: Any, one: int, other: int) -> None:
    assert Mark.of(kind(one)).reached_by(Mark.of(kind(other))) == (other >= one)


@pytest.mark.parametrize("value", [True, None, b"x", object()])
def test_what_is_no_mark(value: Any) -> None:
    with pytest.raises(ValueError, match="no watermark"):
        Mark.of(value)


def test_what_makes_an_intent_incremental() -> None:
    assert not Intent(inputs={"d": PinnedInput(uid="d", version=1, batches=(1,))}).incremental
    assert not Intent(bounds=Bounds(source="t")).incremental
    assert Intent(inputs={"d": PinnedInput(uid="d", version=1, batches=(1,), new=True)}).incremental
    assert Intent(bounds=Bounds(source="t", column="n")).incremental
    assert Intent(files=(FileIdentity(path="a", size=1, modified="1"),)).incremental


class Life(RuleBasedStateMachine):
    """A dataset and its reader under any order of opening, dying, taking over, closing and refusing."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.database = Database(f"sqlite:///{self.folder / f'{uuid.uuid4()}.db'}")
        tables.metadata.create_all(self.database.engine)
        with self.database.write() as link:
            link.execute(insert(tables.counter).values(id=1, value=0))
        prepare(self.database)
        self.open: batches.Batch | None = None
        self.stale: list[batches.Batch] = []
        self.read: list[int] = []
        self.good: list[int] = []
        self.opened = 0

    @rule()
    def open_one(self) -> None:
        state = batches.state_of(self.database, "d")
        found = batches.open_batch(self.database, "d", owner(), Intent(), state.sequence if state else None)
        if self.open is not None:
            assert found is None
            return
        assert found is not None
        self.opened += 1
        assert found.sequence == self.opened
        self.open = found

    @precondition(lambda self: self.open is not None)
    @rule()
    def take_over(self) -> None:
        assert self.open is not None
        self.stale.append(self.open)
        self.open = batches.take_over(self.database, self.open, str(uuid.uuid4()))
        assert self.open is not None

    @precondition(lambda self: self.open is not None)
    @rule(good=st.booleans())
    def finish(self, good: bool) -> None:
        assert self.open is not None
        if good:
            batches.close_batch(self.database, self.open, "d", written(self.open.sequence))
            self.good.append(self.open.sequence)
        else:
            batches.refuse_batch(self.database, self.open)
        self.open = None

    @precondition(lambda self: self.stale)
    @rule()
    def a_dead_owner_wakes_up(self) -> None:
        ghost = self.stale[-1]
        batches.refuse_batch(self.database, ghost)
        if batch_state(self.database, ghost.id) == BatchState.WRITTEN:
            closed = batches.close_batch(self.database, ghost, "d", written(999))
            assert (closed.state, closed.version) == (BatchState.WRITTEN, ghost.sequence)
        else:
            with pytest.raises(PilothouseError):
                batches.close_batch(self.database, ghost, "d", written(999))

    @rule()
    def read_what_is_new(self) -> None:
        new, _ = reading.new_inputs(self.database, "uid of task", "d", "out")
        if new:
            write(self.database, "out", Intent(inputs={"d": PinnedInput(uid="d", version=0, batches=new, new=True)}))
            self.read += new

    @invariant()
    def every_written_batch_is_read_once(self) -> None:
        new, _ = reading.new_inputs(self.database, "uid of task", "d", "out")
        assert [*self.read, *new] == self.good
        state = batches.state_of(self.database, "d")
        assert (state.sequence if state else None) == (self.good[-1] if self.good else None)
        with self.database.read() as link:
            count = select(tables.batch.c.id).where(tables.batch.c.dataset_uid == "d", tables.batch.c.state == "open")
            assert len(link.execute(count).all()) == (self.open is not None)

    def teardown(self) -> None:
        self.database.close()


def test_life(tmp_path: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    machine = type("Life", (Life,), {"folder": tmp_path})
    run_state_machine_as_test(machine, settings=settings(max_examples=12, stateful_step_count=20, deadline=None))
