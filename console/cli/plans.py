"""The plans of runs: shown, compared, and run once more."""

from __future__ import annotations

from collections.abc import Sequence

import click

from console.author import author
from console.cli.access import database
from console.cli.changes import field_lines, plain_change, show_changes
from console.cli.output import JSON_OPTION, moment, plain, print_json, print_table
from flows import client
from metadata.changes import FieldChange
from metadata.documents import dump
from metadata.plan_diff import PlanDifference, blueprint_of
from metadata.rows.repeating import NEEDED, standing_of
from metadata.rows.run_plans import NO_PLAN, RunPlan, run_difference, run_plan
from metadata.rows.runs import Run, find_run
from metadata.tasks import Ref

NUMBER = click.IntRange(1, 2**31 - 1)


def show_plan(number: int, as_json: bool) -> None:
    """The plan of a run: its tasks in order, then every definition that they need."""
    found = run_plan(database(), number)
    run, plan = found.run, found.plan
    if as_json:
        today = None if found.since is None else _plain_difference(found.since)
        print_json({"run": run, "plan": {"hash": run.plan_hash, **plan.model_dump(mode="json", by_alias=True)},
                    "bindings": run.bindings, "since": today})  # fmt: skip
        return
    click.echo(f"plan {run.plan_hash[:7]} of {plan.pipeline}  revision {run.revision}  run {run.number}")
    click.echo(f"as of {moment(run.as_of)}" + "".join(f"  {plain(f'{k}={v}')}" for k, v in run.bindings.items()))
    click.echo(_since(found))
    click.echo()
    print_table(
        ["TASK", "KIND", "READS", "WRITES", "WAITS FOR"],
        [
            [task.key, task.kind, _named(task.inputs), _named(task.outputs), ", ".join(task.upstream)]
            for task in plan.tasks
        ],
    )
    click.echo()
    for line in dump(blueprint_of(plan)).splitlines():
        click.echo(plain(line))


@click.command()
@click.argument("number", type=NUMBER)
@click.argument("other", type=NUMBER, required=False)
@JSON_OPTION
@click.pass_context
def diff(context: click.Context, number: int, other: int | None, as_json: bool) -> None:
    """Say what differs between two runs: their plans, and what they were bound to, the instant included.

    Without OTHER: between the plan of run NUMBER and what the blueprint says today. Exits with 3 when they differ.
    """
    found = run_difference(database(), number, other)
    if as_json:
        print_json({"before": found.before, "after": found.after, "bindings": list(found.bindings),
                    "plan": _plain_difference(found.plan)})  # fmt: skip
    elif not found:
        click.echo("No differences.")
    else:
        ends = (_head(found.before), _head(found.after) if found.after else "today")
        click.echo(f"{ends[0]} → {ends[1]}")
        _show_fields("\nBindings", found.bindings)
        if found.plan:
            click.echo("\nPlan")
            if found.of_two_pipelines and found.after:
                names = " and ".join(plain(run.pipeline_key) for run in (found.before, found.after))
                before, after = found.before.number, found.after.number
                click.echo(f"These are two pipelines, {names}: - is only in run {before}, + only in run {after}.")
            show_changes(found.plan.changes, as_json=False)
        _show_fields("", found.plan.wiring)
    if found:
        context.exit(3)


def repeated(number: int, quiet: bool) -> Run:
    """A past run once more, on its plan, as a new run; unless `quiet`, it is said how that stands to today's."""
    store = database()
    past = find_run(store, number)
    words = standing_of(store, past.id).words
    fresh = client.repeat(past.id, author())
    if not quiet:
        click.echo(f"Run {fresh.number} is queued: run {number} once more, on its plan {fresh.plan_hash[:7]}.")
        if words:
            click.echo(f"It is not today's: {words} (pilothouse run diff {number} says how).")
    return fresh


def _head(run: Run) -> str:
    return f"run {run.number} (plan {run.plan_hash[:7]}, revision {run.revision})"


def _since(found: RunPlan) -> str:
    if found.since is None:
        return f"The pipeline {NO_PLAN}."
    if found.since:
        return f"It is not today's plan: pilothouse run diff {found.run.number} says what differs."
    return "It is today's plan."


def _named(refs: Sequence[Ref]) -> str:
    """What rows, files or versions come from or go to."""
    return ", ".join(ref.key for ref in refs if ref.kind in NEEDED)


def _show_fields(title: str, fields: Sequence[FieldChange]) -> None:
    if fields and title:
        click.echo(title)
    for field in fields:
        for line in field_lines(field):
            click.echo(line)


def _plain_difference(found: PlanDifference) -> dict[str, object]:
    return {"changes": [plain_change(each) for each in found.changes], "wiring": list(found.wiring)}
