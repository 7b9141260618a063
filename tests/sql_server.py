"""Whether SQL Server takes a statement: compiled for its dialect, parsed, and held against what it lacks.

No server and no driver is needed. Whatever any test executes on SQLite through the metadata tables is looked at, once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import sqlglot
from sqlalchemy import Connection, event
from sqlalchemy.dialects import mssql
from sqlalchemy.engine import CursorResult, Engine
from sqlalchemy.sql import ClauseElement, visitors
from sqlglot import exp

from metadata import definitions

DIALECT = mssql.dialect(deprecate_large_types=True, paramstyle="named")  # type: ignore[no-untyped-call]
"""As SQLAlchemy finds a server of our time: VARCHAR(max), and no TEXT."""
MOST_PARAMETERS = 2_000
"""It takes 2,100, and some of them are the driver's own."""
FUNCTIONS = (exp.And, exp.Or, exp.Case, exp.If, exp.Cast, exp.Coalesce, exp.Collate, exp.Exists, exp.RowNumber,
             exp.Count, exp.Max, exp.Min, exp.Sum, exp.Lower, exp.Upper, exp.StrPosition, exp.OpenJSON)  # fmt: skip
WORDS = re.compile(
    r"\b(ILIKE|RETURNING|ON CONFLICT|LIMIT|RECURSIVE|FOR UPDATE|USING|NULLS (FIRST|LAST)|IS (NOT )?(TRUE|FALSE|0|1))\b"
    r"|\|\||::"
)
_VALUES = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Exists, exp.Between, exp.Like)
_PREDICATES = (*_VALUES, exp.And, exp.Or, exp.Not, exp.Escape)
_PLACES = (exp.Where, exp.Having, exp.Join, exp.And, exp.Or, exp.Not, exp.If, exp.Escape)
"""Where a predicate may stand: it is no value there, and a value is none."""


def compiled(statement: ClauseElement, column_keys: list[str] | None = None) -> str:
    """The text for SQL Server. Raises CompileError for what there is no text for."""
    keys: dict[str, Any] = {"column_keys": column_keys} if column_keys is not None else {}
    return str(statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True}, **keys))


def lacks(text: str) -> Iterator[str]:
    """What SQL Server does not take in a query or a change of rows."""
    yield from (f"the word {match[0]}" for match in WORDS.finditer(re.sub(r"'[^']*'", "''", text)))
    if text.count(":") > MOST_PARAMETERS:
        yield "too many parameters"
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        tree = sqlglot.parse_one(re.sub(r":(\w+)", r":of_\1", text), read="tsql")
    except sqlglot.ParseError as error:
        yield f"it cannot be parsed: {str(error).splitlines()[0]}"
        return
    for node in tree.walk():
        yield from _lacks_at(node)


def _lacks_at(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.Func) and not isinstance(node, FUNCTIONS):
        yield f"the function {node.sql()}"
    if isinstance(node, _PREDICATES) and not _may_stand(node):
        yield f"a condition as a value: {node.sql()}"
    if isinstance(node, _PLACES) and not (isinstance(node, exp.Join | exp.Escape) or _of_values(node)):
        operands = [node.this, node.expression] if isinstance(node, exp.Connector) else [node.this]
        yield from (
            f"a value as a condition: {one.sql()}" for one in operands if not isinstance(_bare(one), _PREDICATES)
        )
    if isinstance(node, exp.Tuple) and isinstance(node.parent, _VALUES) and node.arg_key == "this":
        yield f"a row as a value: {node.sql()}"
    if isinstance(node, exp.Select) and node.args.get("distinct") and node.args.get("order"):
        shown = {one.sql() for one in node.expressions}
        yield from (f"DISTINCT ordered by {each.this.sql()}" for each in node.args["order"].expressions
                    if each.this.sql() not in shown)  # fmt: skip
    if isinstance(node, exp.Group) and node.find(exp.Placeholder, exp.Parameter):
        yield f"grouped by a parameter: {node.sql()}"


def _bare(node: Any) -> Any:
    return node.unnest() if isinstance(node, exp.Paren) else node


def _of_values(node: exp.Expression | None) -> bool:
    """Whether it is a branch of CASE x WHEN y, where values are compared."""
    return isinstance(node, exp.If) and isinstance(node.parent, exp.Case) and node.parent.this is not None


def _may_stand(node: exp.Expression) -> bool:
    below, above = node, node.parent
    while isinstance(above, exp.Paren):
        below, above = above, above.parent
    if isinstance(above, exp.If):
        return below.arg_key == "this" and not _of_values(above)
    return isinstance(above, _PLACES) or (isinstance(above, exp.Update) and isinstance(node, exp.EQ))


class Watch:
    """What tests execute, each statement once; what SQL Server would not take is kept until it is told."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._found: list[str] = []
        event.listen(Engine, "before_cursor_execute", self._look)
        event.listen(Engine, "after_cursor_execute", self._opened)
        read_out = CursorResult._soft_close  # no event tells it

        def closed(result: CursorResult[Any], hard: bool = False) -> None:
            if result.dialect.name == "sqlite":
                _open_on(result.connection).discard(result.context)
            read_out(result, hard)

        CursorResult._soft_close = closed  # type: ignore[method-assign]

    def told(self) -> list[str]:
        """What was found since it was told last."""
        found, self._found = self._found, []
        return found

    def _look(
        self, connection: Connection, _cursor: Any, text: str, _parameters: Any, context: Any, _many: bool
    ) -> None:
        if connection.dialect.name != "sqlite":
            return
        self._found += [f"{text}\nwhile rows are to be read of\n{each.statement}" for each in _open_on(connection)]
        if text in self._seen:
            return
        self._seen.add(text)
        made = getattr(context, "compiled", None)
        if made is None or made.statement is None or not _is_ours(made.statement):
            return
        try:
            sql = compiled(made.statement, made.column_keys)
        except Exception as error:  # whatever the dialect says
            self._found.append(f"{error}\n{text}")
            return
        self._found += [f"{lack}\n{sql}" for lack in lacks(sql)]

    def _opened(
        self, connection: Connection, cursor: Any, _text: str, _parameters: Any, context: Any, _many: bool
    ) -> None:
        if connection.dialect.name == "sqlite" and cursor.description is not None:
            _open_on(connection).add(context)


def _open_on(connection: Connection) -> WeakSet[Any]:
    """What was asked on a connection, and is not read to its end: SQL Server lets one do nothing else there."""
    found: WeakSet[Any] = connection.info.setdefault("open", WeakSet())
    return found


def _is_ours(statement: ClauseElement) -> bool:
    """Whether it reads or changes rows of our tables; those of sources are not ours, and tables come by migrations."""
    names = {each.name for each in visitors.iterate(statement) if each.__visit_name__ == "table"}  # type: ignore[attr-defined]
    kinds = ("select", "insert", "update", "delete", "compound_select")
    return statement.__visit_name__ in kinds and bool(names) and names <= set(definitions.definition.metadata.tables)
