"""Services of the home: up, down, status; settings and database."""

from __future__ import annotations

import contextlib
import time
from functools import partial
from pathlib import Path

import click

from console.cli.output import JSON_OPTION, plain, print_json, print_rows, print_table
from console.cli.paths import PathType
from flows import client
from metadata.errors import PilothouseError
from metadata.settings import origins
from metadata.states import State


@click.command()
@click.option("--wait/--no-wait", default=True, help="Return when every service answers (the default).")
def up(wait: bool) -> None:
    """Start what is not running: database, orchestrator, compute, worker. They go on when the terminal closes."""
    from console.cli.access import database, retire_others

    retire_others()
    database()
    began = time.monotonic()
    client.ensure_up(wait, say=lambda words: click.echo(f"{time.monotonic() - began:5.1f} s  {plain(words)}"))
    if wait:
        click.echo(f"Everything is up after {time.monotonic() - began:.1f} s.")


@click.command()
def down() -> None:
    """Stop every service of this home. Runs that go on are cancelled; nothing is left half done."""
    ran: list[str] = []
    if any(service.state == "up" for service in client.status()):
        with contextlib.suppress(PilothouseError):
            ran = _what_runs()
    client.down()
    with contextlib.suppress(PilothouseError):
        tell_what_became_of(ran)
    click.echo("Everything is down.")


def _what_runs() -> list[str]:
    from metadata.database import Database
    from metadata.rows.runs import under_way
    from metadata.settings import settings

    return [run_id for run_id, _words in under_way(Database.of(settings()))]


def tell_what_became_of(ran: list[str]) -> None:
    """Runs that were interrupted, each with the way on, as the database has them; one that came to its end is not told.

    One whose process was killed before may not be settled yet: it is, when services are up again.
    """
    from console.cli.access import database
    from metadata.rows.runs import get_run

    for one in (get_run(database(), run_id) for run_id in ran):
        run = f"Run {one.number} of {plain(one.pipeline_key)}"
        if not one.state.final:
            click.echo(f"{run} is still said to be {one.state}; it is settled when services are up: pilothouse up")
        elif one.state not in (State.SUCCEEDED, State.FAILED):
            click.echo(f"{run} is interrupted; go on with: pilothouse run again {one.number}")


@click.command()
@JSON_OPTION
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Say what runs, where, and since when. Exits with 4 when a service is not there."""
    found = client.status(knock=True)
    print_rows(
        as_json,
        found,
        {
            "SERVICE": lambda service: service.name,
            "STATE": lambda service: service.state,
            "SINCE": lambda service: service.since,
            "URL": lambda service: service.url,
            "DETAIL": lambda service: service.detail,
        },
        "",
    )
    if any(service.other_program for service in found):
        click.echo("pilothouse up starts again, from this program, what was started from another one.", err=True)
    if any(service.state not in ("up", "external") for service in found):
        context.exit(4)


@click.group()
def config() -> None:
    """Settings of this home."""


@config.command()
@JSON_OPTION
def show(as_json: bool) -> None:
    """Every setting, its value, and where it came from."""
    found = origins()
    if as_json:
        print_json({name: {"value": value, "origin": origin} for name, (value, origin) in found.items()})
    else:
        print_table(
            ["SETTING", "FROM", "VALUE"],
            [[name, origin, "–" if value is None else str(value)] for name, (value, origin) in found.items()],
        )


@click.group()
def db() -> None:
    """The metadata database."""


@db.command()
def upgrade() -> None:
    """Bring the metadata database to the version of this program; also one that is shared."""
    from metadata.database import Database
    from metadata.migrations import upgrade as upgrade_database
    from metadata.settings import settings

    # Not pilothouse up: of a shared database it asks for this upgrade first.
    remedy = "pilothouse down when nothing runs on them, then try again"
    upgrade_database(Database.of(settings()), partial(client.refuse_others, remedy))
    click.echo("The metadata database is up to date.")


@db.command()
@click.argument("file", type=PathType())
def backup(file: Path) -> None:
    """Copy the embedded metadata database into the new FILE, whoever works with it."""
    from metadata.backups import keep
    from metadata.database import Database
    from metadata.settings import settings

    keep(Database.of(settings()), file)
    click.echo(f"The metadata database as it is now is kept in {plain(str(file))}.")


@db.command()
@click.argument("file", type=PathType())
def restore(file: Path) -> None:
    """Put a backup in place of the embedded metadata database, and keep what was there. Services are to be down.

    What tables know that the backup does not is read again from its source.
    """
    from console.author import author
    from metadata.backups import restore as put_back
    from metadata.database import Database
    from metadata.rows.audit_log import list_entries
    from metadata.settings import settings

    client.refuse_unless_down("metadata database")
    store = Database.of(settings())
    kept = put_back(store, file, author())
    click.echo(f"The metadata database is that of {plain(str(file))}.")
    if kept:
        click.echo(f"What was there is kept in {plain(str(kept))}.")
    for entry in list_entries(store, "deed:restore", limit=1).items:
        click.echo(f"The audit says: {plain(entry.note)}.")
