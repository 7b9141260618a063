"""Runs: launch, list, show, logs, cancel, again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import click

from console.author import author
from console.cli import plans
from console.cli.access import database, starting_services
from console.cli.output import (
    JSON_OPTION,
    moment,
    none_of,
    paged,
    plain,
    print_json,
    print_page,
    print_table,
    show_fault,
)
from flows import client
from metadata.bindings import instant
from metadata.database import Database
from metadata.errors import ServiceDownError, UsageError
from metadata.findings import instead
from metadata.revision_log import newest_revision
from metadata.rows.logs import LogLine, read_lines
from metadata.rows.outcomes import figures_of_run
from metadata.rows.pages import list_runs
from metadata.rows.runs import Run, find_run, get_run, plan_fault
from metadata.rows.task_runs import TaskRun, tasks_of
from metadata.states import State
from metadata.values import counted

LOOK_SECONDS = 2.0
"""How often it is looked what a queued run waits for."""
ENDS = 3
"""A service that has ended more often than this in a row is not waited for."""


@click.group()
def run() -> None:
    """Runs of pipelines."""


run.add_command(plans.diff)


@run.command()
@click.argument("pipeline")
@click.option("-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="A parameter; repeatable.")
@click.option("--as-of", "as_of", metavar="INSTANT", help="The instant that the run speaks for; default now.")
@click.option("--wait", is_flag=True, help="Follow the run to its end; exits with 1 unless it succeeded.")
@JSON_OPTION
@click.pass_context
def launch(
    context: click.Context, pipeline: str, given: tuple[str, ...], as_of: str | None, wait: bool, as_json: bool
) -> None:
    """Launch PIPELINE now."""
    bindings = {}
    for pair in given:
        name, sign, value = pair.partition("=")
        if not sign:
            raise click.BadParameter(f"{pair!r}: write NAME=VALUE", param_hint="--parameter")
        bindings[name] = value
    with starting_services() as store:
        launched = client.launch(pipeline, bindings, instant(as_of) if as_of else None, author())
    if not as_json:
        click.echo(f"Run {launched.number} of {pipeline} is queued.")
    _end(context, store, launched, wait, as_json)


@run.command(name="list")
@click.option("--filter", "words", default="", help="Such as 'state:failed pipeline:flights'.")
@paged(50, int, "run")
@JSON_OPTION
def list_(words: str, limit: int, after: int | None, as_json: bool) -> None:
    """Runs, newest first."""
    print_page(
        as_json,
        list_runs(database(), words, after=after, limit=limit),
        {
            "RUN": lambda row: row.number,
            "PIPELINE": lambda row: row.pipeline_key,
            "STATE": lambda row: row.state,
            "AS OF": lambda row: row.as_of,
            "STARTED": lambda row: row.started_at,
            "BY": lambda row: row.author,
            "REASON": lambda row: row.state_detail,
        },
        none_of("run", words, "No runs here. Launch one with: pilothouse run launch PIPELINE"),
    )


@run.command()
@click.argument("number", type=click.IntRange(1, 2**31 - 1))
@click.option("--plan", "of_plan", is_flag=True, help="The plan that it executes, with every definition it needs.")
@JSON_OPTION
@click.pass_context
def show(context: click.Context, number: int, of_plan: bool, as_json: bool) -> None:
    """One run: its tasks, their states, rows and reasons; or its plan. Exits with 1 where that was changed since."""
    if of_plan:
        plans.show_plan(number, as_json)
        return
    store = database()
    found = find_run(store, number)
    tasks = tasks_of(store, found.id)
    with store.read() as connection:
        wrong = plan_fault(connection, found.plan_hash)
    if as_json:
        figures = figures_of_run(store, found.id)
        print_json({"run": found, "tasks": tasks, "figures": figures, "plan_fault": wrong})
    else:
        _show(found, tasks)
    if wrong is not None:
        show_fault(wrong)
        context.exit(1)


def _show(found: Run, tasks: Sequence[TaskRun]) -> None:
    click.echo(
        f"run {found.number}  {found.pipeline_key}  {found.state}  attempt {found.attempt}  by {plain(found.author)}"
    )
    click.echo(f"as of {moment(found.as_of)}  plan {found.plan_hash[:7]}  revision {found.revision}")
    print_table(
        ["TASK", "STATE", "ROWS IN", "ROWS OUT", "BAD", "SECONDS", "REASON"],
        [
            [task.task_key, task.state, task.rows_in, task.rows_out, task.rows_bad, _seconds(task), task.state_detail]
            for task in tasks
        ],
    )
    if found.fault:
        show_fault(found.fault)


@run.command()
@click.argument("number", type=click.IntRange(1, 2**31 - 1))
@click.option("--task", "task_key", help="Of one task only.")
@click.option("-f", "--follow", is_flag=True, help="Until the run ends.")
@JSON_OPTION
def logs(number: int, task_key: str | None, follow: bool, as_json: bool) -> None:
    """What a run said. With --json it is an array; with --follow, too, one object a line."""
    lines = _lines(database(), number, task_key, follow)
    if as_json and not follow:
        print_json(list(lines))
        return
    for line in lines:
        if as_json:
            print_json(line, indent=None)
        else:
            click.echo(f"{moment(line.at)} {line.level:<7} {plain(line.task_key)}  {plain(line.message)}")


@run.command()
@click.argument("number", type=click.IntRange(1, 2**31 - 1))
def cancel(number: int) -> None:
    """Cancel a run: its tasks and their Spark jobs stop."""
    client.cancel(find_run(database(), number).id, author())
    click.echo(f"Run {number} is being cancelled.")


@run.command()
@click.argument("number", type=click.IntRange(1, 2**31 - 1))
@click.option("--all", "everything", is_flag=True, help="All tasks, not only what failed.")
@click.option("--wait", is_flag=True, help="Follow the run to its end; exits with 1 unless it succeeded.")
@JSON_OPTION
@click.pass_context
def again(context: click.Context, number: int, everything: bool, wait: bool, as_json: bool) -> None:
    """Run again what failed; what succeeded is not done again.

    With --all every task runs: one that reads all of its input does so anew, an incremental one reads what is new
    since. No file, row or batch is taken in twice.
    """
    with starting_services() as store:
        fresh = client.again(find_run(store, number).id, "all" if everything else "failed", author())
    if not as_json:
        click.echo(f"Run {number} is queued again, attempt {fresh.attempt}.")
        if fresh.revision is not None and fresh.revision < newest_revision(store):
            click.echo(
                f"It goes on with revision {fresh.revision}; what changed since is for runs that are launched anew."
            )
    _end(context, store, fresh, wait, as_json)


@run.command()
@click.argument("number", type=click.IntRange(1, 2**31 - 1))
@click.option("--wait", is_flag=True, help="Follow the new run to its end; exits with 1 unless it succeeded.")
@JSON_OPTION
@click.pass_context
def repeat(context: click.Context, number: int, wait: bool, as_json: bool) -> None:
    """Launch a past run once more, on the plan that it had: a new run, as of the same instant.

    The blueprint may say otherwise by now, and the pipeline be renamed or gone. A task that reads what is new reads
    what is new since; the champion of a model is that of now.
    """
    with starting_services() as store:
        fresh = plans.repeated(number, quiet=as_json)
    _end(context, store, fresh, wait, as_json)


def _end(context: click.Context, store: Database, started: Run, wait: bool, as_json: bool) -> None:
    latest = _waited(store, started) if wait else started
    if as_json:
        print_json(latest)
    elif wait:
        click.echo(f"Run {latest.number}: {latest.state} {plain(latest.state_detail)}".rstrip())
    if wait and latest.state != State.SUCCEEDED:
        if not as_json:
            _show_faults(store, latest)
        context.exit(1)


def _show_faults(store: Database, run: Run) -> None:
    """Why each task failed, or else the run."""
    failed = [task.fault for task in tasks_of(store, run.id) if task.state in (State.FAILED, State.LOST)]
    for fault in failed or [run.fault]:
        if fault:
            show_fault(fault)


def _waited(store: Database, started: Run) -> Run:
    """The run at its end. While it is queued, what it waits for is told on standard error.

    Raises ServiceDownError PH310 when that is a service which does not come back by itself; the run stays queued.
    """
    latest, said, looked = started, "", 0.0
    while not latest.state.final:
        time.sleep(0.3)
        latest = get_run(store, started.id)
        if latest.state == State.QUEUED and time.monotonic() - looked > LOOK_SECONDS:
            looked = time.monotonic()
            words = _waits_for(latest)
            if words and words != said:
                click.echo(f"Run {latest.number} waits: {words}", err=True)
            said = words
    return latest


def _waits_for(run: Run) -> str:
    away = [one for one in client.status() if one.state in ("down", "starting")]
    for one in away:
        if one.state == "down" and (one.given or one.ends > ENDS):
            again = f" ({counted(one.ends, 'time')} in a row)" if one.ends else ""
            raise ServiceDownError(
                "PH310",
                f"{one.name} at {one.url}" if one.url else one.name,
                f"{plain(one.detail) or 'it does not answer'}{again}",
                f"Mend it; run {run.number} stays queued and begins when it is there",
            )
    return "; ".join(f"{one.name} is {one.state} {plain(one.detail)}".strip() for one in away)


def _lines(store: Database, number: int, task_key: str | None, follow: bool) -> Iterator[LogLine]:
    found = find_run(store, number)
    tasks = [task.task_key for task in tasks_of(store, found.id)]
    if task_key is not None and task_key not in tasks:
        raise UsageError("PH514", f"run {number} task {task_key}", "it has no such task", instead(task_key, tasks))
    after = 0
    while True:
        ended = get_run(store, found.id).state.final
        lines = read_lines(store, found.id, task_key=task_key, after=after)
        yield from lines
        after = lines[-1].id if lines else after
        if not lines and (ended or not follow):
            return
        if not lines:
            time.sleep(0.5)


def _seconds(task: TaskRun) -> float | None:
    if task.started_at is None or task.ended_at is None:
        return None
    return round((task.ended_at - task.started_at).total_seconds(), 1)
