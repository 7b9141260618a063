"""The pages of checks: what a code means, what would happen, and how it is mended."""

from __future__ import annotations

import click

from console.cli.output import JSON_OPTION, print_json, print_rows
from metadata.checks import catalogue
from metadata.failures import Area, area_of

COLUMNS = 80


@click.command()
@click.argument("code", required=False)
@JSON_OPTION
def explain(code: str | None, as_json: bool) -> None:
    """Say what the check of CODE finds, why that matters and how it is mended; without CODE, list them all.

    Of a code that a failure has, say what such failures are about.
    """
    area = area_of(code or "")
    if area is not None:
        _show_area(area, as_json)
    elif code is None:
        pages = [catalogue.page(each) for each in catalogue.codes()]
        rows = [{"code": page.code, "title": page.title} for page in pages]
        print_rows(as_json, rows, {"CODE": lambda row: row["code"], "CHECK": lambda row: row["title"]}, "")
    elif as_json:
        page = catalogue.find(code)
        texts = {"code": page.code, "title": page.title, "meaning": page.meaning, "why": page.why}
        print_json({**texts, "remedy": page.remedy, "wrong": page.wrong, "right": page.right})
    else:
        _show(catalogue.find(code))


def _show_area(area: Area, as_json: bool) -> None:
    if as_json:
        print_json({"code": area.code, "title": area.title, "meaning": area.meaning})
        return
    click.secho(f"{area.code} {area.title}", bold=True)
    click.echo()
    click.echo(click.wrap_text(area.meaning, COLUMNS))


def _show(page: catalogue.Page) -> None:
    click.secho(f"{page.code} {page.title}", bold=True)
    for head, text in page.sections:
        click.echo()
        if head:
            click.secho(head, bold=True)
        click.echo(click.wrap_text(text, COLUMNS))
    click.echo()
    click.secho(catalogue.EXAMPLE, bold=True)
    for line in page.example:
        click.secho(line, bold=line[0] in "+-")
