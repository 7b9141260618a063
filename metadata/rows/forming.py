"""What a form asks of the database: keys that can be named, names for its texts, and what checks find of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection, case, select

from metadata.checks import check
from metadata.completion import Names
from metadata.database import Database
from metadata.definitions import IN_ORDER, LAYOUTS, definition, staged_item
from metadata.findings import Finding, Path
from metadata.form_names import MOST_DERIVED, is_query, named_at, names_for
from metadata.forms import Subject, examine
from metadata.kinds import SECTIONS, Blueprint, Pipeline
from metadata.references import references
from metadata.rows.catalog import list_definitions
from metadata.rows.filters import parse, text_field
from metadata.rows.staged import load_nearby
from metadata.unread_rules import unread_rules

MOST_CHOICES = 100


@dataclass(frozen=True)
class Choice:
    """A definition that can be named, and what is particular to it."""

    key: str
    about: str
    staged: bool = False
    """Whether it waits in the change set."""


def choices(database: Database, kind: str, words: str, owner: str) -> tuple[Choice, ...]:
    """Definitions of a kind that a filter wants, as they will be called once the change set of a user is applied.

    Those whose key begins with the words come first, then those whose key holds them: `pend` means predictions.pending
    before all that append.
    """
    staged = _staged(database, kind, owner)
    gone = {before for before, key in staged if before is not None and before != key}
    filters = (_of_keys(words, '/"{}*"'), _of_keys(words, '/"*{}*"'), words) if words.strip() else (words,)
    wanted = (each for each in filters if each is not None)
    pages = (list_definitions(database, kind, each, limit=MOST_CHOICES, counted=False) for each in wanted)
    rows = {row.key: row for page in pages for row in page.items}
    found = [Choice(row.key, row.about) for row in rows.values() if row.key not in gone][:MOST_CHOICES]
    there = {one.key for one in found} | {before for before, _ in staged if before not in gone}
    plain = words.lower().split()
    new = [key for _, key in staged if key and key not in there and all(word in key.lower() for word in plain)]
    return (*(Choice(key, "in the change set", True) for key in new), *found)


def keys_of(database: Database, kind: str, owner: str) -> tuple[str, ...]:
    """All keys of a kind, as they will be once the change set of a user is applied."""
    staged = _staged(database, kind, owner)
    gone = {before for before, key in staged if before is not None and before != key}
    keys = select(definition.c.key).where(definition.c.kind == kind).order_by(*IN_ORDER)
    with database.read() as connection:
        there = dict.fromkeys(key for key in connection.execute(keys).scalars() if key not in gone)
    return tuple({**there, **dict.fromkeys(key for _, key in staged if key)})


def names_in(database: Database, owner: str, subject: Subject, path: Path) -> Names:
    """What the text at a path of a form can name, the change set of a user included."""
    about = named_at(subject, path)
    wanted = {*_named(subject), *([about] if about is not None else [])}
    declared: dict[str, tuple[str, ...]] = {}
    if is_query(subject, path):
        with database.read() as connection:
            declared = _declared(connection)
        lacking = [key for key, columns in declared.items() if not columns]
        wanted |= {("dataset", key) for key in lacking[:MOST_DERIVED]}
    found = load_nearby(database, owner, wanted)
    blueprint = _with(found.working.blueprint, subject)
    names = names_for(subject, path, blueprint)
    gone = found.current.datasets.keys() - blueprint.datasets.keys()
    others = {key: columns for key, columns in declared.items() if key not in gone}
    return replace(names, datasets={**others, **names.datasets})


def columns_in(database: Database, owner: str, subject: Subject, path: Path, words: str) -> tuple[Choice, ...]:
    """Columns that can be named at the path of a form, those that hold all of the words."""
    wanted = words.lower().split()
    names = names_in(database, owner, subject, path).datasets
    found = [Choice(column, key) for key, columns in names.items() for column in columns]
    return tuple(one for one in found if all(word in one.key.lower() for word in wanted))


def tasks_in(database: Database, subject: Subject, path: Path, words: str) -> tuple[Choice, ...]:
    """Tasks that can be named at the path of a form: the others of its pipeline, else those of every pipeline."""
    wanted = words.lower().split()
    if subject.kind == Pipeline.KIND:
        tasks = subject.body.get("tasks")
        others = [str(key) for key in tasks if key != path[1]] if isinstance(tasks, dict) else []
        return tuple(Choice(key, "") for key in others if all(word in key.lower() for word in wanted))
    task = LAYOUTS[Pipeline.KIND].entries["tasks"].table.c
    query = select(task.name, task.kind, definition.c.key).join(definition, definition.c.uid == task.pipeline_uid)
    query = query.where(*(text_field(task.name)(f"*{word}*") for word in wanted))
    with database.read() as connection:
        rows = connection.execute(query.order_by(task.name, definition.c.key).limit(MOST_CHOICES)).all()
    return tuple(Choice(row.name, f"{row.kind} of {row.key}") for row in rows)


def findings_in(database: Database, owner: str, subject: Subject, prefixes: Iterable[str]) -> tuple[Finding, ...]:
    """What is found about the definition of a form, beside the change set of a user; else its rules."""
    if examine(subject)[0] is None:
        return tuple(unread_rules(subject.kind, subject.key, subject.body))
    blueprint = _with(load_nearby(database, owner, _named(subject)).working.blueprint, subject)
    found = check(blueprint, estimator_prefixes=prefixes)
    return tuple(each for each in found if (each.kind, each.key) == (subject.kind, subject.key))


def _of_keys(words: str, pattern: str) -> str | None:
    """The filter by which keys have each word as a pattern says; None for one that does not only look for words."""
    terms = parse(words)
    plain = all(term.kind == "text" and not term.negated for term in terms)
    return " ".join(pattern.format(term.values[0]) for term in terms) if plain else None


def _staged(database: Database, kind: str, owner: str) -> list[tuple[str | None, str | None]]:
    """Key before and key after of each edit of that kind, None where there is none."""
    item = staged_item.c
    removed = case((item.after.is_(None), 1), else_=0).label("removed")
    new = case((item.before.is_(None), 1), else_=0).label("new")
    query = select(item.key_before, item.key, removed, new)
    with database.read() as connection:
        rows = connection.execute(query.where(item.owner == owner, item.kind == kind).order_by(item.position)).all()
    return [(None if row.new else row.key_before or row.key, None if row.removed else row.key) for row in rows]


def _named(subject: Subject) -> set[tuple[str, str]]:
    """Kind and key of the definition of a form, and of what it names, as far as it makes one."""
    made, _ = examine(subject)
    named = references(made) if made is not None else ()
    return {(subject.kind, subject.key), *((kind, key) for _, kind, key in named)}


def _declared(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Every dataset with the columns that it declares, in their order."""
    column = LAYOUTS["dataset"].entries["columns"].table.c
    uids = select(definition.c.uid, definition.c.key).where(definition.c.kind == "dataset")
    keys = {row.uid: row.key for row in connection.execute(uids.order_by(*IN_ORDER))}
    found: dict[str, list[str]] = {uid: [] for uid in keys}
    for uid, name in connection.execute(select(column.dataset_uid, column.name).order_by(column.position)):
        found[uid].append(name)
    return {keys[uid]: tuple(names) for uid, names in found.items()}


def _with(blueprint: Blueprint, subject: Subject) -> Blueprint:
    """A blueprint with the definition of a form in it, if it makes one."""
    made, _ = examine(subject)
    section = SECTIONS[subject.kind]
    if made is None:
        return blueprint
    return blueprint.model_copy(update={section: {**getattr(blueprint, section), subject.key: made}})
