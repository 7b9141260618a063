"""Schedules and when they fire next."""

from __future__ import annotations

import click

from console.cli.access import database
from console.cli.output import JSON_OPTION, none_of, paged, print_page
from metadata.rows.pages import list_schedules


@click.group()
def schedule() -> None:
    """Schedules of pipelines."""


@schedule.command(name="list")
@click.option("--filter", "words", default="", help="Such as 'pipeline:flights'.")
@paged(100, str, "schedule")
@JSON_OPTION
def list_(words: str, limit: int, after: str | None, as_json: bool) -> None:
    """Schedules by key."""
    print_page(
        as_json,
        list_schedules(database(), words, after=after, limit=limit),
        {
            "SCHEDULE": lambda row: row.key,
            "PIPELINE": lambda row: row.pipeline,
            "CRON": lambda row: row.cron,
            "ZONE": lambda row: row.timezone,
            "ENABLED": lambda row: row.enabled,
            "NEXT": lambda row: row.next_at,
            "LAST RUN": lambda row: row.last_run,
            "LAST STATE": lambda row: row.last_state or "",
        },
        none_of("schedule", words, "No schedules here. Add one under `schedules:` in a blueprint."),
    )
