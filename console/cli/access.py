"""What every command needs: the database of the home, up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from metadata.database import Database
from metadata.migrations import ensure
from metadata.settings import settings


def database() -> Database:
    """The metadata database, upgraded if it is the embedded one. Raises PilothouseError PH302 when it does not fit.

    PH349 when it is behind, and services that were started from another program work with it.
    """
    found = Database.of(settings())
    ensure(found, _refuse_others)
    return found


def _refuse_others() -> None:
    from flows import client  # needed only when the schema changes

    client.refuse_others()


def retire_others() -> bool:
    """Take services of another program down, before others are started: which, is said on standard error.

    Raises PilothouseError PH349 while runs are under way on them.
    """
    from flows import client

    return client.retire(lambda words: click.echo(words, err=True))


@contextmanager
def starting_services() -> Iterator[Database]:
    """The database; afterwards services are started that are not there: which, is said on standard error.

    Those of another program are taken down first, and started again also when what was to be done is refused.
    """
    from flows import client

    start = retire_others()
    try:
        yield database()
        start = True
    finally:
        if start and (started := client.ensure_up(wait=False)):
            click.echo(f"Services are being started: {', '.join(started)}.", err=True)
