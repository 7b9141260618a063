"""The one language of filters: `state:failed pipeline:flights,weather !tag:test rows:>1000 some words /bronze.*`.

Words are joined by AND; the values of one word, separated by commas, by OR; `!` negates; quotes keep spaces together.
`field:value` matches a field, `field:` what has no value in it, `field:*` what has one; `*` stands for any characters
and `?` for one, in quotes too; after a backslash (`\\*`, `\\?`, `\\"`, `\\\\`) each stands for itself. A word that
begins with `/` is a pattern for the key; any other word must occur in one of the texts. Everything becomes bound
parameters of SQL.
"""

from __future__ import annotations

import difflib
import functools
import json
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, and_, cast, func, literal, literal_column, not_, or_, select, types
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from metadata.errors import UsageError
from metadata.values import period

Condition = ColumnElement[bool]
Matcher = Callable[[str], Condition]
"""Makes the condition of one value; raises ValueError saying what is expected."""


TermKind = Literal["field", "key", "text"]
TERMS: tuple[TermKind, ...] = get_args(TermKind)
ONLY_FIELDS: tuple[TermKind, ...] = ("field",)


@dataclass(frozen=True)
class Term:
    """One word of a filter. `field` is empty for texts and for patterns of the key.

    Values are patterns: what has a backslash before it stands for itself (`plain_text`).
    """

    kind: TermKind
    field: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True)
class Language:
    """What can be filtered in one list: its fields, the column of its key, and the columns that hold text."""

    fields: Mapping[str, Matcher]
    key: ColumnElement[Any]
    texts: Sequence[ColumnElement[Any]]
    lowered: bool = False
    """Whether the texts are kept in lower case: SQLite takes no other than ASCII letters for the same whatever their
    case."""


_ESCAPED = r'\\["*?\\]'
_QUOTED = rf'"(?:{_ESCAPED}|[^"])*"?|{_ESCAPED}'
_WORD = re.compile(rf'(?P<negated>!?)(?:(?P<field>[A-Za-z_]+):)?(?P<rest>(?:{_QUOTED}|[^\s"])*)')


def parse(text: str) -> tuple[Term, ...]:
    """The words of a filter. Unknown fields are refused by `conditions`.

    Raises UsageError PH306 for a word that would leave out nothing: a lone `!`, two of them, nothing in quotes, a quote
    without end.
    """
    if re.sub(_ESCAPED, "", text).count('"') % 2:
        raise UsageError("PH306", f"filter {text.strip()}", "a quote in it has no end", 'write "a b"')
    terms: list[Term] = []
    for match in _WORD.finditer(text.replace("\0", "")):
        rest, field = match["rest"], (match["field"] or "").lower()
        if not match[0]:
            continue
        values, negated = tuple(_split(rest)), bool(match["negated"])
        if field:
            terms.append(Term("field", field, values or ("",), negated))
        elif not _unquoted(rest):
            raise UsageError("PH306", f"filter {match[0]}", "it says nothing", "write a word, or leave it out")
        elif negated and rest.startswith("!"):
            raise UsageError(
                "PH306", f"filter {match[0]}", "it begins with two !", 'write one, or quote the word: !"!x"'
            )
        elif rest.startswith("/") and len(rest) > 1:
            terms.append(Term("key", "", tuple(each.removeprefix("/") for each in values), negated))
        else:
            terms.append(Term("text", "", (_unquoted(rest),), negated))
    return tuple(terms)


def conditions(text: str, language: Language, kinds: Collection[TermKind] = TERMS) -> list[Condition]:
    """Conditions of a filter, or of these `kinds` of its words, to be joined by AND.

    Raises UsageError PH306 for an unknown field or a wrong value.
    """
    found: list[Condition] = []
    for term in parse(text):
        if term.kind not in kinds:
            continue
        condition = or_(*(_condition(term, value, language) for value in term.values))
        found.append(not_(condition) if term.negated else condition)
    return found


def text_field(column: ColumnElement[Any]) -> Matcher:
    """Equal to the value, or like it where it holds `*` or `?`; what has no value is like no pattern."""
    present = func.coalesce(column, "")
    return lambda value: _like(present, not_empty(value)) if is_pattern(value) else present == plain_text(value)


def exact_field(column: ColumnElement[Any], *, empty: bool = False) -> Matcher:
    """As `text_field` for a column that is never NULL, so that its index is used, nor `empty` unless that is said."""

    def matcher(value: str) -> Condition:
        if not value and not empty:
            raise ValueError("a value after the colon")
        return _like(column, not_empty(value)) if is_pattern(value) else column == plain_text(value)

    return matcher


