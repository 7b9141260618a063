"""Rules and guards: CEL expressions over figures. They say yes, no, or undecided, which is never counted as no.

Figures are doubles, and so are whole numbers in a rule (CEL does not calculate across types). An input that is missing
or not a number is found before CEL is asked, because to CEL `missing || true` is true. It is excused where the rule
itself asks for it, by `x == null`, `x != null`, `has(x.y)` or `"y" in x`. To divide by zero gives infinity or NaN,
with which a rule would say yes or no; one that did so is undecided.
"""

from __future__ import annotations

import ast
import functools
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

LONGEST = 4_000
"""Characters of a rule."""
MOST_ITEMS = 10_000
"""Items of a list or map that a rule may be given."""
MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map"})
FUNCTIONS = frozenset({"worst"})
"""Functions of our own: `worst(map)` is the largest of its values."""
BUILT_IN = frozenset(
    {"size", "has", "double", "int", "uint", "string", "contains", "startsWith", "endsWith", "matches", "dyn"}
)
WORDS = frozenset({"true", "false", "null", "in"})
"""Words of a rule that name nothing."""
_DIVISOR = "divisor"
"""Around whatever is divided by: it notes a zero."""
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_SIGNS = "=!<>&|+*/%?:.,()[]{}"
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>[rR]?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
    |(?P<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<whole>\d+)(?![\w.])
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE,
)

Path = tuple[str, ...]


class RuleError(ValueError):
    """A rule that cannot be asked, and what to write instead."""

    def __init__(self, cause: str, remedy: str = "mend the rule") -> None:
        self.cause = cause
        self.remedy = remedy
        super().__init__(cause)


@dataclass(frozen=True)
class Verdict:
    """What a rule says, why, and the inputs that it saw by their path."""

    answer: Literal["yes", "no", "undecided"]
    reason: str
    inputs: dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """A rule that was read. `paths` are the inputs it names, such as ("performance", "roc_auc").

    `excused` are those that may be missing; CEL is shown a null for those of them that are in `nulls`.
    """

    text: str
    paths: tuple[Path, ...]
    excused: frozenset[Path]
    nulls: frozenset[Path]
    program: Any

    @classmethod
    def compile(cls, text: str, variables: Collection[str] | None = None, functions: Collection[str] = ()) -> Rule:
        """Read a rule over `variables` (None: any) and CEL's own functions, `worst` and `functions`.

        Raises RuleError: syntax, an unknown variable or function, a macro within a macro, no input and no answer.
        """
        rule = _compile(text)
        for path in rule.paths if variables is not None else ():
            if path[0] not in (variables or ()):
                raise RuleError(f"there is no input {path[0]}", f"there are: {', '.join(sorted(variables or ()))}")
        known = {*FUNCTIONS, *BUILT_IN, *functions, _DIVISOR}
        for name in rule.program.functions():
            if name.isidentifier() and name not in known:
                raise RuleError(f"there is no function {name}", f"there are: {', '.join(sorted(FUNCTIONS | BUILT_IN))}")
        if not rule.paths and (verdict := rule.evaluate({})).answer == "undecided":
            raise RuleError(f"it names no input, and {verdict.reason}", "compare an input with something")
        return rule

    def evaluate(self, inputs: Mapping[str, Any]) -> Verdict:
        """Ask the rule. Never raises: what it cannot say is undecided, with the reason."""
        seen: dict[str, Any] = {}
        lacking: list[str] = []
        for path in self.paths:
            shown = show(path)
            value, lacks = _find(path, inputs)
            if lacks is None:
                seen[shown] = "NaN" if isinstance(value, float) and math.isnan(value) else value
                lacks = _unusable(value, allow_null=path in self.excused)
            elif path[0] in inputs and _is_excused(path, inputs, self.excused):
                seen[shown] = None
                continue
            if lacks is not None:
                lacking.append(f"{shown} {lacks}")
        if lacking:
            return Verdict("undecided", "; ".join(dict.fromkeys(lacking)), seen)
        return self._ask(inputs, seen)

    def _ask(self, inputs: Mapping[str, Any], seen: dict[str, Any]) -> Verdict:
        import cel

        names = {path[0] for path in self.paths}
        variables = {name: _doubles(inputs[name]) for name in names if name in inputs}
        for path in self.nulls:
            around, lacks = _find(path[:-1], variables)
            if lacks is None and isinstance(around, dict):
                around.setdefault(path[-1], None)
        zeros: list[Any] = []

        def divisor(value: Any) -> Any:
            if value == 0:
                zeros.append(value)
            return value

        context = cel.Context(variables=variables)
        context.add_function("worst", worst)
        context.add_function(_DIVISOR, divisor)
        try:
            result = self.program.execute(context)
        except Exception as error:  # noqa: BLE001 - the library raises whatever its operators do
            return Verdict("undecided", f"it cannot be evaluated: {_first_line(error)}", seen)
        if zeros:
            return Verdict("undecided", "it divides by zero", seen)
        if not isinstance(result, bool):
            return Verdict("undecided", f"it gives {result!r}, not true or false", seen)
        excused = {show(path) for path in self.excused}
        said = ", ".join(_told(path, value, path in excused) for path, value in seen.items())
        return Verdict("yes" if result else "no", said or self.text, seen)


