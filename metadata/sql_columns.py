"""Columns of a query: which it gives, and which it names that no table of its has. What cannot be known is not said."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metadata.findings import instead
from metadata.sql import KEPT, SqlProblem, parse_expression, read
from metadata.sql_scopes import alias_names, follow, left_out, star_in, starred

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

Columns = tuple[str, ...]
Schemas = Mapping[str, Columns | None]
"""Columns of each dataset by key; None: not known."""


@dataclass(frozen=True)
class Look:
    """What was found of a query: its output columns (None: not known), and what it names that is not there."""

    columns: Columns | None
    problems: tuple[SqlProblem, ...]


def columns_of(sql: str, schemas: Schemas) -> Columns | None:
    """Output columns of a query in order; None where they cannot be known."""
    return look(sql, schemas).columns


def look(sql: str, schemas: Schemas) -> Look:
    """Follow the columns of a query. A query that is refused anyway gives nothing."""
    keys = {table.key for table in read(sql).tables}
    return _look(sql, tuple(sorted((key, schemas.get(key)) for key in keys)))


@functools.lru_cache(maxsize=KEPT)
def _look(sql: str, schemas: tuple[tuple[str, Columns | None], ...]) -> Look:
    follower = _Follower(dict(schemas))
    if not follow(sql, follower.visit):
        return Look(None, ())
    return Look(follower.last, tuple(dict.fromkeys(follower.problems)))


def expression_problems(text: str, columns: Columns) -> Iterator[SqlProblem]:
    """Columns that an expression names and a dataset with just these columns does not have."""
    from sqlglot import exp

    tree, _ = parse_expression(text)
    known = {name.lower() for name in columns}
    for column in tree.find_all(exp.Column) if tree is not None else ():
        words = [part.name.lower() for part in column.parts]
        if words[0] not in known and not isinstance(column.this, exp.Star):
            yield SqlProblem(f"there is no column {column.parts[0].name}", instead(words[0], columns))


class _Follower:
    """Goes through the scopes of a query, inner ones first, and keeps what each gives."""

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas
        self.given: dict[int, Columns | None] = {}
        self.last: Columns | None = None
        self.problems: list[SqlProblem] = []

    def visit(self, scope: Scope) -> None:
        from sqlglot import exp

        node = scope.expression
        given: Columns | None = None
        if isinstance(node, exp.SetOperation):
            sides = scope.set_operation_scopes
            given = self.given.get(id(sides[0])) if sides else None
        elif isinstance(node, exp.Select):
            self._check(scope, node)
            given = self._outputs(scope, node)
        elif isinstance(node, exp.Subquery):
            inner = next(iter(scope.subquery_scopes or scope.derived_table_scopes), None)
            given = self.given.get(id(inner)) if inner is not None else None
        self.last = given
        self.given[id(scope)] = alias_names(node.parent) or given

    def _sources(self, scope: Scope) -> dict[str, Columns | None]:
        """Columns of each table that a scope selects from, by lower-case alias."""
        found: dict[str, Columns | None] = {}
        for name, node in scope.references:
            source = scope.sources.get(name)
            found[name.lower()] = None if source is None else self._columns(node, source)
        for lateral in scope.expression.args.get("laterals") or ():
            alias = lateral.args.get("alias")
            names = tuple(column.name for column in (alias.columns if alias else ()))
            found[alias.name.lower() if alias else ""] = names or None
        return found

    def _columns(self, node: Any, source: Any) -> Columns | None:
        from sqlglot import exp

        if node.args.get("pivots"):
            return None
        if not isinstance(source, exp.Table):
            return self.given.get(id(source))
        return alias_names(node) or self.schemas.get(".".join(part.name for part in source.parts).lower())

    def _visible(self, scope: Scope) -> dict[str, Columns | None]:
        found: dict[str, Columns | None] = {}
        around: Scope | None = scope
        while around is not None:
            found = {**self._sources(around), **found}
            around = around.parent
        return found

    def _check(self, scope: Scope, node: exp.Select) -> None:
        from sqlglot import exp

        sources = self._visible(scope)
        closed = not any(columns is None for columns in sources.values())
        known = {name: {column.lower() for column in columns or ()} for name, columns in sources.items()}
        everything, given = set[str]().union(*known.values()), _given_in(node)
        for column in scope.find_all(exp.Column):
            if isinstance(column.this, exp.Star) or _within_pivot(column):
                continue
            words = [part.name.lower() for part in column.parts]
            if len(words) > 1 and words[0] in sources:
                columns = sources[words[0]]
                if columns is not None and words[1] not in known[words[0]]:
                    self._unknown(f"{column.parts[0].name}.{column.parts[1].name}", columns, words[1])
            elif not closed or words[0] in everything:
                continue
            elif _is_given(given, node, column, words[0]):
                if words[0] != "all" and (around := _blind(column)):
                    cause = f"{column.parts[0].name} is given in this SELECT, and Spark does not see it within {around}"
                    self.problems.append(SqlProblem(cause, "write what it stands for, or give it in a query inside"))
            elif len(words) == 1:
                self._unknown(column.name, sorted(everything))
            else:
                cause = f"there is no table {column.parts[0].name} in the query"
                self.problems.append(SqlProblem(cause, instead(words[0], sources)))

    def _unknown(self, shown: str, columns: Any, word: str | None = None) -> None:
        self.problems.append(SqlProblem(f"there is no column {shown}", instead((word or shown).lower(), columns)))

    def _outputs(self, scope: Scope, node: exp.Select) -> Columns | None:
        from sqlglot import exp

        sources = self._sources(scope)
        found: list[str] = []
        for each in node.expressions:
            if (star := star_in(each)) is not None:
                if star.args.get("rename") or star.args.get("replace"):
                    return None
                gone = left_out(star)
                for name in starred(each, node, sources):
                    columns = sources.get(name)
                    if columns is None:
                        return None
                    found += [column for column in columns if column.lower() not in gone]
            elif isinstance(each, exp.Aliases):
                found += [alias.name for alias in each.args["expressions"]]
            elif each.alias or isinstance(each, exp.Column | exp.Dot):
                found.append(each.alias or each.name)
            else:
                return None
        return tuple({name.lower(): name for name in found}.values())


def _given_in(node: exp.Select) -> dict[str, int]:
    """Names given in a SELECT, in lower case, by the place at which each is given first."""
    found: dict[str, int] = {"all": -1}
    for place, each in enumerate(node.expressions):
        for name in _names(each):
            found.setdefault(name.lower(), place)
    return found


def _is_given(given: Mapping[str, int], node: exp.Select, column: exp.Column, name: str) -> bool:
    """Whether a column of a SELECT can mean a name given in it: what is selected sees those before it, rows see none.

    Whatever comes after them, such as HAVING and ORDER BY, sees all.
    """
    step: Any = column
    while step.parent is not None and step.parent is not node:
        step = step.parent
    if name not in given or step.arg_key in ("from_", "joins", "laterals", "where"):
        return False
    return step.arg_key != "expressions" or bool(given[name] < step.index)


def _blind(column: exp.Column) -> str:
    """What of a SELECT list a column stands within where Spark sees no name given in the same SELECT; empty for none.

    See LATERAL_COLUMN_ALIAS_IN_AGGREGATE_FUNC and LATERAL_COLUMN_ALIAS_IN_WINDOW in
    https://spark.apache.org/docs/latest/sql-error-conditions-unsupported-feature-error-class.html
    """
    from sqlglot import exp

    step: Any = column
    found = ""
    while step.parent is not None and not isinstance(step.parent, exp.Select):
        step = step.parent
        if isinstance(step, exp.AggFunc | exp.Window):
            found = found or ("a window" if isinstance(step, exp.Window) else "an aggregate")
    return found if step.arg_key == "expressions" else ""


def _names(each: exp.Expr) -> list[str]:
    from sqlglot import exp

    return [alias.name for alias in each.args["expressions"]] if isinstance(each, exp.Aliases) else [each.alias]


def _within_pivot(column: Any) -> bool:
    from sqlglot import exp

    return isinstance(column.find_ancestor(exp.Pivot, exp.Select), exp.Pivot)
