"""What documents may say: a place of them explained, their JSON Schema, and a first one to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from console.cli.output import JSON_OPTION, plain, print_json
from console.cli.paths import PathType
from metadata.describe import Described, Field
from metadata.describe import describe as describe_path
from metadata.starting import begin, schema_text

COLUMNS = 80


@click.command()
@click.argument("path", required=False, default="")
@JSON_OPTION
def explain(path: str, as_json: bool) -> None:
    """Say what may stand at PATH, such as dataset.storage or pipeline.tasks.ingest; without PATH, all kinds."""
    found = describe_path(path)
    if as_json:
        print_json(found)
    else:
        _show(found)


@click.command()
def schema() -> None:
    """Print the JSON Schema of documents, for editors (# yaml-language-server: $schema=FILE) and for CI."""
    click.echo(schema_text(), nl=False)


@click.command()
@click.argument("file", default="blueprint.yaml", type=PathType())
def init(file: Path) -> None:
    """Write a small commented document to FILE, and beside it the schema for editors. Nothing is overwritten."""
    beside = begin(file)
    click.echo(f"{plain(file)} is written; editors check it by {plain(beside)}.")
    click.echo(f"Go on with: pilothouse blueprint check {plain(file)}")


def _show(found: Described) -> None:
    if found.path:
        click.secho(found.path, bold=True)
        click.echo(click.wrap_text(_type(found), COLUMNS))
        click.echo()
    click.echo(click.wrap_text(found.text, COLUMNS))
    _show_fields("Kinds", found.kinds, typed=False)
    _show_fields("Fields of every kind" if found.kinds else "Fields", found.fields, typed=True)
    if found.kinds:
        click.echo()
        click.echo(f"(pilothouse blueprint explain {f'{found.path}.' if found.path else ''}{found.kinds[0].name} …)")


def _show_fields(head: str, fields: Sequence[Field], typed: bool) -> None:
    if not fields:
        return
    click.echo()
    click.secho(head, bold=True)
    for each in fields:
        said = f"{each.name}  {_type(each)}" if typed else each.name
        click.echo(click.wrap_text(said, COLUMNS, "  ", "      "))
        if each.text:
            click.echo(click.wrap_text(each.text, COLUMNS, "      ", "      "))


def _type(said: Described | Field) -> str:
    default = f"; default {said.default.strip(chr(34))}" if said.default else ""
    return f"{said.type}{'; required' if said.required else default}"
