"""What a command shows of a change: what it does to each definition, what that touches, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import click

from console.cli.access import database
from console.cli.output import plain, print_json
from console.impact import NEEDS_CELLS, told, untold
from metadata.changes import Change, ChangeSet, FieldChange
from metadata.findings import Finding
from metadata.line_diff import has_lines, line_diff
from metadata.rows.sizes import sized_impact
from metadata.values import counted
from metadata.yaml_writer import in_line, lines_of

WIDTH = 78
"""Cells of a line that is no text of somebody else's."""
MOST_FINDINGS = 100
"""More than that nobody reads: the first of them say what to mend."""
MOST_SHOWN = 500
"""Characters of a line that is a text of somebody else's; --json has all of it."""
AROUND = 40
"""Of those that are the same before what differs in a long line."""
_SIGNS = {"created": "+", "changed": "~", "renamed": "→", "deleted": "-"}


def show_findings(found: Sequence[Finding], as_json: bool, err: bool = False) -> None:
    """The first findings with place, cause and remedy, errors before warnings, or all of them as JSON."""
    if as_json:
        print_json(list(found))
        return
    shown = sorted(found, key=lambda each: each.severity != "error")[:MOST_FINDINGS]
    for each in shown:
        place = f"{each.file}:{each.line}" if each.line else each.file or "blueprint"
        click.echo(f"{plain(place)}: {each.severity} {each.code} {plain(each.thing)}", err=err)
        click.echo(f"  cause  {plain(each.cause)}", err=err)
        click.echo(f"  next   {plain(each.remedy)}", err=err)
    if len(found) > MOST_FINDINGS:
        click.echo(f"and {len(found) - MOST_FINDINGS:,} more", err=True)
    if shown:
        click.echo(f"(pilothouse explain {shown[0].code} says more)", err=True)
    else:
        click.echo("Nothing is wrong.", err=err)


def show_brought(found: Sequence[Finding], earlier: Collection[Finding]) -> None:
    """The findings that a change brings, and how many were there before it."""
    brought = [each for each in found if each not in earlier]
    if found:
        click.echo("\nFindings")
    if brought:
        show_findings(brought, as_json=False)
    show_earlier(earlier, "--json tells all")


def show_earlier(earlier: Collection[Finding], where: str) -> None:
    """How many findings were there before a change, with the errors among them, which it leaves as they are."""
    if earlier:
        was = "was" if len(earlier) == 1 else "were"
        errors = sum(each.severity == "error" for each in earlier)
        beside = f"{counted(errors, 'error')}; " if errors else ""
        click.echo(f"{counted(len(earlier), 'finding')} {was} there before ({beside}{where}).")


def refuse(context: click.Context, found: Sequence[Finding]) -> None:
    """Exit with 1 when there are errors, which are shown; nothing else was said before."""
    errors = [each for each in found if each.severity == "error"]
    if errors:
        show_findings(errors, as_json=False, err=True)
        context.exit(1)


def show_change_set(changes: ChangeSet) -> None:
    """The changes, and what they touch."""
    show_changes(changes.changes, as_json=False)
    touched = sized_impact(database(), changes) if changes else ()
    if touched:
        click.echo("\nImpact")
    for each in told(touched, WIDTH):
        click.echo(f"  {each.needs:<{NEEDS_CELLS}}{each.kind} {plain(each.key)}")
        for line in each.below:
            click.echo(f"  {'':<{NEEDS_CELLS}}{plain(line)}")
    if more := untold(touched):
        click.echo(f"  {more}")


def show_changes(changes: Sequence[Change], as_json: bool) -> None:
    """What happens to each definition, field by field."""
    if as_json:
        print_json([plain_change(each) for each in changes])
        return
    for each in changes:
        click.echo(f"{_SIGNS[each.action]} {each.kind.replace('_', ' ')} {plain(each.key)}{plain(each.former)}")
        for field in each.fields:
            for line in field_lines(field):
                click.echo(f"    {line}")


def plain_change(change: Change) -> dict[str, object]:
    """A change as JSON has it."""
    return {
        "action": change.action,
        "kind": change.kind,
        "key": change.key,
        "was": change.key_before,
        "returns": change.returns,
        "fields": list(change.fields),
    }


def field_lines(field: FieldChange) -> list[str]:
    """A field that differs; a text of several lines line by line, of a long line its beginning."""
    if field.switch:
        return [f"~ {plain(field.switch)}"]
    if field.action in ("added", "removed"):
        sign, value = ("+", field.after) if field.action == "added" else ("-", field.before)
        return [f"{sign} {_cut(plain(line))}" for line in lines_of(field.path, value)]
    if has_lines(field):
        lines = line_diff(in_line(field.before), in_line(field.after))
        return [f"~ {plain(field.path)}:", *(f"    {each.sign} {_cut(plain(each.text))}" for each in lines)]
    before, after = (plain(in_line(value)) for value in (field.before, field.after))
    pairs = enumerate(zip(before, after, strict=False))
    same = next((at for at, pair in pairs if pair[0] != pair[1]), min(len(before), len(after))) - AROUND
    if same > 0 and len(before) + len(after) > MOST_SHOWN:  # else what differs would be cut off
        before, after = (f"({same:,} characters) … {value[same:]}" for value in (before, after))
    return [f"~ {plain(field.path)}: {_cut(before)} → {_cut(after)}"]


def _cut(text: str) -> str:
    left = len(text) - MOST_SHOWN
    return f"{text[:MOST_SHOWN]} … ({left:,} more characters)" if left > 0 else text
