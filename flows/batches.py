"""The one place where datasets are written: every write is a batch, intended first, written at most once.

A batch is intended (a row), built from its intent, checked, written to Delta under its sequence, and closed in one SQL
transaction. A process may die anywhere in between: whoever comes next finds the open batch and finishes it, under the
plan and with the intent that it was opened with. If its commit is in the table already it is only closed.
"""

from __future__ import annotations

import functools
import importlib
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from flows import client, engine, quality, spark_errors
from flows.context import Figure, Outcome, TaskContext, task_tag
from flows.folders import SourceChangedError
from flows.storing import Target, drop_aside, recount, store
from metadata.errors import PilothouseError, ServiceDownError
from metadata.intents import Intent, PinnedInput
from metadata.kinds import Dataset
from metadata.rows import batches as rows
from metadata.rows import reading
from metadata.rows.batches import Written
from metadata.rows.holding import Reader, rows_held
from metadata.rows.runs import get_run, load_plan
from metadata.settings import Settings
from metadata.tasks import Read
from metadata.values import counted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Intend = Callable[[TaskContext], Intent | str | None]
"""What the next batch will contain, or the reason why there is none."""
Build = Callable[[TaskContext, Intent], "DataFrame"]
"""The rows of an intent. May carry the hidden columns `_source` and `_order` of flows.schema."""

WAIT_SECONDS = 0.5
CHANGED_TRIES = 3
CLOCKS_DIFFER = timedelta(seconds=10)
"""Between hosts. Beyond it, what was written is taken for nobody's, and written again by its batch or the next one."""


def table_path(settings: Settings, dataset: Dataset) -> str:
    """Where the table of a dataset is."""
    return f"{settings.data}/tables/{dataset.uid}"


def quarantine_path(settings: Settings, dataset: Dataset) -> str:
    """Where the rows that were set aside are: all columns, `_batch`, and `_reasons` (array of rule names)."""
    return f"{settings.data}/quarantine/{dataset.uid}"


def reading_path(context: TaskContext) -> Path:
    """Where a task run has files while it reads them. Beside it is what those left who died before it."""
    return Path(context.settings.data) / "reading" / target_of(context).dataset.uid / context.task_run_id


def write_batches(context: TaskContext, intend: Intend, build: Build) -> Outcome:
    """Write what the task has to write into its dataset, exactly once; what a dead owner left open comes first.

    A live owner is waited for. What this run's task wrote in an earlier try that died before it could say so counts,
    and is not written again; what it finishes of an earlier run counts, too. Raises PilothouseError when the batch is
    refused; nothing is written or used up then.
    """
    try:
        return _write_all(context, intend, build)
    finally:
        shutil.rmtree(reading_path(context), ignore_errors=True)


def _write_all(context: TaskContext, intend: Intend, build: Build) -> Outcome:
    target = target_of(context)
    database, uid = context.database, target.dataset.uid
    changed = 0
    finished: list[rows.Batch] = []
    while True:
        open_batch = rows.open_batch_of(database, uid)
        if open_batch is not None:
            settled = _settle_open(context, target, open_batch)
            if settled and settled.owner.task_uid == context.task.spec.uid:
                finished.append(settled)
            continue
        done = rows.unsettled_work(database, context.run_id, context.task.spec.uid)
        if done and not any(batch.intent.incremental for batch in done):
            return _outcome(target, finished, done)
        state = rows.state_of(database, uid)
        intent = intend(context)
        if not isinstance(intent, Intent):
            return _outcome(target, finished, done, intent or "nothing to do")
        batch = rows.open_batch(database, uid, _owner(context), intent, state.sequence if state else None)
        if batch is None:
            continue
        _disown_unknown(context, target, batch)
        try:
            _write(context, target, batch, build)
        except SourceChangedError:
            changed += 1
            if changed >= CHANGED_TRIES:
                raise
            continue
        return _outcome(target, finished, rows.unsettled_work(database, context.run_id, context.task.spec.uid))


def pin_inputs(context: TaskContext, reads: Mapping[str, Read]) -> dict[str, PinnedInput] | str:
    """Every dataset that the task reads, at its present version; a reason instead when there is nothing to read.

    An input read as `new` gives the batches that this task has not read, and `again` earlier ones. Batches that are
    held are passed over.
    """
    pinned: dict[str, PinnedInput] = {}
    nothing_new: list[str] = []
    held = 0
    into = next((context.plan.datasets[key].uid for key in context.task.datasets_out()), "")
    for ref in context.task.inputs:
        if ref.kind != "dataset":
            continue
        uid = context.plan.datasets[ref.key].uid
        read = reads.get(ref.key, Read())
        everything = read.batches == "all"
        # Batches first, then the version, which holds at least those: the other way round, one that is closed in
        # between would count as read, and none of its rows would be.
        seen = reading.visible_batches(context.database, uid) if everything else None
        new, again = (
            ((), ())
            if everything
            else reading.new_inputs(context.database, context.task.spec.uid, uid, into, read.again)
        )
        state = rows.state_of(context.database, uid)
        if state is None or state.version is None:
            return nothing_of(context, ref.key)
        if everything:
            pinned[ref.key] = PinnedInput(uid=uid, version=state.version, batches=seen)
            continue
        pinned[ref.key] = PinnedInput(
            uid=uid, version=state.version, batches=tuple(sorted({*new, *again})) if new else (), new=True
        )
        if not new:
            nothing_new.append(ref.key)
            held += rows_held(context.database, Reader(context.task.spec.uid, new=(uid,), into=into))
    if nothing_new and len(nothing_new) == sum(one.new for one in pinned.values()):
        waiting = f" but {counted(held, 'row that is', 'rows that are')} held until released (a)" if held else ""
        return f"nothing new in {', '.join(nothing_new)}{waiting}"
    return pinned


