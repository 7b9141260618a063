"""A first blueprint from a look at data: `pilothouse blueprint draft`."""

from __future__ import annotations

from pathlib import Path

import click

from console.cli.paths import PathType
from metadata.drafting import draft as drafted
from metadata.errors import PilothouseError, UsageError
from metadata.settings import settings


@click.command()
@click.argument("source", nargs=-1, required=True, type=PathType(as_text=True))
@click.option("--table", "tables", multiple=True, metavar="NAME", help="A table of the database; may be repeated.")
def draft(source: tuple[str, ...], tables: tuple[str, ...]) -> None:
    """Print a commented blueprint drafted from files (CSV, JSON lines, Parquet), folders, or a database.

    A database is given by a reference to its SQLAlchemy URL, env:NAME or file:PATH. Of everything, only the first rows
    are read; what they only suggest, such as keys, is said in comments.
    """
    from flows.looking import look_at_files
    from flows.looking_databases import is_database, look_at_database

    databases = [each for each in source if is_database(each)]
    if tables and len(databases) != 1:
        raise click.UsageError("--table goes with one database")
    files = [Path(each) for each in source if each not in databases]
    root = settings().data
    try:
        origins = look_at_files(files, None if "://" in root else Path(root)) if files else []
        origins += [look_at_database(each, tables) for each in databases]
    except PilothouseError as error:  # whatever it is, another source is to be named
        fault = error.fault
        raise UsageError(fault.code, fault.thing, fault.cause, fault.remedy) from error
    click.echo(drafted(origins), nl=False)
