"""SQL that names datasets by key: which tables a query reads, what it must not do, how names become relations.

Nobody's SQL is written anew: table names are tokens with offsets, and only those tokens are replaced.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import traverse_scope

from metadata.errors import UsageError
from metadata.plan import Query, TableToken

REFUSED_FUNCTIONS = frozenset({"reflect", "java_method", "try_reflect", "identifier", "read_files"})


def table_keys(sql: str) -> tuple[str, ...]:
    """Keys of the datasets that `sql` reads, in order of appearance, without its own CTEs; empty if unreadable."""
    try:
        return tuple(dict.fromkeys(token.dataset for token in compile_query(sql).tokens))
    except UsageError:
        return ()


@functools.lru_cache(maxsize=4096)
def compile_query(sql: str) -> Query:
    """The query with the places of its table names. Raises UsageError PH130 when it is unsafe or no single query."""
    wrong = findings(sql)
    if wrong:
        raise UsageError("PH130", "SQL", wrong[0], "write one SELECT over datasets by key")
    tokens = sorted((_token(table) for table in _tables(_tree(sql))), key=lambda token: token.start)
    return Query(sql=sql, tokens=tuple(tokens))


def render(query: Query, relations: Mapping[str, str]) -> str:
    """The SQL with each table name replaced by its relation, aliased by its last part where it had no alias."""
    text, parts, at = query.sql, [], 0
    for token in query.tokens:
        alias = f" AS `{token.alias}`" if token.alias else ""
        parts += [text[at : token.start], relations[token.dataset], alias]
        at = token.end
    return "".join([*parts, text[at:]])


def findings(sql: str) -> list[str]:
    """What is wrong with a query, in words; empty when it is one read-only query over dataset keys."""
    try:
        trees = parse(sql, read="spark")
    except (SqlglotError, RecursionError) as error:
        return [f"it is no Spark SQL: {str(error).splitlines()[0]}"]
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        return ["it is to be one SELECT and nothing else"]
    tree = trees[0]
    wrong = []
    for node in tree.walk():
        if isinstance(node, exp.QueryTransform):
            wrong.append("TRANSFORM … USING would run a command")
        elif isinstance(node, exp.Anonymous) and node.name.lower() in REFUSED_FUNCTIONS:
            wrong.append(f"the function {node.name} is not allowed")
        elif isinstance(node, exp.DML | exp.DDL) and not isinstance(node, exp.Query):
            wrong.append(f"{node.key.upper()} would write")
        elif isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
            wrong.append(f"{node.sql(dialect='spark')} is no dataset")
        elif isinstance(node, exp.Table) and node.catalog:
            wrong.append(f"{node.sql(dialect='spark')} has more than two parts")
    return wrong


def _tree(sql: str) -> exp.Query:
    tree = parse(sql, read="spark")[0]
    assert isinstance(tree, exp.Query)  # noqa: S101 - findings() said so
    return tree


def _tables(tree: exp.Query) -> list[exp.Table]:
    found: dict[int, exp.Table] = {}
    for scope in traverse_scope(tree):
        for source in scope.tables:
            if source.db or source.name not in scope.cte_sources:
                found[id(source)] = source
    return list(found.values())


def _token(table: exp.Table) -> TableToken:
    first = table.args.get("db") or table.this
    key = f"{table.db}.{table.name}" if table.db else table.name
    return TableToken(
        start=first.meta["start"],
        end=table.this.meta["end"] + 1,
        dataset=key,
        alias=None if table.alias else table.name,
    )
