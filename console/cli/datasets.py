"""Datasets, and queries over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from console import tables
from console.cli.access import database
from console.cli.output import JSON_OPTION, moment, none_of, paged, plain, print_json, print_page, print_table
from flows import client
from metadata.definitions import load_definition
from metadata.documents import dump_one
from metadata.errors import UsageError
from metadata.kinds import Dataset
from metadata.rows.batches import state_of
from metadata.rows.names import instead_of_key
from metadata.rows.pages import list_datasets
from metadata.rows.versions import writers_of

if TYPE_CHECKING:
    from flows.tables import TableRows

_ASIDE = "quarantine."


@click.group()
def dataset() -> None:
    """Datasets: rows, versions, freshness."""


@dataset.command(name="list")
@click.option("--filter", "words", default="", help="Such as 'layer:silver stale:yes'.")
@paged(100, str, "dataset")
@JSON_OPTION
def list_(words: str, limit: int, after: str | None, as_json: bool) -> None:
    """Datasets by key."""
    print_page(
        as_json,
        list_datasets(database(), words, after=after, limit=limit),
        {
            "DATASET": lambda row: row.key,
            "LAYER": lambda row: row.layer or "",
            "STORAGE": lambda row: row.mode,
            "ROWS": lambda row: row.rows,
            "VERSION": lambda row: row.version,
            "WRITTEN": lambda row: row.written_at,
            "STALE": lambda row: row.stale,
            "USED BY": lambda row: row.used_by,
        },
        none_of("dataset", words, "No datasets here. Apply a blueprint with: pilothouse blueprint apply FILE"),
    )


@dataset.command()
@click.argument("key")
@JSON_OPTION
def show(key: str, as_json: bool) -> None:
    """One dataset: its definition, its columns, and what was written last."""
    store = database()
    definition = _dataset(key)
    state = state_of(store, definition.uid)
    if as_json:
        print_json({"key": key, "definition": definition, "state": asdict(state) if state else None})
        return
    click.echo(dump_one("dataset", key, definition))
    if state is None or state.version is None:
        click.echo("Nothing was written to it yet.")
        return
    click.echo(f"{state.size}, version {state.version}, written {moment(state.written_at)}\n")
    print_table(["COLUMN", "TYPE"], list(state.columns.items()))


@dataset.command()
@click.argument("key")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 1_000), help="How many.")
@click.option("--version", type=click.IntRange(0), help="As that version of the table has them; unset: the newest.")
@JSON_OPTION
def rows(key: str, limit: int, version: int | None, as_json: bool) -> None:
    """The first rows of a dataset, without Spark."""
    uid = _dataset(key).uid
    found = client.table_rows(key, uid, limit, version)
    names = [name for name, _ in found.columns]
    if as_json:
        records = [dict(zip(names, row, strict=True)) for row in found.rows]
        print_json({"key": key, "version": found.version, "columns": dict(found.columns), "rows": records})
        return
    if not found.rows:
        click.echo(f"Version {found.version} has no rows.")
        return
    print_table([plain(name) for name in names], _as_cells(found))
    state = state_of(database(), uid)
    total = state.rows if state is not None and state.version == found.version else None
    click.echo(f"({tables.told(found.version, len(found.rows), found.more, total)})", err=True)


@dataset.command()
@click.argument("key")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(1, 1_000), help="How many.")
@JSON_OPTION
def versions(key: str, limit: int, as_json: bool) -> None:
    """Versions of a dataset's table, newest first, and who wrote each, without Spark."""
    uid = _dataset(key).uid
    found = client.table_versions(key, uid, limit)
    lines = tables.version_lines(found, writers_of(database(), uid, [each.version for each in found]))
    if as_json:
        print_json(
            [{**asdict(each.entry), "by": each.by, "foreign": each.foreign, "batch": each.writer} for each in lines]
        )
        return
    print_table(
        ["VERSION", "AT", "OPERATION", "ROWS", "BY"],
        [[each.entry.version, each.entry.at, each.entry.operation, each.rows, each.by] for each in lines],
    )


def _dataset(key: str) -> Dataset:
    store = database()
    found = load_definition(store, "dataset", key)
    if isinstance(found, Dataset):
        return found
    if key.startswith(_ASIDE) and load_definition(store, "dataset", key.removeprefix(_ASIDE)) is not None:
        remedy = f'ask for its rows: pilothouse query "SELECT * FROM {key}"'  # noqa: S608 - words to read
        raise UsageError("PH591", f"dataset {key}", "it is no dataset: rows that failed a rule lie there", remedy)
    raise UsageError("PH591", f"dataset {key}", "there is no such dataset", instead_of_key(store, "dataset", key))


def _as_cells(found: TableRows) -> list[list[object]]:
    """Numbers stand at the right, as they are: they are data, and a year has no thousands."""
    texts = [[tables.shown(value, kind) for value in column] for column, kind in _by_column(found)]
    for at, (name, kind) in enumerate(found.columns):
        if tables.is_number(kind):
            width = max(len(name), *(len(text or "") for text in texts[at]))
            texts[at] = [(text or "").rjust(width) for text in texts[at]]
    return [list(row) for row in zip(*texts, strict=True)]


def _by_column(found: TableRows) -> Iterator[tuple[tuple[object, ...], str]]:
    kinds = (kind for _, kind in found.columns)
    return zip(zip(*found.rows, strict=True), kinds, strict=True)


@click.command()
@click.argument("sql")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@JSON_OPTION
def query(sql: str, limit: int, as_json: bool) -> None:
    """Ask one read-only Spark SQL query over datasets by key: "SELECT * FROM silver.flights"."""
    database()
    columns, rows = client.query(sql, limit)
    if as_json:
        twice = next((name for name in columns if columns.count(name) > 1), None)
        if twice is not None:
            raise UsageError("PH593", "query", f"two columns are called {twice}", "give each a name of its own (AS …)")
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table([plain(column) for column in columns], rows)
    if len(rows) == limit:
        click.echo(f"(the first {limit}; ask for more with --limit)", err=as_json)