def nothing_of(context: TaskContext, key: str) -> str:
    """Why nothing is read of a dataset of which no finished batch is known."""
    if engine.table_version(context.spark, table_path(context.settings, context.plan.datasets[key])) is None:
        return f"{key} was never written"
    why = "the metadata were restored (db restore), or its first batch was interrupted"
    return f"no finished batch of {key} is known, though its table is there: {why}"


def input_relation(context: TaskContext, intent: Intent, dataset: str) -> str:
    """The SQL relation of a pinned input, as the intent saw it."""
    pinned = intent.inputs[dataset]
    path = table_path(context.settings, context.plan.datasets[dataset])
    return engine.relation(path, pinned.version, list(pinned.batches) if pinned.batches is not None else None)


def target_of(context: TaskContext) -> Target:
    """The dataset that the task writes. One of features that declares no columns follows its feature set."""
    key = context.task.datasets_out()[0]
    dataset = context.plan.datasets[key]
    if context.task.kind == "features" and not dataset.columns:
        dataset = dataset.model_copy(update={"schema_drift": "evolve"})
    return Target(key, dataset, table_path(context.settings, dataset), quarantine_path(context.settings, dataset))


def _settle_open(context: TaskContext, target: Target, batch: rows.Batch) -> rows.Batch | None:
    """Finish an open batch if its owner is dead, else wait a moment for it. What was written, if it was."""
    mine = batch.owner.task_run_id == context.task_run_id
    if not mine and rows.owner_is_alive(context.database, batch):
        context.report(f"waits for {batch.owner.task_key}, which writes {target.key}", 0, 1)
        context.check()
        time.sleep(WAIT_SECONDS)
        return None
    taken = rows.take_over(context.database, batch, context.task_run_id)
    if taken is None:
        return None
    context.log.info("finishing batch %d of %s, which was left open", batch.sequence, target.key)
    engine.interrupt(context.spark, task_tag(batch.owner.task_run_id))
    plan = load_plan(context.database, taken.owner.plan_hash)
    its_context = replace(
        context,
        run_id=taken.owner.run_id,
        as_of=taken.owner.as_of,
        bindings=get_run(context.database, taken.owner.run_id).bindings,
        plan=plan,
        task=plan.task(taken.owner.task_key),
    )
    its_target = target_of(its_context)
    written = _written_before(context, its_target, taken)
    if written is not None:
        return _close(context, target, taken, written)
    drop_aside(context.spark, its_target, taken)
    _disown_unknown(its_context, its_target, taken)
    module = importlib.import_module(f"flows.tasks.{its_context.task.kind}")
    try:
        return _write(its_context, its_target, taken, module.build)
    except Exception as error:
        if not _is_refusal(error) or rows.still_owned(context.database, taken):
            raise
        context.log.warning("batch %d of %s was refused: %s", taken.sequence, target.key, error)
        return None


def _write(context: TaskContext, target: Target, batch: rows.Batch, build: Build) -> rows.Batch:
    """Build, check, write and close one open batch; on a refusal nothing is written.

    A failure that comes from the data, the query or the code is a refusal too: the batch would fail for ever under its
    plan, and block the corrected one. Only what says nothing about the rows leaves it open, to be finished later.
    """
    state = rows.state_of(context.database, batch.dataset_uid)
    try:
        frame = build(context, batch.intent)
        calm = rows.all_good_lately(context.database, batch.dataset_uid)
        owned = functools.partial(rows.still_owned, context.database, batch)
        written = store(context.spark, target, batch, frame, state, owned, calm)
    except Exception as error:
        if _is_refusal(error) and _is_unwritten(context, target, batch):
            drop_aside(context.spark, target, batch)
            rows.refuse_batch(context.database, batch, getattr(error, "quality", None))
        raise
    return _close(context, target, batch, written)


