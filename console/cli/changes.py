"""Changes of definitions as the command line prints them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from console.cli.output import plain, print_json
from metadata.changes import Change, FieldChange
from metadata.yaml_writer import lines_of

_SIGNS = {"created": "+", "changed": "~", "renamed": "→", "deleted": "-"}


def show_changes(changes: Sequence[Change], as_json: bool) -> None:
    """Each definition that differs, field by field."""
    if as_json:
        print_json([plain_change(each) for each in changes])
        return
    for each in changes:
        click.echo(f"{_SIGNS[each.action]} {each.kind} {plain(each.key)}{plain(each.former)}")
        for field in each.fields:
            for line in field_lines(field):
                click.echo(f"    {line}")


def field_lines(field: FieldChange) -> list[str]:
    """One difference, before and after."""
    if field.action in ("added", "removed"):
        sign, value = ("+", field.after) if field.action == "added" else ("-", field.before)
        return [f"{sign} {plain(line)}" for line in lines_of(field.path, value)]
    return [f"~ {plain(field.path)}: {plain(field.before)} → {plain(field.after)}"]


def plain_change(change: Change) -> dict[str, object]:
    """A change as JSON prints it."""
    return {
        "action": change.action,
        "kind": change.kind,
        "key": change.key,
        "was": change.key_before,
        "returns": change.returns,
        "fields": list(change.fields),
    }