def within_field(column: ColumnElement[Any]) -> Matcher:
    """The value anywhere in a column that is never NULL; without a value, what holds no text."""
    return lambda value: _like(column, not_empty(f"*{value}*")) if value else column == ""


def word_field(column: ColumnElement[Any], words: Iterable[str]) -> Matcher:
    """As `exact_field` for a column that holds one of some words; another word is refused, with the nearest."""
    known, matches = [str(word) for word in words], exact_field(column)

    def matcher(value: str) -> Condition:
        if value not in known and not is_pattern(value):
            near = difflib.get_close_matches(value.lower(), known, 1)
            raise ValueError(near[0] if near else f"one of {', '.join(known)}")
        return matches(value)

    return matcher


def number_field(column: ColumnElement[Any]) -> Matcher:
    """`128`, `>1000`, `<=5`."""

    def matcher(value: str) -> Condition:
        match = re.fullmatch(r"(>=|<=|>|<|=)?\s*(-?\d+(?:_\d+)*(?:\.\d+)?)", value)
        if match is None:
            raise ValueError("a number, or >1000, <=5")
        number = float(match[2]) if "." in match[2] else int(match[2])
        if abs(number) >= 2**63:
            raise ValueError("a smaller number")
        return and_(column.is_not(None), _COMPARE[match[1] or "="](column, number))

    return matcher


def age_field(column: ColumnElement[Any], now: datetime) -> Matcher:
    """`>2h`, `<30d`: how long ago."""

    def matcher(value: str) -> Condition:
        match = re.fullmatch(r"(>|<)\s*(.+)", value)
        if match is None:
            raise ValueError("an age, such as >2h or <30d")
        instant = period(match[2]).before(now)
        return and_(column.is_not(None), column < instant if match[1] == ">" else column > instant)

    return matcher


def flag_field(condition: Condition) -> Matcher:
    """`yes` or `no`, which documents write as `true` and `false`."""

    def matcher(value: str) -> Condition:
        if value.lower() not in ("yes", "no", "true", "false"):
            raise ValueError("yes or no")
        return condition if value.lower() in ("yes", "true") else not_(condition)

    return matcher


def tag_field(column: ColumnElement[Any]) -> Matcher:
    """One of the words of a JSON list; nothing for a list without words.

    Each of them is compared; a word is looked for in the text of the list first, in half the time.
    """
    texts = func.coalesce(cast(column, types.Text), "")
    entry = Entries(column).table_valued("value", name="entry")

    def matcher(value: str) -> Condition:
        if not value:
            return not_(_like(texts, '*"*'))
        one_is = select(literal_column("1")).select_from(entry).where(_like(entry.c.value, value)).exists()
        written = re.sub(r"([*?\\])", r"\\\1", json.dumps(plain_text(value)))
        return one_is if is_pattern(value) else and_(_like(texts, f"*{written}*"), one_is)

    return matcher


def listed_field(column: ColumnElement[Any]) -> Matcher:
    """One of the words of a JSON list, to the letter."""
    return lambda value: PlaceIn(cast(column, types.Text), literal(json.dumps(plain_text(value)))) > 0


def _condition(term: Term, value: str, language: Language) -> Condition:
    if term.kind == "text":
        return _occurs(value, language)
    if term.kind == "key":
        return _like(language.key, value)
    matcher = language.fields.get(term.field)
    if matcher is None:
        near = difflib.get_close_matches(term.field, language.fields, 1)
        has = f"did you mean {near[0]}:?" if near else f"there are {', '.join(sorted(language.fields))}"
        raise UsageError("PH306", f"filter {term.field}:{value}", f"nothing here has a {term.field}", has)
    try:
        return matcher(value)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            "PH306", f"filter {term.field}:{value}", f"{value!r} is not what it compares with", f"write {error}"
        ) from None


def _occurs(value: str, language: Language) -> Condition:
    """Whether it stands in one of the texts; a pattern may go from one to the next."""
    if language.lowered:
        value = value.lower()
    if is_pattern(value):
        together = functools.reduce(operator.add, (func.coalesce(column, "") + "\n" for column in language.texts))
        return _like(together, f"*{value}*")
    like = _like_lowered if language.lowered else _like
    return or_(*(like(_never_null(column), f"*{value}*") for column in language.texts))