def _close(context: TaskContext, target: Target, batch: rows.Batch, written: Written) -> rows.Batch:
    closed = rows.close_batch(context.database, batch, target.key, written)
    bad = "an unknown number" if written.rows_bad is None else str(written.rows_bad)
    context.log.info(
        "batch %d of %s: %s written, %s bad%s",
        batch.sequence,
        target.key,
        counted(written.rows_out, "row"),
        bad,
        f" ({quality.told(written.quality or {})})" if written.rows_bad else "",
    )
    return closed


def _is_unwritten(context: TaskContext, target: Target, batch: rows.Batch) -> bool:
    """Whether the batch is still ours, and nothing of it is in its table, nor will be: what still runs is stopped."""
    engine.interrupt(context.spark, task_tag(context.task_run_id))
    return rows.still_owned(context.database, batch) and _written_before(context, target, batch) is None


def _written_before(context: TaskContext, target: Target, batch: rows.Batch) -> Written | None:
    """What an earlier try has written of a batch; None when the table holds no row of it, whoever wrote there since.

    What was committed before the batch was opened is not of it: metadata that were restored give a number again.
    """
    since = batch.opened_at - CLOCKS_DIFFER
    if engine.committed(context.spark, target.path, batch.intent.target_version, since) is None:
        return None
    if engine.newest_batch(context.spark, target.path) > batch.sequence:
        _disown(context, target, batch, batch.sequence + 1)
    version = engine.table_version(context.spark, target.path) or 0
    written = recount(context.spark, target, batch, version)
    return written if written.rows_out else None


def _disown_unknown(context: TaskContext, target: Target, batch: rows.Batch) -> None:
    """Metadata that were restored from a backup know less than the table: of a batch not yet written it has no row.

    Nor has it one of a refused batch, whose number was used up: all beyond the newest written one is nobody's.
    """
    after, merges = batch.intent.target_version, target.dataset.storage.mode == "merge"
    if after is None and batch.sequence == 1 and not (merges or target.sets_aside):
        return  # the first batch takes the place of whatever is there
    if engine.committed(context.spark, target.path, after) is not None:
        state = rows.state_of(context.database, batch.dataset_uid)
        _disown(context, target, batch, ((state and state.sequence) or 0) + 1)


def _disown(context: TaskContext, target: Target, batch: rows.Batch, first: int) -> None:
    """What is appended is read again with its source; what was merged stays, and is merged once more.

    What was set aside is set aside once more.
    """
    mode = target.dataset.storage.mode
    aside = target.sets_aside and engine.table_exists(context.spark, target.quarantine)
    if mode == "overwrite" and not aside:
        return
    if not rows.still_owned(context.database, batch):
        raise rows.taken(target.key, batch)
    context.log.warning("the table of %s has batches from %d on that its metadata do not know", target.key, first)
    if mode != "overwrite":
        engine.disown(context.spark, target.path, first, keep_rows=mode == "merge")
    if aside:
        engine.disown(context.spark, target.quarantine, first, keep_rows=False)


def _is_refusal(error: Exception) -> bool:
    """Whether an error ends a batch for good; trouble with services, memory, disks or other writers does not."""
    if isinstance(error, PilothouseError):
        return not isinstance(error, ServiceDownError) and error.fault.code not in client.SERVICE_FAULTS
    return spark_errors.is_about_the_work(error)


def _owner(context: TaskContext) -> rows.Owner:
    return rows.Owner(
        run_id=context.run_id,
        task_run_id=context.task_run_id,
        task_key=context.task.key,
        task_uid=context.task.spec.uid,
        plan_hash=context.plan.hash,
        as_of=context.as_of,
    )


def _outcome(target: Target, finished: list[rows.Batch], own: list[rows.Batch], reason: str | None = None) -> Outcome:
    """What the task has written altogether, what it `finished` first included; without a batch, why there was none.

    A figure that is unknown of one batch is left out: guards on it are undecided.
    """
    done = {batch.id: batch for batch in (*finished, *own)}.values()
    if not done:
        return Outcome(skipped=reason)
    rows_in = _sum(batch.rows_in for batch in done)
    rows_out = sum(batch.rows_out or 0 for batch in done)
    rows_bad = _sum(batch.rows_bad for batch in done)
    subject = ("dataset", target.dataset.uid)
    figures = [Figure("rows", float(rows_out), *subject)]
    if rows_bad is not None:
        figures.append(Figure("rows_bad", float(rows_bad), *subject))
    for rule in dict.fromkeys(rule for batch in done for rule in batch.quality or {}):
        bad = _sum((batch.quality or {}).get(rule, {}).get("rows_bad") for batch in done)
        if bad is not None and rows_in is not None:
            figures.append(Figure("bad_share", bad / rows_in if rows_in else 0.0, *subject, slice=rule))
    return Outcome(rows_in=rows_in, rows_out=rows_out, rows_bad=rows_bad, figures=tuple(figures))


def _sum(counts: Iterable[int | None]) -> int | None:
    """None when one is unknown."""
    known = list(counts)
    return None if None in known else sum(filter(None, known))
