"""The audit: what was done, by whom and from where; whether anything of it was changed; and all of it as a file."""

from __future__ import annotations

from pathlib import Path

import click

from console.author import author
from console.cli.access import database
from console.cli.blueprint import NOTE, YES
from console.cli.output import JSON_OPTION, ask, none_of, paged, plain, print_json, print_page
from console.cli.paths import PathType
from metadata.audit import anchor as anchor_anew
from metadata.audit_check import Checked
from metadata.audit_check import verify as verify_database
from metadata.audit_file import export as export_lines
from metadata.audit_file import verify_lines
from metadata.errors import PilothouseError, ServiceDownError, UsageError
from metadata.rows.audit_log import changed_by, list_entries
from metadata.settings import settings
from metadata.values import counted


@click.group()
def audit() -> None:
    """What was done: who, when, from where, what and why, in a log that nobody changes unseen."""


@audit.command()
@click.option("--filter", "words", default="", help="Such as 'who:anna from:10.0.0.7 deed:cancel key:flights age:<7d'.")
@paged(50, int, "entry")
@JSON_OPTION
def log(words: str, limit: int, after: int | None, as_json: bool) -> None:
    """What was done, newest first. Comments that came together are one line; --json and deed:comment tell of each."""
    page = list_entries(database(), words, after=after, limit=limit, folded=not as_json)
    changed = {} if as_json else changed_by(database(), page.items)
    print_page(
        as_json,
        page,
        {
            "ENTRY": lambda row: row.number,
            "WHEN": lambda row: row.at,
            "WHO": lambda row: row.actor,
            "FROM": lambda row: row.origin,
            "DEED": lambda row: row.deed,
            "WHAT": lambda row: " ".join(filter(None, (row.what, changed.get(row.number)))),
            "NOTE": lambda row: row.note,
        },
        none_of("entry", words, "Nothing was done yet."),
    )


@audit.command()
@click.argument("file", required=False, type=PathType())
@JSON_OPTION
@click.pass_context
def verify(context: click.Context, file: Path | None, as_json: bool) -> None:
    """Hold the audit against its hashes, its signatures and what this home has seen of it. Exits with 1 if they differ.

    What was changed, put in or removed is named: an entry, a revision, a decision, a definition, a run (how it was
    launched, its plan, author, attempt and cancellation). How a run went is not verified. Of a FILE that `audit export`
    made, all but today's definitions; it needs the key that signed, and no database.
    """
    try:
        found = verify_database(database()) if file is None else _verify_file(file)
    except PilothouseError as error:
        if not as_json or isinstance(error, UsageError | ServiceDownError):
            raise
        print_json({"faults": [each.fault for each in error.errors]})
        context.exit(1)
    if as_json:
        print_json(found)
        return
    click.echo(
        f"{counted(found.entries, 'entry', 'entries')} of the audit, {counted(found.revisions, 'revision')}, "
        f"{counted(found.runs, 'run')} and {counted(found.decisions, 'decision')} are what was written."
    )
    click.echo(f"Signed with key {found.signer}.")


def _verify_file(file: Path) -> Checked:
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            return verify_lines(lines, settings().signet, str(file))
    except OSError as error:
        cause = f"it cannot be read ({error.strerror or error})"
        raise UsageError("PH366", f"file {file}", cause, "name a file that pilothouse audit export made") from error


@audit.command()
def export() -> None:
    """Print the audit and what it speaks of as JSON lines, for `audit verify FILE` elsewhere."""
    for line in export_lines(database()):
        click.echo(line)


@audit.command()
@NOTE
@YES
@click.pass_context
def anchor(context: click.Context, note: str, yes: bool) -> None:
    """Take the database for what it is now, after its server restored it: entries that this home has seen are gone.

    The audit says who did this, and which entry this home had seen. A changed entry stays one.
    """
    store = database()
    if not yes:
        ask(context, "Take the audit as the database has it, though this home may have seen more of it?")
    click.echo(f"The audit says: {plain(anchor_anew(store, author(), note))}.")
