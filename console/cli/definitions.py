"""Definitions of all kinds as a list, and found by any word that is written in them."""

from __future__ import annotations

import click

from console.cli.access import database
from console.cli.output import JSON_OPTION, none_of, paged, plain, print_page, print_rows
from metadata.rows.pages import list_definitions
from metadata.rows.search import search as search_words


@click.command(name="list")
@click.option("--filter", "words", default="", help="Such as 'kind:dataset layer:silver !tag:legacy /*orders*'.")
@paged(100, str, "definition")
@JSON_OPTION
def list_(words: str, limit: int, after: str | None, as_json: bool) -> None:
    """Definitions by kind and key."""
    print_page(
        as_json,
        list_definitions(database(), None, words, after=after, limit=limit),
        {
            "KIND": lambda row: row.kind,
            "KEY": lambda row: row.key,
            "WHAT": lambda row: row.about,
            "OWNER": lambda row: row.owner,
            "TAGS": lambda row: " ".join(row.tags),
            "USED BY": lambda row: row.used_by,
            "REVISION": lambda row: row.revision_changed,
        },
        none_of("definition", words, "No definitions yet. Apply a blueprint with: pilothouse blueprint apply FILE"),
    )


@click.command()
@click.argument("text")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500))
@JSON_OPTION
def search(text: str, limit: int, as_json: bool) -> None:
    """Definitions in which words begin as those of TEXT: keys, owners, tags, columns, SQL, rules."""
    print_rows(
        as_json,
        search_words(database(), text, limit),
        {
            "KIND": lambda row: row.kind,
            "KEY": lambda row: row.key,
            "IN": lambda row: row.field,
            "WORD": lambda row: row.word,
        },
        f"No definition has the words '{plain(text)}'.",
    )
