"""Parameters of a run in SQL: `:name` becomes a literal of the declared type.

Spark's own named markers are not used: with Delta's parser extension Spark 4.2 leaves them unbound.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlglot import TokenError, TokenType, tokenize

from flows.context import TaskContext
from flows.schema import literal
from metadata.errors import PilothouseError
from metadata.parts import Parameter

AS_OF = "as_of"
_SPARK = {"int": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMP"}


def bound(context: TaskContext, sql: str) -> str:
    """`sql` with the run's parameters, and `:as_of`, in place. Raises PilothouseError PH240 for an unknown name."""
    values = literals(context.plan.parameters, context.bindings, context.as_of)
    return filled(f"task {context.task.key}", sql, values)


def filled(thing: str, sql: str, values: Mapping[str, str]) -> str:
    """`sql` with `values` (SQL literals) in place of its parameters. Raises PilothouseError PH240 and PH241."""
    replaced: list[tuple[int, int, str]] = []
    tokens = _tokens(thing, sql)
    for before, colon, name in zip([None, *tokens], tokens, tokens[1:], strict=False):
        if colon.token_type != TokenType.COLON or name.start != colon.end + 1 or not name.text.isidentifier():
            continue
        if before is not None and before.end + 1 == colon.start and before.text.isidentifier():
            continue
        if name.text not in values:
            known = ", ".join(f":{known}" for known in values)
            raise PilothouseError(
                "PH240",
                thing,
                f"its SQL reads :{name.text}, which is no parameter of the pipeline",
                f"declare it, or write one of {known} (e)",
            )
        replaced.append((colon.start, name.end + 1, values[name.text]))
    for start, end, value in reversed(replaced):
        sql = f"{sql[:start]}{value}{sql[end:]}"
    return sql


def literals(parameters: Mapping[str, Parameter], bindings: Mapping[str, Any], as_of: datetime) -> Mapping[str, str]:
    """A Spark SQL literal for each parameter, and for `as_of`."""
    found = {AS_OF: f"CAST({literal(as_of.isoformat())} AS TIMESTAMP)"}
    for name, parameter in parameters.items():
        value = bindings.get(name, parameter.default)
        if value is None:
            found[name] = "NULL"
            continue
        text = value.isoformat() if isinstance(value, datetime) else str(value)
        kind = _SPARK.get(parameter.type)
        found[name] = f"CAST({literal(text)} AS {kind})" if kind else literal(text)
    return found


def _tokens(thing: str, sql: str) -> list:  # type: ignore[type-arg]
    try:
        return tokenize(sql, read="spark")
    except TokenError as error:
        raise PilothouseError("PH241", thing, "its SQL cannot be read", "mend it (e)", str(error)) from None
