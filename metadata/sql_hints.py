"""Where the hints of a query stand: the parser tells places in them from the beginning of each hint."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import TYPE_CHECKING

from metadata.sql import DIALECT

if TYPE_CHECKING:
    from sqlglot import exp

_BEGIN = len("/*+")


def hints_of(sql: str, tree: exp.Query) -> Iterator[tuple[exp.Hint, int]]:
    """Each hint of a query, and the offset from which the places of its words are told.

    None at all where a query with a hint has no names that tell where it stands.
    """
    from sqlglot import TokenType, exp
    from sqlglot.dialects.dialect import Dialect

    if "/*+" not in sql:
        return
    tokens = [token for token in Dialect.get_or_raise(DIALECT).tokenize(sql) if token.token_type == TokenType.HINT]
    selects = [select for select in tree.find_all(exp.Select) if select.args.get("hint")]
    places = {place: select for select in selects if (place := _place(select)) is not None}
    if len(tokens) == len(selects) == len(places):
        for (_, select), token in zip(sorted(places.items(), key=itemgetter(0)), tokens, strict=True):
            yield select.args["hint"], token.start + _BEGIN


def _place(select: exp.Select) -> tuple[int, int] | None:
    """Where a query begins, as far as names tell, None where it has none; one around another comes first."""
    from sqlglot import exp

    parts = (each for name, value in select.args.items() if name != "with_" for each in _nodes(value))
    names = (name for part in parts for name in part.find_all(exp.Identifier) if not name.find_ancestor(exp.Hint))
    place = min((int(name.meta["start"]) for name in names if "start" in name.meta), default=None)
    return None if place is None else (place, select.depth)


def _nodes(value: object) -> list[exp.Expr]:
    from sqlglot import exp

    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, exp.Expr)]
