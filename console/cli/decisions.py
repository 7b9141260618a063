"""Decisions: what rules said, and letting go what they hold."""

from __future__ import annotations

import click

from console.author import author
from console.cli.access import database
from console.cli.output import JSON_OPTION, none_of, paged, print_page
from flows import client
from metadata.errors import UsageError
from metadata.rows.pages import list_decisions


@click.group()
def decision() -> None:
    """Decisions of rules."""


@decision.command(name="list")
@click.option("--filter", "words", default="", help="Such as 'state:fired rule:retrain_when_worse'.")
@paged(50, int, "decision")
@JSON_OPTION
def list_(words: str, limit: int, after: int | None, as_json: bool) -> None:
    """Decisions, newest first."""
    print_page(
        as_json,
        list_decisions(database(), words, after=after, limit=limit),
        {
            "DECISION": lambda row: row.number,
            "RULE": lambda row: row.rule_key,
            "STATE": lambda row: row.state,
            "AS OF": lambda row: row.as_of,
            "WAITS": lambda row: row.waits,
            "REASON": lambda row: row.reason,
        },
        none_of("decision", words, "No decisions yet. A pipeline with a decide task makes them."),
    )


@decision.command()
@click.argument("number", type=click.IntRange(1, 2**31 - 1))
def release(number: int) -> None:
    """Let go what decision NUMBER holds; the next run reads it."""
    found = list_decisions(database(), f"number:{number}", limit=1).items
    if not found:
        raise UsageError("PH720", f"decision {number}", "there is no such decision", "pilothouse decision list")
    client.release(found[0].id, author())
    click.echo(f"Decision {number} holds nothing any more; the next run reads it.")
