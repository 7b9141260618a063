"""The blueprint as files for people and for Git: one form for them, and what is applied written into them."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

import click

from console.cli.access import database
from console.cli.output import plain
from console.cli.paths import PathType
from console.cli.sources import STDIN, texts_of
from metadata.definitions import load_blueprint
from metadata.documents import DocumentError, read_files
from metadata.errors import UsageError
from metadata.exporting import as_folder, as_text, brought_up_to_date, write_file, write_folder
from metadata.formatting import formatted
from metadata.kinds import SECTIONS, Blueprint
from metadata.revision_log import newest_revision, no_revision
from metadata.rows.sources import former_names, load_sources
from metadata.values import counted

REVISION = click.IntRange(1, 2**31 - 1)


@click.command()
@click.argument("source", nargs=-1, required=True, type=PathType(allow_dash=True))
@click.option("--check", is_flag=True, help="Change nothing; exit with 3 when a file is not in form.")
@click.pass_context
def fmt(context: click.Context, source: tuple[Path, ...], check: bool) -> None:
    """Bring files and folders into the form of `export`; `-` reads one from standard input and prints it.

    Comments stay, and so does what the files mean; sections come in order, and defaults that are written out go unless
    a comment speaks of them.
    """
    if STDIN in source and len(source) > 1:
        raise click.UsageError("standard input (-) goes alone")
    texts = texts_of(source)
    made_of = {name: formatted(text, name) for name, text in texts.items()}
    if STDIN in source:
        if not check:
            click.echo("".join(made_of.values()), nl=False)
        elif made_of != texts:
            context.exit(3)
        return
    changed = {name: text for name, text in made_of.items() if text != texts[name]}
    for name, text in changed.items():
        if not check:
            _write(Path(name), text)
        click.echo(f"{plain(name)} {'would be brought into form' if check else 'is in form now'}")
    if not changed:
        click.echo(f"{counted(len(texts), 'file')} in form.")
    elif check:
        context.exit(3)


@click.command()
@click.argument("keys", nargs=-1)
@click.option("--revision", type=REVISION, help="As it was at that revision, without comments.")
@click.option("--to", "folder", type=PathType(), help="Write a new folder: one file for each kind.")
@click.option("--into", type=PathType(exists=True), help="Bring a file or a folder up to date in place.")
@click.option("--yes", is_flag=True, help="Take out of them also what this home never had.")
def export(keys: tuple[str, ...], revision: int | None, folder: Path | None, into: Path | None, yes: bool) -> None:
    """Print the blueprint as YAML: all of it, or the definitions of KEYS. Comments come along.

    With --into, only what differs is written anew: comments, order and the form of all else stay. Files that have what
    this home never had, and would lose it, are refused.
    """
    if (folder is not None) + (into is not None) + bool(keys) > 1:
        raise click.UsageError("name KEYS, or --to, or --into")
    had = former_names(database()) if into is not None else {}  # first: what comes meanwhile counts as never had
    found, sources = past(revision), load_sources(database()) if revision is None else {}
    if folder is not None:
        files = as_folder(found, sources)
        write_folder(folder, files)
        click.echo(f"{counted(len(files), 'file')} in {plain(folder)}.")
    elif into is not None:
        _update(into, found, sources, had, yes)
    else:
        click.echo(as_text(_chosen(found, keys) if keys else found, sources), nl=False)


def past(number: int | None) -> Blueprint:
    """The blueprint as a revision left it; today's without a number."""
    if number is not None and number > newest_revision(database()):
        raise no_revision(number)
    return load_blueprint(database(), number)


def _chosen(found: Blueprint, keys: tuple[str, ...]) -> Blueprint:
    missing = sorted(set(keys) - {key for _, key, _ in found})
    if missing:
        raise UsageError("PH307", f"definition {missing[0]}", "there is none", "pilothouse blueprint export shows all")
    return found.model_copy(
        update={
            section: {key: value for key, value in getattr(found, section).items() if key in keys}
            for section in SECTIONS.values()
        }
    )


def _update(
    into: Path, found: Blueprint, sources: dict[str, str], had: dict[str, list[tuple[str, str]]], yes: bool
) -> None:
    is_folder = into.is_dir()
    try:
        texts = read_files([into])
    except DocumentError as error:
        if not is_folder or any(each.file != str(into) for each in error.findings):
            raise
        texts = {}  # a folder without a file yet
    changed = brought_up_to_date(texts, found, sources, had, into if is_folder else None, yes)
    for name, text in changed.items():
        if text.strip():
            _write(Path(name), text)
        else:
            _remove(Path(name))
        click.echo(f"{plain(name)} {'is up to date now' if text.strip() else 'holds nothing any more: removed'}")
    if not changed:
        click.echo(f"{plain(into)} is up to date.")


def _write(path: Path, text: str) -> None:
    """Write a file anew, with the mark (BOM) that it begins with, if it does."""
    try:
        marked = path.exists() and path.read_bytes().startswith(BOM_UTF8)
        write_file(path, f"\ufeff{text}" if marked else text)
    except OSError as error:
        raise _unwritable(path, error) from None


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> UsageError:
    cause = f"it cannot be written: {error.strerror or error}"
    return UsageError("PH837", f"file {path}", cause, "see to its permissions, or name another")
