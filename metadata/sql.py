"""SQL that names datasets by key: which tables a query reads, and what it must not do.

Everything here is by the text alone. What is read of a text is kept by the text itself, so that compiling again
parses nothing. A text that cannot be read, or could be read in two ways, is refused.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from metadata.errors import PilothouseError
from metadata.sql_lexer import Lexed, UnreadableError, lex

if TYPE_CHECKING:
    from sqlglot import Token, exp

    from metadata.plan import Query

DIALECT = "spark"
KEPT = 20_000
"""Texts whose reading is kept."""
_TREES = 64
"""Texts whose trees are kept: they are large."""

REFUSED_FUNCTIONS = frozenset(
    {
        *("reflect", "try_reflect", "java_method", "identifier", "read_files", "cloud_files", "read_kafka"),
        *("read_kinesis", "read_pubsub", "read_pulsar", "read_statestore", "read_state_metadata", "event_log"),
        *("table_changes", "secret", "try_secret", "list_secrets", "http_request", "remote_query", "ai_query"),
        "vector_search",
    }
)
"""Functions that run code, or read or reach what is no dataset."""

GENERATORS = frozenset(
    {
        *("explode", "explode_outer", "posexplode", "posexplode_outer", "inline", "inline_outer", "stack"),
        *("json_tuple", "variant_explode"),
    }
)
"""Functions that may stand in LATERAL: they make rows of values, and read nothing."""

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # what it cannot read is said by us

_WRITE_SELECT = "write one SELECT over datasets by key"


@dataclass(frozen=True)
class SqlProblem:
    """Why a SQL text is refused, and what to write instead. `line` counts from 1."""

    cause: str
    remedy: str = _WRITE_SELECT
    line: int = 1

    def __str__(self) -> str:
        return self.cause


class Table(NamedTuple):
    """A dataset where a query names it: `sql[start:end]`."""

    start: int
    end: int
    key: str
    alias: str | None


@dataclass(frozen=True)
class Reading:
    """What was read of one text."""

    tables: tuple[Table, ...]
    problems: tuple[SqlProblem, ...]
    parameters: tuple[str, ...] = ()


def table_keys(sql: str) -> tuple[str, ...]:
    """Keys of the datasets that `sql` reads, by first appearance, without its own CTEs; empty when it is refused."""
    reading = read(sql)
    return () if reading.problems else tuple(dict.fromkeys(table.key for table in reading.tables))


def findings(sql: str) -> tuple[SqlProblem, ...]:
    """Why a query is refused; empty when it is one query over datasets by key and its own CTEs."""
    return read(sql).problems


def parameters_of(sql: str) -> tuple[str, ...]:
    """Names of the parameters (`:name`) that a query or an expression uses."""
    return read(sql).parameters


@functools.lru_cache(maxsize=KEPT)
def compile_query(sql: str) -> Query:
    """The query with its tables as slots. Raises PilothouseError PH140 for a text that is refused."""
    from metadata.plan import Query, TableToken  # the plan knows the task kinds, which know this module

    reading = read(sql)
    if reading.problems:
        first = reading.problems[0]
        raise PilothouseError("PH140", f"SQL (line {first.line})", first.cause, first.remedy, detail=sql)
    tokens = (TableToken(start=it.start, end=it.end, dataset=it.key, alias=it.alias) for it in reading.tables)
    return Query(sql=sql, tokens=tuple(tokens))


def render(query: Query, relations: Mapping[str, str]) -> str:
    """The text with every dataset replaced by its relation. Raises KeyError for a dataset that has none."""
    parts: list[str] = []
    position = 0
    for token in sorted(query.tokens, key=lambda each: each.start):
        parts.append(query.sql[position : token.start])
        parts.append(relations[token.dataset])
        if token.alias is not None:
            parts.append(f" AS {quoted(token.alias)}")
        position = token.end
    return "".join([*parts, query.sql[position:]])


def quoted(name: str) -> str:
    """A name in backticks."""
    return "`" + name.replace("`", "``") + "`"


@functools.lru_cache(maxsize=KEPT)
def expression_findings(text: str) -> tuple[SqlProblem, ...]:
    """Why an expression over the columns of one dataset (a predicate, a feature, a label) is refused."""
    tree, problems = parse_expression(text)
    if tree is None:
        return problems
    from sqlglot import exp

    found = list(problems)
    if tree.find(exp.Query, exp.Subquery, exp.Table) is not None:
        found.append(SqlProblem("an expression holds a query", "compute it in a transform, and name its column here"))
    if isinstance(tree, exp.Star):
        found.append(SqlProblem("* is no expression", "name a column"))
    found += [
        SqlProblem(f"{node.sql(DIALECT)} stands in an expression", "parameters belong in a query")
        for node in tree.find_all(exp.Placeholder, exp.Parameter)
    ]
    return tuple(found)


@functools.lru_cache(maxsize=_TREES)
def parse_expression(text: str) -> tuple[exp.Expr | None, tuple[SqlProblem, ...]]:
    """The tree of one expression, and what stands against its words; no tree when it cannot be read."""
    from sqlglot import exp
    from sqlglot.dialects.dialect import Dialect

    remedy = "write one Spark SQL expression over the dataset's columns"
    try:
        lexed = lex(text)
        dialect = Dialect.get_or_raise(DIALECT)
        tokens = dialect.tokenize(text)
        if lexed.comments:
            return None, (SqlProblem("an expression holds a comment", "put it in the description"),)
        problems = (*_word_problems(text, lexed, tokens), *_table_words(text, tokens))
        trees = dialect.parser().parse_into(exp.Condition, tokens, text)
    except UnreadableError as error:
        return None, (SqlProblem(str(error), remedy),)
    except Exception as error:  # noqa: BLE001 - the parser raises whatever its builders of functions do
        return None, (SqlProblem(_plain(error), remedy),)
    if len(trees) != 1 or trees[0] is None:
        return None, (SqlProblem("it is no single expression", remedy),)
    return trees[0], problems


@functools.lru_cache(maxsize=KEPT)
def read(sql: str) -> Reading:
    """Parse a query and look at all that it reads and calls."""
    tree, problems = parse_query(sql)
    if tree is None:
        return Reading((), problems)
    from sqlglot import exp

    found = list(_shape_problems(tree, sql))
    tables, more = _tables(tree, sql)
    found += [*more, *_name_problems(tree, tables)]
    parameters = dict.fromkeys(str(node.this) for node in tree.find_all(exp.Placeholder) if node.this)
    return Reading(tuple(sorted(tables)), tuple(dict.fromkeys(found)), tuple(parameters))


def joins(sql: str) -> bool:
    """Whether a query joins what it reads, anywhere in it; False for one that cannot be read."""
    from sqlglot import exp

    tree, _ = parse_query(sql)
    return tree is not None and tree.find(exp.Join) is not None


@functools.lru_cache(maxsize=_TREES)
def parse_query(sql: str) -> tuple[exp.Query | None, tuple[SqlProblem, ...]]:
    """The tree of one query, which nobody may change, or why there is none."""
    from sqlglot import TokenType, errors, exp
    from sqlglot.dialects.dialect import Dialect

    try:
        lexed = lex(sql)
        dialect = Dialect.get_or_raise(DIALECT)
        tokens = dialect.tokenize(sql)
        for token in (each for each in tokens if each.token_type != TokenType.HINT):  # what that says is its comment
            token.comments.clear()  # else they would be told with the words that they stand beside
        problems = _word_problems(sql, lexed, tokens)
        if problems:
            return None, problems
        trees = [tree for tree in dialect.parser().parse(tokens, sql) if tree is not None]
    except UnreadableError as error:
        return None, (SqlProblem(str(error), line=sql.count("\n", 0, error.offset) + 1),)
    except errors.ParseError as error:
        line = int((error.errors or [{}])[0].get("line") or 1)
        return None, (SqlProblem(_plain(error), "mend the SQL", line),)
    except Exception as error:  # noqa: BLE001 - as above
        return None, (SqlProblem(_plain(error), "mend the SQL"),)
    if not trees:
        return None, (SqlProblem("there is no query"),)
    if any(token.token_type == TokenType.SEMICOLON for token in tokens):
        return None, (SqlProblem("a semicolon ends it", "write one query, without a semicolon"),)
    if len(trees) > 1 or not isinstance(trees[0], exp.Query):
        return None, (SqlProblem(f"it is no query but {trees[0].key.upper()}"),)
    problems = _table_words(sql, tokens)
    return (None, problems) if problems else (trees[0], ())


def _word_problems(sql: str, lexed: Lexed, tokens: list[Token]) -> tuple[SqlProblem, ...]:
    """What the words alone say, wherever they stand in the text."""
    from sqlglot import TokenType

    spans = []
    for token in tokens:
        text = sql[token.start : token.end + 1]
        if text and text[-1] in "'\"`" and len(text) > 1:
            spans.append((token.start + (text[0] not in "'\"`"), token.end + 1))
    if tuple(spans) != lexed.quoted:
        return (SqlProblem("its quotes can be read in two ways", "write plain strings in single quotes"),)
    found: list[SqlProblem] = []
    for index, token in enumerate(tokens):
        word, line = token.text.lower(), sql.count("\n", 0, token.start) + 1
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if following and following.token_type == TokenType.L_PAREN and word in REFUSED_FUNCTIONS:
            remedy = "leave it out: queries and expressions only read datasets"
            found.append(SqlProblem(f"the function {word} is refused: it reaches beyond the datasets", remedy, line))
        if following and word == "using" and sql[following.start] in "'\"rR" and sql[following.end] in "'\"":
            found.append(SqlProblem("TRANSFORM … USING runs a command on the server", line=line))
        written = sql[token.start : token.end + 1]
        if not written.isascii() and written[-1] not in "'\"`":
            found.append(SqlProblem(f"Spark reads the name {written} in backticks only", f"write `{written}`", line))
        if token.token_type == TokenType.PLACEHOLDER:
            found.append(SqlProblem("? is no parameter here", "name parameters, as in :name", line))
    return tuple(found)


def _table_words(sql: str, tokens: list[Token]) -> tuple[SqlProblem, ...]:
    """The word TABLE: Spark reads `(TABLE x)` as a query, where our parser sees a column and its alias."""
    from sqlglot import TokenType

    remedy = "write SELECT * FROM it; a column of that name stands in backticks"
    return tuple(
        SqlProblem("TABLE reads a table without naming it as a dataset", remedy, sql.count("\n", 0, token.start) + 1)
        for before, token in zip([None, *tokens], tokens, strict=False)
        if token.token_type == TokenType.TABLE and not (before and before.token_type == TokenType.DOT)
    )


def _shape_problems(tree: exp.Query, sql: str) -> Iterator[SqlProblem]:
    from sqlglot import exp

    for node in tree.find_all(exp.QueryTransform, exp.Command, exp.DML, exp.DDL, exp.Into, exp.Lock):
        if not isinstance(node, exp.Query):
            word = "TRANSFORM … USING" if isinstance(node, exp.QueryTransform) else node.key.upper()
            yield SqlProblem(f"{word} is refused within a query")
    for node in tree.find_all(exp.From, exp.Join):
        source = node.this
        if not isinstance(source, exp.Table | exp.Subquery | exp.Values | exp.Lateral):
            yield SqlProblem(f"{source.sql(DIALECT)[:60]!r} is no dataset")
    for lateral in tree.find_all(exp.Lateral):
        call = lateral.this
        name = _function(call)
        if not isinstance(call, exp.Subquery) and name not in GENERATORS:
            yield SqlProblem(f"the table function {name or call.sql(DIALECT)[:60]} is refused")
    for dot in tree.find_all(exp.Dot):
        if isinstance(dot.expression, exp.Func):
            yield SqlProblem(f"the function {dot.sql(DIALECT)[:60]} is of a catalog", "call built-in functions only")
    for variable in tree.find_all(exp.Parameter, exp.SessionParameter):
        yield SqlProblem(f"{variable.sql(DIALECT)} is no parameter here", "name parameters, as in :name")


def _function(call: Any) -> str:
    from sqlglot import exp

    if isinstance(call, exp.Anonymous):
        return str(call.name).lower()
    return str(call.sql_name()).lower() if isinstance(call, exp.Func) else ""


def _tables(tree: exp.Query, sql: str) -> tuple[list[Table], list[SqlProblem]]:
    """Every table that is none of the CTEs in whose scope it stands."""
    from sqlglot import exp

    tables: list[Table] = []
    problems: list[SqlProblem] = []
    waiting: list[tuple[exp.Expr, frozenset[str]]] = [(tree, frozenset())]
    while waiting:
        node, known = waiting.pop()
        if isinstance(node, exp.Hint):
            continue
        clause = node.args.get("with_")
        if clause is not None:
            everything = frozenset(cte.alias.lower() for cte in clause.expressions)
            earlier: frozenset[str] = known - everything if clause.args.get("recursive") else known
            for cte in clause.expressions:
                own = {cte.alias.lower()} if clause.args.get("recursive") else set()
                waiting.append((cte.this, earlier | own))
                earlier = earlier | {cte.alias.lower()}
            if len(everything) != len(clause.expressions):
                problems.append(SqlProblem("two of its CTEs have one name", "give each its own"))
            known = known | everything
        if isinstance(node, exp.Table):
            parts = node.parts
            if not (len(parts) == 1 and parts[0].name.lower() in known):
                table = _table(node, sql, problems)
                if table:
                    tables.append(table)
            elif set(_said(node)) - _PLAIN - {"sample"}:
                problems.append(SqlProblem(f"{parts[0].name} is a CTE, and is only named"))
        for name, value in node.args.items():
            if name != "with_":
                children = value if isinstance(value, list) else [value]
                waiting += [(child, known) for child in children if isinstance(child, exp.Expr)]
    return tables, problems


_PLAIN = {"this", "db", "catalog", "alias", "joins", "pivots", "laterals"}


def _said(node: exp.Expr) -> Iterator[str]:
    return (name for name, value in node.args.items() if value)


def _table(node: exp.Table, sql: str, problems: list[SqlProblem]) -> Table | None:
    from sqlglot import exp

    parts = [part for part in node.parts if isinstance(part, exp.Identifier)]
    line = sql.count("\n", 0, parts[0].meta.get("start", 0)) + 1 if parts else 1
    shown = node.sql(DIALECT)[:80]
    if len(parts) != len(node.parts) or any("start" not in part.meta for part in parts):
        problems.append(SqlProblem(f"{shown} is no dataset: table functions are refused", line=line))
        return None
    key = ".".join(part.name for part in parts)
    if any(character in key for character in "/\\:`'\" "):
        problems.append(SqlProblem(f"{shown} names a path, not a dataset", line=line))
        return None
    more = set(_said(node)) - _PLAIN
    if more:
        what = {"version": "a version", "sample": "a sample", "when": "a version"}.get(min(more), min(more))
        problems.append(SqlProblem(f"{key} is read with {what}", "name the dataset alone", line))
        return None
    alias = node.args.get("alias")
    if alias is not None and not isinstance(alias.this, exp.Identifier):
        problems.append(SqlProblem(f"{shown} has an alias that is no name", line=line))
        return None
    start, end = parts[0].meta["start"], parts[-1].meta["end"] + 1
    return Table(start, end, key.lower(), None if alias is not None else parts[-1].name)


def _name_problems(tree: exp.Query, tables: list[Table]) -> Iterator[SqlProblem]:
    """Columns written as dataset.column, which no longer name anything once a relation stands there."""
    from sqlglot import exp

    keys = {table.key for table in tables}
    for column in tree.find_all(exp.Column):
        words = [part.name.lower() for part in column.parts]
        for length in range(2, len(words)):
            key = ".".join(words[:length])
            if key in keys:
                rest = ".".join(words[length - 1 :])
                yield SqlProblem(f"the column {column.sql(DIALECT)} names its dataset in full", f"write {rest}")
    for select in tree.find_all(exp.Select):
        sources = [select.args.get("from_"), *(select.args.get("joins") or ())]
        names = [source.this.alias_or_name.lower() for source in sources if source is not None and source.this]
        for name in sorted({name for name in names if name and names.count(name) > 1}):
            yield SqlProblem(f"two of its tables are called {name}", "give them aliases")


def _plain(error: Exception) -> str:
    from sqlglot.errors import SqlglotError

    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if not isinstance(error, SqlglotError):
        return "it is no Spark SQL: a function in it has not the arguments that it takes"
    details = getattr(error, "errors", None)
    text = str(details[0].get("description") if details else error).strip().rstrip(".")
    near = str(details[0].get("highlight") or "") if details else ""
    return f"it is no Spark SQL: {text}" + (f" near {near!r}" if near else "")