def _never_null(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(column, "") if getattr(column, "nullable", True) else column


def _split(text: str) -> list[str]:
    """Values by commas outside quotes, without the quotes."""
    return [_unquoted(part) for part in re.findall(rf'(?:{_QUOTED}|[^,"])+', text)]


def _unquoted(text: str) -> str:
    """The same without its quotes, each backslash that stands for itself with one before it."""
    return re.sub(rf'({_ESCAPED})|"|(\\)', r"\1\2\2", text)


def is_pattern(value: str) -> bool:
    """Whether it stands for more than one text."""
    return re.search(r"[*?]", re.sub(_ESCAPED, "", value)) is not None


def plain_text(value: str) -> str:
    """The text that a value stands for that is no pattern."""
    return re.sub(_ESCAPED, lambda each: each[0][1], value)


def not_empty(value: str) -> str:
    """The pattern for what has a value: `*` alone stands for any that there is."""
    return "?*" if value and not value.strip("*") else value


def as_glob(value: str) -> str:
    """The pattern in the words of `fnmatch`, which has no backslash, and sets in brackets."""
    return re.sub(rf"{_ESCAPED}|\[", lambda each: f"[{each[0][-1]}]", value)


def _like(column: ColumnElement[Any], pattern: str) -> Condition:
    return (AlikeAscii if pattern.isascii() else Alike)(column, literal(_escaped(pattern)))


def _like_lowered(column: ColumnElement[Any], pattern: str) -> Condition:
    return AlikeLowered(column, literal(_escaped(pattern)))


def _escaped(pattern: str) -> str:
    wild = {"*": "%", "?": "_"}
    found = re.compile(rf"{_ESCAPED}|[*?!%_\[]")
    return found.sub(lambda each: each[0][1:] or wild.get(each[0], f"!{each[0]}"), pattern)


SQL_SERVER_WORDS = "Latin1_General_100_CI_AS_SC_UTF8"
"""There a collation says whether case counts, and that of the database says that it does. A condition is no value."""


class Alike(FunctionElement[bool]):
    """Text like a pattern whatever its case: the operator that each database has for it, without calls of lower()."""

    type = types.Boolean()
    inherit_cache = True
    postgresql = "{text} ILIKE {pattern}"


class AlikeAscii(Alike):
    """The same for a pattern of ASCII characters: PostgreSQL knows what is their lower case without its locale."""

    inherit_cache = True
    postgresql = '{text} COLLATE "C" ILIKE {pattern}'


class AlikeLowered(Alike):
    """The same where both are in lower case: PostgreSQL takes them as they are, in a third of the time."""

    inherit_cache = True
    postgresql = "{text} LIKE {pattern}"


@compiles(Alike)
def _alike(element: Alike, compiler: SQLCompiler, **how: Any) -> str:
    text, pattern = (compiler.process(each, **how) for each in element.clauses)
    if compiler.dialect.name == "mssql":
        return f"CASE WHEN ({text}) COLLATE {SQL_SERVER_WORDS} LIKE {pattern} ESCAPE '!' THEN 1 ELSE 0 END"
    if compiler.dialect.name == "postgresql":
        return f"({element.postgresql.format(text=text, pattern=pattern)} ESCAPE '!')"
    return f"({text} LIKE {pattern} ESCAPE '!')"


class PlaceIn(FunctionElement[int]):
    """Where in a text another one begins, to the letter; 0 where it does nowhere."""

    type = types.Integer()
    inherit_cache = True


@compiles(PlaceIn)
def _place_in(element: PlaceIn, compiler: SQLCompiler, **how: Any) -> str:
    text, part = (compiler.process(each, **how) for each in element.clauses)
    if compiler.dialect.name == "mssql":
        return f"CHARINDEX({part}, {text})"
    return f"{'strpos' if compiler.dialect.name == 'postgresql' else 'instr'}({text}, {part})"


class Entries(FunctionElement[str]):
    """The entries of a JSON list: rows with a `value`, by the function that each database has for it."""

    type = types.Text()
    inherit_cache = True


@compiles(Entries)
def _entries(element: Entries, compiler: SQLCompiler, **how: Any) -> str:
    (listed,) = (compiler.process(each, **how) for each in element.clauses)
    function = {"postgresql": "json_array_elements_text", "mssql": "OPENJSON"}.get(compiler.dialect.name, "json_each")
    return f"{function}({listed})"


class InOrderOfRows(FunctionElement[Any]):
    """A column as it is, which SQLite then does not look for in an index; other databases find out themselves."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(InOrderOfRows)
def _in_order_of_rows(element: InOrderOfRows, compiler: SQLCompiler, **how: Any) -> str:
    (column,) = (compiler.process(each, **how) for each in element.clauses)
    return f"+{column}" if compiler.dialect.name == "sqlite" else column


_COMPARE: dict[str, Callable[[ColumnElement[Any], float], Condition]] = {
    "=": lambda column, number: column == number,
    ">": lambda column, number: column > number,
    "<": lambda column, number: column < number,
    ">=": lambda column, number: column >= number,
    "<=": lambda column, number: column <= number,
}