def _told(path: str, value: Any, compared_with_null: bool) -> str:
    """An input in words: its value; of many figures the largest; of what is only looked for, that it is there."""
    if not isinstance(value, Mapping):
        return f"{path} = {_shown(value)}"
    figures = {
        name: each for name, each in value.items() if isinstance(each, int | float) and not isinstance(each, bool)
    }
    if compared_with_null or not figures:
        return f"{path} is there"
    largest = max(figures, key=lambda name: figures[name])
    return f"{path} at most {_shown(figures[largest])} ({largest})"


def evaluate(text: str, inputs: Mapping[str, Any]) -> Verdict:
    """Ask the rule `text`. Never raises: a rule that cannot be read is undecided, with the reason."""
    try:
        return Rule.compile(text).evaluate(inputs)
    except RuleError as error:
        return Verdict("undecided", error.cause, {})


def worst(values: Any) -> float:
    """The largest value of a map or list of figures; NaN, which decides nothing, where there is none."""
    figures = list(values.values()) if isinstance(values, Mapping) else values
    if not isinstance(figures, list) or not figures:
        return math.nan
    if any(isinstance(each, bool) or not isinstance(each, int | float) or math.isnan(each) for each in figures):
        return math.nan
    return float(max(figures))


def show(path: Path) -> str:
    """A path as it is written: words by dots, anything else in brackets."""
    return path[0] + "".join(f".{step}" if step.isidentifier() else f'["{step}"]' for step in path[1:])


@functools.lru_cache(maxsize=5_000)
def _compile(text: str) -> Rule:
    import cel

    if len(text) > LONGEST:
        raise RuleError(f"it is longer than {LONGEST:,} characters", "split it in several rules")
    reader = _Reader(list(_tokens(text)))
    reader.read()
    try:
        program = cel.compile(" ".join(_with_divisors(reader.rewritten)))
    except (ValueError, RuntimeError) as error:
        match = re.search(r"Syntax error: ([^\n]*?)(?: expecting|\n|$)", str(error))
        raise RuleError(f"it is no CEL: {match[1] if match else _first_line(error)}") from None
    return Rule(
        text,
        tuple(dict.fromkeys(reader.paths)),
        frozenset(reader.compared | reader.looked_for),
        reader.nulls(),
        program,
    )


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise RuleError(f"it is no CEL: {text[position : position + 10]!r} is not understood")
        position = match.end()
        if match.lastgroup == "space":
            yield "space", " "
        else:
            yield str(match.lastgroup), match[0]


def _said(token: str) -> str:
    """What a string says."""
    try:
        return str(ast.literal_eval(token))
    except (SyntaxError, ValueError):
        raise RuleError(f"it is no CEL: {token[:20]} holds an escape that there is not") from None


