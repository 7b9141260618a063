"""Trying what a definition says before it is applied: rules on past outcomes, SQL on real rows."""

from __future__ import annotations

from dataclasses import asdict

import click

from console.author import user
from console.cli.access import database
from console.cli.output import JSON_OPTION, plain, print_json, print_table
from flows import client
from metadata.kinds import SECTIONS
from metadata.trying import RowsTried, RuleTried


@click.command(name="try")
@click.argument("kind", type=click.Choice(list(SECTIONS)))
@click.argument("key")
@click.argument("part", default="")
@click.option("--text", default="", help="Another text in its place: a rule, a predicate, an expression, a query.")
@click.option("--runs", default=12, show_default=True, type=click.IntRange(1, 500), help="Of the past, for a rule.")
@JSON_OPTION
def try_(kind: str, key: str, part: str, text: str, runs: int, as_json: bool) -> None:
    """Try an expression at once, as your change set has it.

    A decision is evaluated on what the last runs have measured. Quality rules, features, a label and the transform PART
    of a pipeline are tried on real rows, which Spark reads: some of them, and nothing is written.
    """
    database()
    if kind == "decision":
        rule = client.try_rule(user(), key, text, runs)
        print_json({**asdict(rule), "told": rule.told}) if as_json else _print_rule(rule)
    else:
        rows = client.try_rows(user(), kind, key, part, text)
        print_json({**asdict(rows), "told": rows.told}) if as_json else _print_rows(rows)


def _print_rule(tried: RuleTried) -> None:
    click.echo(f"{plain(tried.thing)} {tried.told}: {plain(tried.text)}\n")
    head = ["RUN", "AS OF", "SAYS", "THEN", "REASON"]
    print_table(head, [[f"#{each.run}", each.as_of, each.state, each.then, each.reason] for each in tried.past])


def _print_rows(tried: RowsTried) -> None:
    click.echo(f"{plain(tried.thing)}: {plain(tried.told)}\n")
    if tried.checked:
        rows = [[each.name, each.rows, f"{each.share * 100:.2f} %", each.says, each.text] for each in tried.checked]
        print_table(["NAME", "ROWS", "SHARE", "MEANS", "EXPRESSION"], rows)
        click.echo("")
    if tried.rows:
        print_table([plain(column) for column in tried.columns], tried.rows)
    else:
        click.echo("No row to show.")
