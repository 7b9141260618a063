"""Ways through the scopes of a query that all who follow its columns take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from metadata.sql import parse_query, read

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope


def follow(sql: str, visit: Callable[[Scope], None]) -> bool:
    """Visit the scopes of a query, inner ones first. Whether that went to its end: it does not where it is refused."""
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.scope import traverse_scope

    tree, _ = parse_query(sql)
    if tree is None or read(sql).problems:
        return False
    try:
        for scope in traverse_scope(tree.copy()):
            visit(scope)
    except (SqlglotError, RecursionError):
        return False
    return True


def star_in(each: exp.Expr) -> exp.Expr | None:
    """The star that is selected, alone or of one table."""
    from sqlglot import exp

    if isinstance(each, exp.Column):
        each = each.this
    return each if isinstance(each, exp.Star) else None


def starred(each: exp.Expr, node: exp.Select, sources: Iterable[str]) -> list[str]:
    """Aliases of the tables that a star tells of: its own, or all but those which are only looked up in."""
    from sqlglot import exp

    if isinstance(each, exp.Column):
        return [each.table.lower()]
    hidden = {
        join.this.alias_or_name.lower()
        for join in node.args.get("joins") or ()
        if join.kind in ("SEMI", "ANTI") or join.side in ("SEMI", "ANTI")
    }
    return [name for name in sources if name not in hidden]


def left_out(star: exp.Expr) -> set[str]:
    """Columns that a star leaves out, in lower case."""
    return {item.name.lower() for item in star.args.get("except_") or ()}


def alias_names(node: Any) -> tuple[str, ...]:
    """Names that an alias gives to columns, as in `AS t(a, b)`."""
    alias = node.args.get("alias") if node is not None else None
    return tuple(column.name for column in alias.columns) if alias is not None and hasattr(alias, "columns") else ()
