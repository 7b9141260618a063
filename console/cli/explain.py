"""What a code means and how it is mended: the pages of checks, and a line for each failure."""

from __future__ import annotations

import click

from console.cli.output import JSON_OPTION, print_json, print_rows
from metadata.checks import catalogue
from metadata.failures import Failure, failure_of, failures

COLUMNS = 80


@click.command()
@click.argument("code", required=False)
@JSON_OPTION
def explain(code: str | None, as_json: bool) -> None:
    """Say what CODE means and how it is mended: of a check, or of a failure. Without CODE, list them all."""
    failure = failure_of(code or "")
    if failure is not None:
        _show_failure(failure, as_json)
    elif code is None:
        pages = [catalogue.page(each) for each in catalogue.codes()]
        rows = [{"code": page.code, "title": page.title} for page in pages]
        rows += [{"code": each.code, "title": each.meaning} for each in failures().values()]
        rows.sort(key=lambda row: row["code"])
        print_rows(as_json, rows, {"CODE": lambda row: row["code"], "WHAT": lambda row: row["title"]}, "")
    elif as_json:
        page = catalogue.find(code)
        texts = {"code": page.code, "title": page.title, "meaning": page.meaning, "why": page.why}
        print_json({**texts, "remedy": page.remedy, "wrong": page.wrong, "right": page.right})
    else:
        _show(catalogue.find(code))


def _show_failure(failure: Failure, as_json: bool) -> None:
    if as_json:
        print_json(failure)
        return
    click.secho(click.wrap_text(f"{failure.code} {failure.meaning}", COLUMNS), bold=True)
    click.echo()
    click.secho("To mend it", bold=True)
    click.echo(click.wrap_text(_sentence(failure.remedy), COLUMNS))
    click.echo()
    where = "Where it happened it says what it happened to: in the console, with D for all of it, and of a run"
    click.echo(click.wrap_text(f"{where} by pilothouse run show NUMBER.", COLUMNS))


def _sentence(text: str) -> str:
    return text if text.startswith("pilothouse ") else text[0].upper() + text[1:]


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
