"""Where the columns of a query come from, through its CTEs and subqueries. What cannot be known is not said."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from metadata.sql import KEPT, parse_expression, read
from metadata.sql_scopes import alias_names, follow, left_out, star_in, starred

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

NOBODY_KNOWS = ""
"""The dataset of an origin that is there and cannot be known."""
EVERY = "*"
"""In the place of a column: every one that is not named, each from the one of its name."""


class How(IntEnum):
    """What is done to a column on its way, from nothing to most."""

    COPIED = 0
    COMPUTED = 1
    AGGREGATED = 2


class Origin(NamedTuple):
    """A column of a dataset that another one comes from."""

    dataset: str
    column: str
    how: How


class Known(NamedTuple):
    """Columns of a dataset, and whether it can have no others."""

    columns: tuple[str, ...]
    closed: bool

    def lacks(self, name: str) -> bool:
        """Whether a column is not among them, whatever its case."""
        return name.lower() not in {each.lower() for each in self.columns}


Origins = frozenset[Origin]
_LOST: Origins = frozenset({Origin(NOBODY_KNOWS, "", How.COPIED)})
Schemas = Mapping[str, Known | None]
"""What is known of the columns of each dataset by key; None: nothing."""


@dataclass(frozen=True)
class Sources:
    """Origins of each column that a query gives, in its order, and of what decides which rows it gives.

    Without an origin a column is made of none; one that cannot be known is of the dataset `NOBODY_KNOWS`.
    The column `EVERY` tells of all that are not named, and has the origin `EVERY` of the dataset they are copied from.
    """

    columns: tuple[tuple[str, Origins], ...] = ()
    rows: Origins = frozenset()


def sources_of(sql: str, schemas: Schemas) -> Sources:
    """Follow the columns of a query back. One that is refused tells nothing."""
    keys = {table.key for table in read(sql).tables}
    return _sources(sql, tuple(sorted((key, schemas.get(key)) for key in keys)))


@functools.lru_cache(maxsize=KEPT)
def _sources(sql: str, schemas: tuple[tuple[str, Known | None], ...]) -> Sources:
    tracer = _Tracer(dict(schemas))
    if not follow(sql, tracer.visit):
        return Sources()
    given = tracer.last
    columns = [(one.name, one.origins) for one in given.columns if one.name]
    if given.rest:
        columns.append((EVERY, frozenset({Origin(given.rest, EVERY, How.COPIED)})))
    told = {name.lower(): (name, origins) for name, origins in columns}
    return Sources(tuple(told.values()), frozenset(tracer.rows - _LOST))


def columns_in(text: str) -> tuple[str, ...]:
    """Columns that an expression over one dataset names, by first appearance; none of one that cannot be read."""
    from sqlglot import exp

    tree, _ = parse_expression(text)
    found = tree.find_all(exp.Column, bfs=False) if tree is not None else ()
    return tuple(dict.fromkeys(column.parts[0].name for column in found if not isinstance(column.this, exp.Star)))


class _Column(NamedTuple):
    """A column that a scope gives; without a name where the query does not say one."""

    name: str
    origins: Origins


@dataclass(frozen=True)
class _Given:
    """What a scope gives: columns in order, and the dataset whose further columns it passes on, if it is known."""

    columns: tuple[_Column, ...] = ()
    rest: str = ""
    open: bool = False
    """Whether there may be columns beyond those."""

    def find(self, name: str) -> Origins | None:
        """Origins of a column; None when it is not among those that are known."""
        return self._by_name.get(name)

    @functools.cached_property
    def _by_name(self) -> dict[str, Origins]:
        """By name in lower case; of several the first."""
        return {one.name.lower(): one.origins for one in reversed(self.columns)}

    def beyond(self, name: str) -> Origins:
        """Origins of a column that is not among those that are known."""
        return frozenset({Origin(self.rest, name, How.COPIED)}) if self.rest else _LOST


_UNKNOWN = _Given(open=True)


@dataclass
class _Tracer:
    """Goes through the scopes of a query, inner ones first, and keeps what each gives."""

    schemas: Schemas
    rows: set[Origin] = field(default_factory=set)
    last: _Given = _UNKNOWN
    _given: dict[int, _Given] = field(default_factory=dict)
    """By scope."""
    _of_node: dict[int, _Given] = field(default_factory=dict)
    """By the query that a scope is of: for those that stand in expressions."""

    def visit(self, scope: Scope) -> None:
        from sqlglot import exp

        node = scope.expression
        given = _UNKNOWN
        if isinstance(node, exp.SetOperation):
            given = _together(node, [self._given.get(id(side), _UNKNOWN) for side in scope.set_operation_scopes])
            if node.args.get("distinct"):
                self._all_decide(given)
        elif isinstance(node, exp.Select):
            given = self._select(scope, node)
        elif isinstance(node, exp.Subquery):
            inner = next(iter(scope.subquery_scopes or scope.derived_table_scopes), None)
            given = self._given.get(id(inner), _UNKNOWN)
        self.last = self._of_node[id(node)] = given
        self._given[id(scope)] = _named(given, alias_names(node.parent))

    def _select(self, scope: Scope, node: exp.Select) -> _Given:
        sources = self._sources(scope)
        given = self._outputs(scope, node, sources)
        named = {one.name.lower(): one.origins for one in given.columns if one.name}
        for part in _row_parts(node):
            self.rows.update(self._within(part, scope, sources, named))
        for name in _shared(node):
            self.rows.update(_of_all(name, sources))
        if node.args.get("distinct") is not None:
            self._all_decide(given)
        return given

    def _all_decide(self, given: _Given) -> None:
        """Of rows that are alike one is left: every column decides which."""
        for column in given.columns:
            self.rows.update(column.origins)

    def _sources(self, scope: Scope) -> dict[str, _Given]:
        """What each table gives that a scope selects from, by lower-case alias; generators last, for they read it."""
        found: dict[str, _Given] = {}
        for name, node in scope.references:
            source = scope.sources.get(name)
            found[name.lower()] = _UNKNOWN if source is None else self._source(node, source)
        for lateral in scope.expression.args.get("laterals") or ():
            alias = lateral.args.get("alias")
            origins = _at_least(How.COMPUTED, self._within(lateral.this, scope, dict(found)))
            names = tuple(column.name for column in (alias.columns if alias else ()))
            columns = tuple(_Column(name, origins) for name in names)
            found[alias.name.lower() if alias else ""] = _Given(columns, open=not names)
        return found

    def _source(self, node: Any, source: Any) -> _Given:
        from sqlglot import exp

        if node.args.get("pivots"):
            return _UNKNOWN
        if not isinstance(source, exp.Table):
            return self._given.get(id(source), _UNKNOWN)
        key = ".".join(part.name for part in source.parts).lower()
        known = self.schemas.get(key)
        columns = tuple(
            _Column(name, frozenset({Origin(key, name, How.COPIED)})) for name in (known.columns if known else ())
        )
        open_ = known is None or not known.closed
        given = _Given(columns, key if open_ else "", open_)
        return _named(given, alias_names(node))

    def _outputs(self, scope: Scope, node: exp.Select, sources: Mapping[str, _Given]) -> _Given:
        from sqlglot import exp

        columns: list[_Column] = []
        rests: list[str] = []
        open_ = False
        before: dict[str, Origins] = {}
        told = 0
        for each in node.expressions:
            before |= {one.name.lower(): one.origins for one in columns[told:] if one.name}
            told = len(columns)
            if (star := star_in(each)) is not None:
                if star.args.get("rename") or star.args.get("replace"):
                    return _UNKNOWN
                gone = left_out(star)
                for given in (sources.get(name, _UNKNOWN) for name in starred(each, node, sources)):
                    columns += [one for one in given.columns if one.name.lower() not in gone]
                    open_ = open_ or given.open
                    rests += [given.rest] if given.open else []
            elif isinstance(each, exp.Aliases):
                origins = _at_least(How.COMPUTED, self._within(each.this, scope, sources))
                columns += [_Column(alias.name, origins) for alias in each.args["expressions"]]
            else:
                value = each.unalias()
                origins = self._within(value, scope, sources, before)
                if not isinstance(value, exp.Column) or _is_field(value, sources):
                    origins = _at_least(How.COMPUTED, origins)
                columns.append(_Column(each.alias or _own_name(each), origins))
        rest = rests[0] if len(rests) == 1 else ""
        return _Given(tuple(columns), rest, open_)

    def _within(
        self, part: exp.Expr, scope: Scope, sources: Mapping[str, _Given], before: Mapping[str, Origins] | None = None
    ) -> Origins:
        """Origins of all columns in an expression, those that queries in it give among them."""
        from sqlglot import exp

        found: set[Origin] = set()
        waiting: list[tuple[exp.Expr, How]] = [(part, How.COPIED)]
        while waiting:
            node, how = waiting.pop()
            if isinstance(node, exp.Exists):
                continue  # what its query gives is of no interest, and what decides its rows was seen
            if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
                given = self._of_node.get(id(node), _UNKNOWN)
                found |= _LOST if given.open else frozenset()
                found |= {origin for one in given.columns for origin in _at_least(How.COMPUTED, one.origins)}
                continue
            if isinstance(node, exp.Column):
                if not isinstance(node.this, exp.Star):
                    found |= _at_least(how, self._resolve(node, scope, sources, before or {}))
                continue
            if isinstance(node, exp.AggFunc):
                how = How.AGGREGATED
            waiting += [(child, how) for child in node.iter_expressions()]
        return frozenset(found)

    def _resolve(
        self, column: exp.Column, scope: Scope, sources: Mapping[str, _Given], before: Mapping[str, Origins]
    ) -> Origins:
        from sqlglot import exp

        words = [part.name.lower() for part in column.parts]
        if len(words) > 1 and words[0] in sources:
            given = sources[words[0]]
            known = given.find(words[1])
            return given.beyond(column.parts[1].name) if known is None else known
        if isinstance(scope.expression, exp.Select) and words[0] in map(str.lower, _shared(scope.expression)):
            return _of_all(column.parts[0].name, sources)
        found = [origins for given in sources.values() if (origins := given.find(words[0])) is not None]
        if found:
            return frozenset[Origin]().union(*found)
        open_ = [given for given in sources.values() if given.open]
        if len(open_) == 1 and words[0] not in before:
            return open_[0].beyond(column.parts[0].name)
        if open_:
            return _LOST
        if words[0] in before:
            return before[words[0]]
        return self._resolve(column, scope.parent, self._sources(scope.parent), {}) if scope.parent else _LOST


def _row_parts(node: exp.Select) -> Iterator[exp.Expr]:
    """What decides which rows a SELECT gives."""
    cut = ("order",) if node.args.get("limit") is not None else ()
    for name in ("where", "group", "having", "qualify", "distinct", *cut):
        if (part := node.args.get(name)) is not None:
            yield part
    for join in node.args.get("joins") or ():
        if (condition := join.args.get("on")) is not None:
            yield condition


def _shared(node: exp.Select) -> list[str]:
    """Columns that joined tables share by name."""
    return [name.name for join in node.args.get("joins") or () for name in join.args.get("using") or ()]


def _of_all(name: str, sources: Mapping[str, _Given]) -> Origins:
    """Origins of a column that several tables have, all of them."""
    found = [given.find(name.lower()) for given in sources.values()]
    beyond = [given.beyond(name) for given, origins in zip(sources.values(), found, strict=True) if origins is None]
    return frozenset[Origin]().union(*(origins for origins in found if origins is not None), *beyond)


def _together(node: exp.SetOperation, sides: list[_Given]) -> _Given:
    """What the sides of a UNION give by place, or by name; nothing is known where one side's columns are not."""
    if not sides or any(side.open for side in sides):
        return _UNKNOWN
    first, *others = sides
    columns = list(first.columns)
    for side in others:
        if node.args.get("by_name"):
            columns = [
                one._replace(origins=one.origins | (side.find(one.name.lower()) or frozenset())) for one in columns
            ]
            columns += [one for one in side.columns if first.find(one.name.lower()) is None]
        elif len(side.columns) == len(columns):
            columns = [
                one._replace(origins=one.origins | other.origins)
                for one, other in zip(columns, side.columns, strict=True)
            ]
        else:
            return _UNKNOWN
    return _Given(tuple(columns))


def _named(given: _Given, names: tuple[str, ...]) -> _Given:
    if not names:
        return given
    if given.open or len(names) != len(given.columns):
        return _Given(tuple(_Column(name, _LOST) for name in names))
    return replace(
        given, columns=tuple(one._replace(name=name) for one, name in zip(given.columns, names, strict=True))
    )


def _at_least(how: How, origins: Iterable[Origin]) -> Origins:
    return frozenset(origin._replace(how=max(how, origin.how)) if origin.dataset else origin for origin in origins)


def _is_field(column: exp.Column, sources: Mapping[str, _Given]) -> bool:
    """Whether a column stands for a part of one, as in `address.city`."""
    return len(column.parts) > (2 if column.parts[0].name.lower() in sources else 1)


def _own_name(node: exp.Expr) -> str:
    from sqlglot import exp

    return node.name if isinstance(node, exp.Column | exp.Dot) else ""
