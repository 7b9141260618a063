"""Datasets, and queries over them."""

from __future__ import annotations

from dataclasses import asdict

import click

from console.cli.access import database
from console.cli.output import JSON_OPTION, moment, none_of, paged, plain, print_json, print_page, print_table
from flows import client
from metadata.definitions import load_blueprint
from metadata.documents import dump_one
from metadata.errors import UsageError
from metadata.findings import instead
from metadata.rows.batches import state_of
from metadata.rows.pages import list_datasets


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
    datasets = load_blueprint(store).datasets
    if key not in datasets:
        raise UsageError("PH591", f"dataset {key}", "there is no such dataset", instead(key, datasets))
    state = state_of(store, datasets[key].uid)
    if as_json:
        print_json({"key": key, "definition": datasets[key], "state": asdict(state) if state else None})
        return
    click.echo(dump_one("dataset", key, datasets[key]))
    if state is None or state.version is None:
        click.echo("Nothing was written to it yet.")
        return
    click.echo(f"{state.size}, version {state.version}, written {moment(state.written_at)}\n")
    print_table(["COLUMN", "TYPE"], list(state.columns.items()))


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
