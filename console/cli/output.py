"""What the command line prints: tables, JSON, and faults in their four parts. Data is plain text, never markup."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click
from pydantic import BaseModel

from metadata.errors import MOST, Fault, PilothouseError, UsageError
from metadata.rows.paging import Page
from metadata.values import local

F = TypeVar("F", bound=Callable[..., Any])
_DRIVES = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control signs beyond ASCII's first 32, and those that turn the direction of what follows (Unicode, annex 9)."""
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def plain(value: object) -> str:
    """One line of text with control characters taken out, so that data cannot drive the terminal."""
    text = "" if value is None else str(value)
    return "".join(" " if char in "\n\r\t" else char for char in text if char.isprintable() or char in "\n\r\t")


def moment(value: datetime | None) -> str:
    """An instant in the reader's zone, to the second."""
    return "" if value is None else local(value)


def number(value: float | None) -> str:
    """A number with thousands separators, figures below 1 with four digits."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}".rstrip("0").rstrip(".")


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as their widest cell, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [bool(cells) and all(row[column][1] for row in cells if row[column][0]) for column in range(len(headers))]
    widths = [max([len(head), *(len(row[column][0]) for row in cells)]) for column, head in enumerate(headers)]
    for line in [list(headers), *([text for text, _ in row] for row in cells)]:
        padded = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        )
        click.echo("  ".join(padded).rstrip())


def _cell(value: object) -> tuple[str, bool]:
    if isinstance(value, bool) or value is None:
        return ("" if value is None else "yes" if value else "no"), value is None
    if isinstance(value, int | float):
        return number(value), True
    return plain(moment(value) if isinstance(value, datetime) else value), False


def print_json(value: object, indent: int | None = 2) -> None:
    """JSON, two spaces deep, or one line without `indent`; instants as ISO text in UTC.

    What drives a terminal is escaped in it: JSON itself escapes no more than the first 32 signs.
    """
    text = json.dumps(jsonable(value), indent=indent, ensure_ascii=False, allow_nan=False, default=str)
    click.echo(_DRIVES.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def jsonable(value: object) -> Any:
    """Dataclasses and models as plain JSON values; JSON has no word for what is not finite, which is null."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, datetime) else value


def ask(context: click.Context, question: str) -> None:
    """Go on after a yes; after a no, say that nothing was done, and exit with 1.

    Raises UsageError PH356 where the standard input has ended, as where a document came from it.
    """
    try:
        agreed = click.confirm(question)
    except click.Abort as stopped:
        if sys.stdin.isatty() or isinstance(stopped.__context__, KeyboardInterrupt):
            raise
        click.echo()
        raise UsageError("PH356", "the question", "the standard input has no answer", "--yes answers it") from None
    if not agreed:
        click.echo("Nothing was done.")
        context.exit(1)


def print_rows(as_json: bool, rows: Sequence[object], columns: dict[str, Callable[[Any], object]], empty: str) -> None:
    """Rows as JSON, or as a table of `columns` (header → how to get it); `empty` says what would be here."""
    if as_json:
        print_json(list(rows))
    elif rows:
        print_table(list(columns), [[read(row) for read in columns.values()] for row in rows])
    else:
        click.echo(empty)


def paged(default: int, cursor: type[int] | type[str], what: str) -> Callable[[F], F]:
    """`--limit` and `--after` of a list that can be longer than anybody wants to see; `what` names its rows."""
    limit = click.option("--limit", default=default, show_default=True, type=click.IntRange(1, 500))
    kind = click.IntRange(1, 2**31 - 1) if cursor is int else cursor
    after = click.option("--after", metavar=what.upper(), type=kind, help=f"Begin after that {what}.")
    return lambda command: limit(after(command))


def print_page(as_json: bool, page: Page[Any], columns: dict[str, Callable[[Any], object]], empty: str) -> None:
    """As `print_rows`; that there is more, and how to get it, is said on standard error.

    A page beyond the last row is no empty list.
    """
    if page.total and not page.items:
        empty = f"The list ends there; it has {page.total:,}."
    print_rows(as_json, page.items, columns, empty)
    if page.next is not None:
        total = f"{'more than ' if page.capped else ''}{page.total:,}"
        after = shlex.quote(plain(page.next))
        click.echo(f"({len(page.items):,} of {total}; the next ones: --after {after})", err=True)


def none_of(what: str, words: str, empty: str) -> str:
    """What is said where a list has no row: that its filter leaves none, else why there is none at all."""
    return f"No {what} matches '{plain(words)}'." if words else empty


def show_error(error: PilothouseError) -> None:
    """All that failed, on standard error; of many, the first ones."""
    for each in error.errors[:MOST]:
        show_fault(each.fault)
    if len(error.errors) > MOST:
        click.echo(f"and {len(error.errors) - MOST:,} more", err=True)


def show_fault(fault: Fault) -> None:
    """Code, thing, cause, and what to do next, on standard error."""
    colour = sys.stderr.isatty()
    click.echo(
        click.style(f"{fault.code} {plain(fault.thing)}", bold=True)
        if colour
        else f"{fault.code} {plain(fault.thing)}",
        err=True,
    )
    click.echo(f"  cause  {plain(fault.cause)}", err=True)
    click.echo(f"  next   {plain(fault.remedy)}", err=True)
