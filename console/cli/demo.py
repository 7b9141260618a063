"""The demo: a year of flights, month by month."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click

from console.author import author
from console.cli.access import database, retire_others
from console.cli.output import ask, number, plain, print_table
from flows import client
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import UsageError
from metadata.rows.pages import list_datasets, list_models, list_runs
from metadata.settings import settings
from metadata.values import counted

START_SECONDS = 1_800.0
"""Time for the services to start: a first one downloads jars, and a slow line is no failure."""
PLAYER = ["-P", "-m", "console", "demo", "--no-console"]
"""Without the working folder on its path."""


@click.command()
@click.option("--no-console", is_flag=True, help="Print progress and a summary instead of opening the console.")
@click.option("--fresh", is_flag=True, help="Start over: remove what Pilothouse made in this home, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--months", default=12, show_default=True, type=click.IntRange(1, 12), help="How much of the year.")
@click.pass_context
def demo(context: click.Context, no_console: bool, fresh: bool, yes: bool, months: int) -> None:
    """Run a year of flights from New York, month by month, and watch it.

    Run again, it says what is there and goes on from it.
    """
    if fresh:
        _start_over(context, yes)
    if no_console or not (sys.stdin.isatty() and sys.stdout.isatty()):
        _play(months)
        return
    log = settings().logs / "demo.log"
    began = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        player = subprocess.Popen(
            [sys.executable, *PLAYER, "--months", str(months)],
            env=client.demo_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    from console.cli.launcher import open_console

    open_console()
    _tell_of(context, player, log, began)


def _tell_of(context: click.Context, player: subprocess.Popen[bytes], log: Path, began: int) -> None:
    """What became of the months while the console was open; exits as the player did when it failed."""
    code = player.poll()
    if code is None:
        click.echo(f"The months go on without the console; see them with: pilothouse. What is said of them: {log}")
        return
    with log.open(encoding="utf-8", errors="replace") as said:
        said.seek(began)
        for line in said:
            click.echo(plain(line), err=code != 0)
    context.exit(code if code >= 0 else 1)


def _play(months: int) -> None:
    began = time.monotonic()
    retire_others()
    store = database()
    click.echo(f"Home: {settings().home}")
    client.ensure_up(wait=True, seconds=START_SECONDS)
    click.echo(f"Services are up after {time.monotonic() - began:.0f} s.")
    runs = client.play_demo(author(), click.echo, months)
    click.echo(f"{counted(len(runs), 'month')} after {time.monotonic() - began:.0f} s.\n")
    _summary(store)


def _summary(store: Database) -> None:
    print_table(
        ["DATASET", "LAYER", "ROWS"],
        [[row.key, row.layer, row.rows] for row in list_datasets(store, "", limit=100).items],
    )
    click.echo()
    print_table(
        ["MODEL", "CHAMPION", "METRIC", "VALUE"],
        [
            [row.key, row.champion, row.metric, number(row.metric_value)]
            for row in list_models(store, "", limit=100).items
        ],
    )
    click.echo("\nLook around with: pilothouse")


def _start_over(context: click.Context, yes: bool) -> None:
    if settings().database_url is not None:
        raise UsageError(
            "PH584",
            "the demo",
            "its metadata lies in a shared database",
            "start over in a home of its own: PILOTHOUSE_HOME",
        )
    store = database()
    found = load_blueprint(store)
    landed, others = client.demo_files()
    written = [row for row in list_datasets(store, "", limit=500).items if row.rows is not None]
    click.echo(f"This removes from {settings().home}:")
    click.echo(f"  {counted(len(list(found)), 'definition')}, with every revision")
    click.echo(f"  {counted(list_runs(store, '').total, 'run')}, with all logs, figures and decisions")
    click.echo(f"  {counted(len(written), 'table')}, with {counted(sum(row.rows or 0 for row in written), 'row')}")
    versions = sum(row.versions for row in list_models(store, "", limit=500).items)
    click.echo(f"  {counted(versions, 'version')} of models")
    click.echo(f"  {counted(len(landed), 'file')} that the demo has landed")
    click.echo("It keeps settings, downloads, and:")
    click.echo(f"  {counted(len(others), 'file')} of yours: what lies in data, and texts that were not applied")
    if not yes:
        ask(context, "Start over?")
    store.close()
    client.forget_everything()
