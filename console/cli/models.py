"""Models and their versions."""

from __future__ import annotations

import click

from console.cli.access import database
from console.cli.output import JSON_OPTION, moment, none_of, number, paged, plain, print_json, print_page, print_table
from metadata.definitions import load_blueprint
from metadata.errors import UsageError
from metadata.findings import instead
from metadata.rows.models import alias_changes
from metadata.rows.pages import list_models, list_versions


@click.group()
def model() -> None:
    """Models: versions, champion and challenger."""


@model.command(name="list")
@click.option("--filter", "words", default="", help="Such as 'owner:ops'.")
@paged(100, str, "model")
@JSON_OPTION
def list_(words: str, limit: int, after: str | None, as_json: bool) -> None:
    """Models by key."""
    print_page(
        as_json,
        list_models(database(), words, after=after, limit=limit),
        {
            "MODEL": lambda row: row.key,
            "CHAMPION": lambda row: row.champion,
            "CHALLENGER": lambda row: row.challenger,
            "METRIC": lambda row: row.metric,
            "VALUE": lambda row: row.metric_value,
            "TRAINED UNTIL": lambda row: row.trained_until,
            "VERSIONS": lambda row: row.versions,
        },
        none_of("model", words, "No models here. A blueprint with a model and a train task makes one."),
    )


@model.command()
@click.argument("key")
@JSON_OPTION
def show(key: str, as_json: bool) -> None:
    """One model: its versions, and who held which alias when."""
    store = database()
    models = load_blueprint(store).models
    if key not in models:
        raise UsageError("PH803", f"model {key}", "there is no such model", instead(key, models))
    uid = models[key].uid
    versions, aliases = list_versions(store, uid, limit=500).items, alias_changes(store, uid)
    if as_json:
        print_json({"key": key, "definition": models[key], "versions": versions, "aliases": aliases})
        return
    print_table(
        ["VERSION", "ALIASES", "METRIC", "VALUE", "TRAINED UNTIL", "TESTED UNTIL", "ROWS"],
        [
            [
                row.version,
                " ".join(row.aliases),
                row.metric,
                row.metric_value,
                row.trained_until,
                row.tested_until,
                row.rows_trained,
            ]
            for row in versions
        ],
    )
    for change in aliases:
        before = f" after {number(change.previous)}" if change.previous else ""
        holder = number(change.version) if change.version else "nobody"
        click.echo(f"{moment(change.as_of)}  {change.alias} is {holder}{before}: {plain(change.reason)}")
