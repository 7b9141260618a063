"""The blueprint as documents: check, diff, apply, export; and its log of revisions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from console.author import author
from console.cli import bulk, definitions, documents
from console.cli.access import database
from console.cli.blueprint_files import export, fmt, past
from console.cli.changes import (
    plain_change,
    refuse,
    show_brought,
    show_change_set,
    show_changes,
    show_earlier,
    show_findings,
)
from console.cli.drafting import draft
from console.cli.meanwhile import on_the_newest
from console.cli.output import JSON_OPTION, ask, none_of, paged, plain, print_json, print_page
from console.cli.paths import PathType
from console.cli.sources import texts_of
from metadata.changes import compare
from metadata.checks.earlier import Errors, errors_after, there_before
from metadata.checks.secrets import secrets_of
from metadata.commented import comments_of
from metadata.documents import Document, DocumentError, read_texts
from metadata.findings import Finding
from metadata.kinds import SECTIONS
from metadata.revision_log import Revision, WayBack, edits_of, verify_chain
from metadata.revisions import CheckError, changes_of, go_back
from metadata.revisions import apply as apply_document
from metadata.rows.history import list_revisions
from metadata.rows.reviewing import Look, look_at, look_back, without_a_past
from metadata.rows.sizes import sized_impact
from metadata.rows.sources import differing, keep_comments
from metadata.settings import settings
from metadata.undoing import redo_of, revert_to, undo_of
from metadata.values import counted

SOURCES = click.argument("source", nargs=-1, required=True, type=PathType(allow_dash=True))
REVISION = click.IntRange(1, 2**31 - 1)
NOTE = click.option("-m", "--note", default="", help="Why, for the history.")
YES = click.option("--yes", is_flag=True, help="Do not ask.")
PRUNE = click.option("--prune", is_flag=True, help="Also remove what the documents do not name.")


@click.group()
def blueprint() -> None:
    """What the pipelines are: definitions as YAML, files or folders."""


for command in (
    *(documents.explain, documents.init, documents.schema, definitions.list_, definitions.search),
    *(fmt, export, draft, bulk.set_field),
):
    blueprint.add_command(command)


@blueprint.command()
@SOURCES
@JSON_OPTION
@click.pass_context
def check(context: click.Context, source: tuple[Path, ...], as_json: bool) -> None:
    """Say what is wrong with documents, merged into the blueprint that is there. Exits with 1 for an error.

    One that was there before, in a definition that they do not name, is told, and does not count: it keeps nobody from
    applying them. `-` is a document on standard input, for `diff` and `apply`, too.
    """
    standing = frozenset[Finding]()
    try:
        document = read_texts(texts_of(source))
        look = Look(*changes_of(database(), document.blueprint))
        found = _located(document, look)
        prefixes = settings().estimator_prefixes
        standing = errors_after(look.changes, found, estimator_prefixes=prefixes).standing
    except DocumentError as error:
        found = list(error.findings)
    show_findings(found, as_json)
    of_others = {each for each in standing if not each.line}
    if of_others:
        words = f"{counted(len(of_others), 'error')} of what these do not name: there before, apply leaves it alone."
        click.echo(words, err=True)
    if any(each.severity == "error" and each not in of_others for each in found):
        context.exit(1)


@blueprint.command()
@click.argument("source", nargs=-1, type=PathType(allow_dash=True))
@PRUNE
@click.option("--from", "since", type=REVISION, help="Compare revisions instead: from this one …")
@click.option("--to", "until", type=REVISION, help="… to this one; without it, to the newest.")
@JSON_OPTION
@click.pass_context
def diff(
    context: click.Context,
    source: tuple[Path, ...],
    prune: bool,
    since: int | None,
    until: int | None,
    as_json: bool,
) -> None:
    """Say what applying documents would change and what that touches, or what changed between two revisions.

    Exits with 3 when there are differences.
    """
    if bool(source) == (since is not None) or (since is None and until is not None) or (source and until):
        raise click.UsageError("name documents, or --from a revision (and --to another), and not both")
    if since is None:
        document = _read(context, source)
        look = look_at(database(), document.blueprint, prune)
        changes = look.changes
        found = _located(document, look) if changes else []
        comments = 0 if changes else differing(database(), comments_of(document))
    else:
        changes, found, comments = compare(*(past(number) for number in (since, until))), [], 0
    if as_json:
        touched = sized_impact(database(), changes) if changes else ()
        plain_changes = [plain_change(each) for each in changes.changes]
        print_json({"changes": plain_changes, "impact": touched, "findings": found})
    elif changes:
        show_change_set(changes)
        show_brought(found, there_before(changes, found, estimator_prefixes=settings().estimator_prefixes))
    elif comments:
        click.echo(f"No differences, but in the comments of {counted(comments, 'definition')}: apply keeps them.")
    else:
        click.echo("No differences.")
    if changes:
        context.exit(3)


@blueprint.command()
@SOURCES
@PRUNE
@NOTE
@YES
@click.pass_context
def apply(context: click.Context, source: tuple[Path, ...], prune: bool, note: str, yes: bool) -> None:
    """Make the blueprint what documents say, as one revision; nothing is changed when they bring an error.

    What was wrong before in other definitions keeps nobody from that.
    """
    store, document = database(), _read(context, source)
    comments = comments_of(document)
    asked = False

    def once() -> Revision | None:
        nonlocal asked
        look = look_at(store, document.blueprint, prune)
        changes = look.changes
        errors = look.errors(settings().estimator_prefixes) if changes else Errors()
        refuse(context, _at_lines(document, errors.forbidding))
        show_change_set(changes)
        show_earlier(errors.standing, "check tells all")
        if unmet := without_a_past(store, document.blueprint, look):
            show_findings(_at_lines(document, unmet), as_json=False, err=True)
        gone = changes.count("deleted")
        if not yes and changes and (gone or asked):
            asked = True
            ask(context, f"Remove {counted(gone, 'definition')}?" if gone else "Apply that?")
        return apply_document(
            store,
            document.blueprint,
            author=author(),
            note=note,
            prune=prune,
            settings=settings(),
            base_revision=look.base,
            comments=comments,
        )

    try:
        made = on_the_newest(once)
        kept = 0 if made else keep_comments(store, comments, author())
    except CheckError as error:
        show_findings(_at_lines(document, error.findings), as_json=False, err=True)
        context.exit(1)
    if kept:
        click.echo(f"The comments of {counted(kept, 'definition')} are kept; nothing else differs: no revision.")
    else:
        click.echo(f"Revision {made.number} is applied." if made else "Nothing to change.")


@blueprint.command()
@click.argument("revision", required=False, type=REVISION)
@click.option("--filter", "words", default="", help="Such as 'key:silver.* author:ada deed:undo age:<7d'.")
@paged(50, int, "revision")
@JSON_OPTION
def log(revision: int | None, words: str, limit: int, after: int | None, as_json: bool) -> None:
    """Revisions, newest first; or what one REVISION did."""
    if revision is not None:
        show_changes([edit.change for edit in edits_of(database(), revision)], as_json)
        return
    print_page(
        as_json,
        list_revisions(database(), words, after=after, limit=limit),
        {
            "REVISION": lambda row: row.number,
            "WHEN": lambda row: row.applied_at,
            "BY": lambda row: row.author,
            "WHAT": lambda row: row.what,
            "NOTE": lambda row: row.note,
        },
        none_of("revision", words, "No revision yet. Apply a blueprint with: pilothouse blueprint apply FILE"),
    )


@blueprint.command()
@NOTE
@YES
@click.pass_context
def undo(context: click.Context, note: str, yes: bool) -> None:
    """Take back the newest change that is not undone yet, after showing what that does."""
    _go_back(context, undo_of(database()), note, yes)


@blueprint.command()
@NOTE
@YES
@click.pass_context
def redo(context: click.Context, note: str, yes: bool) -> None:
    """Do again what was undone last, if nothing else was changed since."""
    _go_back(context, redo_of(database()), note, yes)


@blueprint.command()
@click.argument("revision", type=REVISION)
@NOTE
@YES
@click.pass_context
def revert(context: click.Context, revision: int, note: str, yes: bool) -> None:
    """Make the blueprint again what REVISION left, as a new revision: nothing of the history goes."""
    _go_back(context, revert_to(database(), revision), note, yes)


@blueprint.command()
def verify() -> None:
    """Hold the log of revisions against its hashes, and the definitions against the log. Exits with 1 if they differ.

    What somebody changed in the database by hand, and not by an apply, is named.
    """
    count = verify_chain(database())
    click.echo(f"{counted(count, 'revision')}, and the definitions are what {'it' if count == 1 else 'they'} left.")


def _go_back(context: click.Context, way: WayBack, note: str, yes: bool) -> None:
    store = database()
    look = look_back(store, way)
    if not look.changes:
        click.echo(f"Nothing to change: the blueprint is what revision {way.state} left.")
        return
    refuse(context, look.errors(settings().estimator_prefixes).forbidding)
    show_change_set(look.changes)
    if not yes:
        ask(context, plain(f"{way.asked[0].upper()}{way.asked[1:]}?"))
    try:
        made = go_back(store, way, author=author(), note=note, settings=settings())
    except CheckError as error:
        show_findings(error.findings, as_json=False, err=True)
        context.exit(1)
    click.echo(f"Revision {made.number} is applied." if made else "Nothing to change.")


def _read(context: click.Context, source: tuple[Path, ...]) -> Document:
    """Documents that can be read, and whose changes can be shown: no secret stands in them."""
    try:
        document = read_texts(texts_of(source))
    except DocumentError as error:
        show_findings(error.findings, as_json=False, err=True)
        context.exit(1)
    found = [each for kind, key, definition in document.blueprint for each in secrets_of(kind, key, definition)]
    if found:
        located = [document.locations.locate(each, SECTIONS[each.kind]) for each in found]
        show_findings(located, as_json=False, err=True)
        context.exit(1)
    return document


def _located(document: Document, look: Look) -> list[Finding]:
    """What is found wrong once a document is applied, at its lines."""
    prefixes = settings().estimator_prefixes
    return _at_lines(document, [*look.findings(prefixes), *without_a_past(database(), document.blueprint, look)])


def _at_lines(document: Document, found: Iterable[Finding]) -> list[Finding]:
    return [document.locations.locate(each, SECTIONS.get(each.kind, "")) for each in found]