class _Reader:
    """Goes over the tokens once: which inputs are named, which are excused, and no macro within a macro."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = [token for token in tokens if token[0] != "space"]
        self.rewritten: list[str] = []
        self.paths: list[Path] = []
        self.compared: set[Path] = set()
        """Compared with null."""
        self.looked_for: set[Path] = set()
        """Asked for by has() or in."""
        self.used: set[Path] = set()
        self.open: list[tuple[str, str]] = []
        """Open brackets: what was called ("" for none), and the variable that it binds."""

    def word(self, index: int) -> str:
        return self.tokens[index][1] if 0 <= index < len(self.tokens) else ""

    def read(self) -> None:
        """Raises RuleError."""
        index = 0
        while index < len(self.tokens):
            kind, word = self.tokens[index]
            step = 1
            if word in _CLOSING:
                self._enter(index)
            elif word in _CLOSING.values() and self.open:
                self.open.pop()
            elif kind == "whole" and not (self.word(index - 1) == "[" and self.word(index + 1) == "]"):
                word += ".0"
            elif kind == "name" and self.word(index - 1) != "." and word not in WORDS:
                step = self._name(index)
            self.rewritten.append(" ".join([word, *(self.word(at) for at in range(index + 1, index + step))]))
            index += step

    def nulls(self) -> frozenset[Path]:
        """Paths that are compared with null, and neither looked for nor seen in the whole of what they are in."""
        return frozenset(
            path
            for path in self.compared
            if path not in self.looked_for and not any(path[:length] in self.used for length in range(1, len(path)))
        )

    def _enter(self, index: int) -> None:
        called = self.word(index - 1) if self.word(index) == "(" and self.tokens[index - 1][0] == "name" else ""
        bound = ""
        if called in MACROS and self.word(index - 2) == ".":
            if any(name in MACROS for name, _ in self.open):
                raise RuleError(f"{called} stands within another macro", "name one list, or use worst(…)")
            bound = self.word(index + 1)
        self.open.append((called, bound))

    def _name(self, index: int) -> int:
        """Note the input that begins at a name; returns how many tokens it is long."""
        word = self.word(index)
        if self.word(index + 1) == "(" or any(word == bound for _, bound in self.open):
            return 1
        path, at = [word], index + 1
        while True:
            follows = at + 1 < len(self.tokens)
            if self.word(at) == "." and follows and self.tokens[at + 1][0] == "name" and self.word(at + 2) != "(":
                path.append(self.word(at + 1))
                at += 2
            elif self.word(at) == "[" and follows and self.tokens[at + 1][0] == "string" and self.word(at + 2) == "]":
                path.append(_said(self.word(at + 1)))
                at += 3
            else:
                break
        found = tuple(path)
        self.paths.append(found)
        compared = self.word(at) in ("==", "!=") and self.word(at + 1) == "null"
        compared = compared or (self.word(index - 1) in ("==", "!=") and self.word(index - 2) == "null")
        if compared:
            self.compared.add(found)
        elif self.open and self.open[-1][0] == "has":
            self.looked_for.add(found)
        else:
            self.used.add(found)
        if self.word(index - 1) == "in" and index > 1 and self.tokens[index - 2][0] == "string":
            member = (*found, _said(self.word(index - 2)))
            self.paths.append(member)
            self.looked_for.add(member)
        return at - index


def _with_divisors(words: list[str]) -> list[str]:
    """The words of a rule, with what follows a `/` or `%` in a call that notes a zero."""
    before, behind = [""] * len(words), [""] * len(words)
    for index, word in enumerate(words):
        if word in ("/", "%"):
            first = index + 1
            while first < len(words) and words[first] == "-":
                first += 1
            if first < len(words) and (words[first] in ("(", "[") or words[first].strip(_SIGNS)):
                before[index + 1] += f"{_DIVISOR}("
                behind[_last_of(words, first)] += ")"
    return [f"{before[index]}{word}{behind[index]}" for index, word in enumerate(words)]


def _last_of(words: list[str], index: int) -> int:
    """Where the operand ends that begins at a word: with its members, its index, its arguments."""
    end = _closing(words, index) if words[index] in _CLOSING else index
    while end + 1 < len(words) and words[end + 1] in (".", "(", "["):
        end = min(end + 2, len(words) - 1) if words[end + 1] == "." else _closing(words, end + 1)
    return end


def _closing(words: list[str], index: int) -> int:
    """Where the bracket is closed that opens at a word; the last word when it never is."""
    depth = 0
    for at in range(index, len(words)):
        depth += (words[at] in _CLOSING) - (words[at] in _CLOSING.values())
        if depth == 0:
            return at
    return len(words) - 1


def _find(path: Path, inputs: Mapping[str, Any]) -> tuple[Any, str | None]:
    """The value at a path, or why there is none."""
    value: Any = inputs
    for step in path:
        if value is None:
            return None, "is missing: what it belongs to is null"
        if not isinstance(value, Mapping) or step not in value:
            return None, "is missing"
        value = value[step]
    return value, None


def _is_excused(path: Path, inputs: Mapping[str, Any], excused: Collection[Path]) -> bool:
    """Whether the rule asks if the path is there, or if something around it is null, and it is."""
    for length in range(1, len(path)):
        if path[:length] in excused and _find(path[:length], inputs) == (None, None):
            return True
    return path in excused


def _unusable(value: Any, *, allow_null: bool) -> str | None:
    if value is None:
        return None if allow_null else "is null"
    if isinstance(value, float) and math.isnan(value):
        return "is not a number"
    if isinstance(value, Mapping | list | tuple):
        if len(value) > MOST_ITEMS:
            return f"has more than {MOST_ITEMS:,} items"
        items = value.values() if isinstance(value, Mapping) else value
        if not value and not allow_null:
            return "is empty"
        if any(each is None or (isinstance(each, float) and math.isnan(each)) for each in items):
            return "holds a value that is not a number"
    return None


def _doubles(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): _doubles(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_doubles(each) for each in value]
    return value


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "null" if value is None else str(value)


def _first_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"nothing is found under {error}"[:160]
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return first.removeprefix("No such overload: ").partition(". CEL does not coerce")[0][:160]
