"""Datasets of a query under other keys: their names, and columns and hints that are told by them, token by token."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from metadata.sql import compile_query, parse_query, read
from metadata.sql_hints import hints_of

if TYPE_CHECKING:
    from sqlglot import exp


class _Edit(NamedTuple):
    """What stands at `sql[start:end]` from now on."""

    start: int
    end: int
    text: str


def with_new_tables(sql: str, keys: Mapping[str, str]) -> str:
    """The query with datasets by their new keys; every other character is as it was.

    A dataset without an alias names its columns by the last word of its key: there they follow it. Where the query
    has that word already, for something else, the dataset keeps the earlier one as its alias. A query whose CTE would
    be read in the place of a dataset is left as it is. Raises PilothouseError PH140 for a text that is refused.
    """
    from sqlglot import exp

    tokens = {token.start: token for token in compile_query(sql).tokens}
    tree, _ = parse_query(sql)
    edits: list[_Edit] = []
    told: dict[int, str] = {}
    taken = _words(tree, keys) if tree is not None else {}
    for table in tree.find_all(exp.Table) if tree is not None else ():
        token = tokens.get(table.parts[0].meta.get("start", -1)) if table.find_ancestor(exp.Hint) is None else None
        new = keys.get(token.dataset, token.dataset) if token else ""
        if token is None or new == token.dataset:
            continue
        edits += _of_table(sql, table, new)
        word = new.rpartition(".")[2]
        if token.alias is None or word == token.alias.lower():
            continue
        if taken.get(word, set()) - {token.alias.lower()}:
            end = table.parts[-1].meta["end"] + 1
            edits.append(_Edit(end, end, f" AS {sql[table.parts[-1].meta['start'] : end]}"))
        else:
            told[token.start] = word
    for column in tree.find_all(exp.Column) if tree is not None and told else ():
        name = told.get(_source_place(column))
        if name is not None and column.find_ancestor(exp.Hint) is None:
            edits += _of_word(sql, column.parts[0], name)
    for hint, place in hints_of(sql, tree) if tree is not None else ():
        edits += _of_hint(sql, hint, place, keys, told)
    renamed = sql
    for edit in sorted(set(edits), reverse=True):
        renamed = renamed[: edit.start] + edit.text + renamed[edit.end :]
    wanted = [keys.get(table.key, table.key) for table in read(sql).tables]
    return renamed if [table.key for table in read(renamed).tables] == wanted else sql


def _words(tree: exp.Query, keys: Mapping[str, str]) -> dict[str, set[str]]:
    """Words by which a query tells a thing, or will, each with those that stand there for it now."""
    from sqlglot import exp

    found: dict[str, set[str]] = defaultdict(set)
    for each in tree.find_all(exp.CTE, exp.Subquery, exp.Lateral, exp.Table, exp.Column):
        if isinstance(each, exp.Column):
            name = each.parts[0].name.lower() if len(each.parts) > 1 else ""
        else:
            name = each.alias_or_name.lower()
        found[name].add(name)
        new = keys.get(".".join(part.name for part in each.parts).lower()) if isinstance(each, exp.Table) else None
        if new is not None and not each.alias:
            found[new.rpartition(".")[2]].add(name)
    return found


def _of_table(sql: str, table: exp.Table, new: str) -> Iterator[_Edit]:
    """Word by word where the new key has as many; what stays, and quotes and spaces between, are as they were."""
    words = new.split(".")
    if len(words) == len(table.parts):
        for part, word in zip(table.parts, words, strict=True):
            if part.name.lower() != word:
                yield from _of_word(sql, part, word)
    else:
        yield _Edit(table.parts[0].meta["start"], table.parts[-1].meta["end"] + 1, ".".join(map(_bare, words)))


def _of_hint(sql: str, hint: exp.Hint, place: int, keys: Mapping[str, str], told: Mapping[int, str]) -> Iterator[_Edit]:
    """What a hint says of tables, by the last words of their keys or in full; its words are told from `place`."""
    from sqlglot import exp

    named: list[exp.Table | exp.Column] = [*hint.find_all(exp.Table), *hint.find_all(exp.Column)]
    for each in named:
        key = ".".join(part.name for part in each.parts).lower()
        name = told.get(_source_place(each))
        if name is not None:
            yield from _of_word(sql, each.parts[0], name, place)
        elif isinstance(each, exp.Table) and "." in key and key in keys:
            yield from _in_full(sql, each, key, keys[key], place)


def _in_full(sql: str, table: exp.Table, key: str, new: str, place: int) -> Iterator[_Edit]:
    """As `_of_word`, of all the words of a key."""
    start, end = place + table.parts[0].meta["start"], place + table.parts[-1].meta["end"] + 1
    if "".join(sql[start:end].replace("`", "").split()).lower() == key:
        yield _Edit(start, end, new)


def _of_word(sql: str, part: exp.Expr, word: str, place: int = 0) -> Iterator[_Edit]:
    """Nothing where the text has something else in its place."""
    start, end = place + part.meta["start"], place + part.meta["end"] + 1
    if sql[start:end].strip("`").lower() == part.name.lower():
        yield _Edit(start, end, f"`{word}`" if sql[start] == "`" else _bare(word))


def _bare(word: str) -> str:
    """A word as it can stand in a query without backticks, or else with them."""
    query = f"SELECT {word}.x FROM y.{word}"  # noqa: S608 - it is only read
    return f"`{word}`" if read(query).problems else word


def _source_place(named: exp.Column | exp.Table) -> int:
    """Where the table stands whose name a column, or a table in a hint, begins with: in its query, or one around it."""
    from sqlglot import exp

    if (len(named.parts) == 1) == isinstance(named, exp.Column) or "start" not in named.parts[0].meta:
        return -1
    name = named.parts[0].name.lower()
    select = named.find_ancestor(exp.Select)
    while select is not None:
        for source in _sources(select):
            if not isinstance(source, exp.Table):
                if source.alias.lower() == name:
                    return -1
            elif source.alias_or_name.lower() == name:
                return int(source.parts[0].meta.get("start", -1))
        select = select.find_ancestor(exp.Select)
    return -1


def _sources(select: exp.Select) -> Iterator[exp.Expr]:
    """The tables, queries and views that a query selects from; those that are joined in brackets come last."""
    from sqlglot import exp

    found = [select.args.get("from_"), *(select.args.get("joins") or ()), *(select.args.get("laterals") or ())]
    waiting = deque(each if isinstance(each, exp.Lateral) else each.this for each in found if each is not None)
    while waiting:
        source = waiting.popleft()
        yield source
        if isinstance(source, exp.Subquery) and isinstance(source.this, exp.Table | exp.Subquery):
            waiting.append(source.this)
        waiting.extend(join.this for join in source.args.get("joins") or ())
