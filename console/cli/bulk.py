"""One field changed on many definitions: `blueprint set`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import click

from console.author import author, user
from console.cli.access import database
from console.cli.changes import plain_change, refuse, show_brought, show_change_set
from console.cli.meanwhile import on_the_newest
from console.cli.output import JSON_OPTION, ask, plain, print_json
from metadata.bulk import Edited, many
from metadata.changes import ChangeSet
from metadata.database import Database
from metadata.errors import UsageError
from metadata.findings import Finding
from metadata.kinds import SECTIONS
from metadata.revision_log import Revision, newest_revision
from metadata.revisions import CheckError, apply, moved
from metadata.rows.catalog import matching
from metadata.rows.filters import parse
from metadata.rows.reviewing import NOBODY, look_at_many
from metadata.rows.sizes import sized_impact
from metadata.rows.staged import Staged, stage
from metadata.settings import settings


@click.command("set")
@click.argument("change", metavar="FIELD=VALUE")
@click.option("--kind", required=True, type=click.Choice(list(SECTIONS)), help="Which definitions.")
@click.option("--filter", "words", help="Which of them, such as 'owner:ops !tag:legacy'; else all.")
@click.option("--stage", "staging", is_flag=True, help="Into your change set (P in the console), not into a revision.")
@click.option("--dry-run", is_flag=True, help="Only say what it would change; exits with 3 when that is anything.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--note", "-m", default="", help="Why, for the history.")
@JSON_OPTION
@click.pass_context
def set_field(
    context: click.Context,
    change: str,
    kind: str,
    words: str | None,
    staging: bool,
    dry_run: bool,
    yes: bool,
    note: str,
    as_json: bool,
) -> None:
    """Give a field the same value on all definitions of a kind that a filter matches, as one revision.

    FIELD is a path such as owner, storage.mode, cron or tasks.clean.enabled. Of a list, VALUE `a,b` gives exactly
    these, `+a` adds one and `-b` takes one out (`"-b"` is called so); nothing at all leaves what may be left out.
    """
    field, equals, value = change.partition("=")
    if not equals:
        raise click.UsageError("write FIELD=VALUE, as in owner=data")
    if as_json and not (yes or dry_run or staging):
        raise click.UsageError("--json asks nothing: say --yes, --stage or --dry-run, too")
    if staging and note:
        raise click.UsageError("a note stands in the history: give it when the change set is applied, not to --stage")
    if words is not None and not parse(words):
        raise UsageError("PH306", "filter", "it is blank, and would match everything", "leave --filter out to mean all")
    store = database()

    def once() -> tuple[Edited, ChangeSet, Sequence[Finding], Revision | None]:
        base = newest_revision(store)
        uids = matching(store, kind, words or "")
        owner = user() if staging else NOBODY
        there, made, changes = look_at_many(store, owner, kind, tuple(uids), field.strip(), value)
        if there.revision != base:
            raise moved(base, there.revision)
        found, earlier = there.findings(changes, settings().estimator_prefixes) if changes else ((), ())
        if not staging:
            refuse(context, [each for each in found if each not in earlier])
        if not as_json:
            _show(made, changes, found, earlier, bool(uids), words)
        if changes and not dry_run and not yes and not staging:
            ask(context, f"Change {many(made.changed, kind)}?")
        keeps = changes and not dry_run
        return made, changes, found, _keep(context, store, made, there, staging, note) if keeps else None

    made, changes, found, revision = on_the_newest(once)
    if as_json:
        _print(store, made, changes, found, revision, staged=bool(staging and changes and not dry_run))
    elif changes and not dry_run:
        said = f"Revision {revision.number} is applied." if revision else "It is in your change set: P in the console."
        click.echo(said)
    if changes and dry_run:
        context.exit(3)


def _keep(
    context: click.Context, store: Database, made: Edited, there: Staged, staging: bool, note: str
) -> Revision | None:
    """Apply it, or take it into the change set that was looked at."""
    base = there.revision
    if staging:
        stage(store, user(), made.document, base, there.kept)
        return None
    try:
        return apply(store, made.document, author=author(), note=note, settings=settings(), base_revision=base)
    except CheckError as error:
        refuse(context, error.findings)
        raise


def _show(
    made: Edited,
    changes: ChangeSet,
    found: Sequence[Finding],
    earlier: Collection[Finding],
    any_match: bool,
    words: str | None,
) -> None:
    if not any_match:
        which = f" matches '{words}'" if words else " is there"
        click.echo(f"No {made.kind.replace('_', ' ')}{plain(which)}.")
    elif not changes:
        click.echo(f"Nothing to change: all of them have {made.field} {plain(made.value)}.")
    else:
        click.echo(plain(made.words))
        show_change_set(changes)
        show_brought(found, earlier)


def _print(
    store: Database, made: Edited, changes: ChangeSet, found: Sequence[Finding], revision: Revision | None, staged: bool
) -> None:
    print_json(
        {
            "kind": made.kind,
            "field": made.field,
            "value": made.value,
            "changed": made.changed,
            "same": made.same,
            "changes": [plain_change(each) for each in changes.changes],
            "impact": sized_impact(store, changes) if changes else (),
            "findings": found,
            "revision": revision.number if revision else None,
            "staged": staged,
        }
    )
