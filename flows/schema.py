"""Column types of a dataset, enforced: declared, or frozen at the first batch. Nothing becomes NULL in silence."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metadata.errors import PilothouseError
from metadata.kinds import Dataset
from metadata.values import counted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

SOURCE = "_source"
"""Hidden column of a frame that is built: the file that a row came from."""
ORDER = "_order"
"""Hidden column: of rows that share the keys of a merge, those with the highest value win."""
CORRUPT = "_corrupt"
"""Hidden column: the text of a line whose number of fields is wrong, else NULL."""
BATCH = "_batch"
REASONS = "_reasons"
HIDDEN = (SOURCE, ORDER, CORRUPT)

UNCASTABLE = "PILOTHOUSE_UNCASTABLE"
_WORDS = {"smallint": "short", "bigint": "long", "tinyint": "short", "timestamp_ntz": "timestamp", "void": "string"}
_WHOLE = ("short", "int", "long")
_SAFE = {
    ("short", "int"),
    ("short", "long"),
    ("int", "long"),
    ("short", "float"),
    ("short", "double"),
    ("int", "double"),
    ("float", "double"),
    ("double", "float"),
    ("date", "timestamp"),
}
_BAD_CHARACTERS = set(" ,;{}()\n\t=")


@dataclass(frozen=True)
class Cast:
    """How one column becomes its type: the value, and what is true of a row whose value cannot be."""

    column: str
    wanted: str
    value: str
    failed: str


@dataclass(frozen=True)
class Conformed:
    """A frame in the shape of its table. Reading a row that does not fit fails; `explain_misfits` then says why."""

    frame: DataFrame
    columns: dict[str, str]
    ordered: bool
    """Whether the frame carries `_order`."""
    evolves: bool
    raw: DataFrame
    casts: tuple[Cast, ...]


def quoted(name: str) -> str:
    """A column or path in backticks."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text as Spark SQL whatever it holds; unusual characters travel as bytes."""
    if all(character.isalnum() or character in " _-.:/+" for character in text) and text.isascii():
        return f"'{text}'"
    return f"CAST(X'{text.encode().hex()}' AS STRING)"


def types_of(schema: StructType) -> dict[str, str]:
    """Type by column, in the blueprint's own words."""
    found = {}
    for field in schema.fields:
        spark = field.dataType.simpleString()
        found[field.name] = "string" if spark.startswith(("varchar", "char")) else _WORDS.get(spark, spark)
    return found


def conform(frame: DataFrame, thing: str, dataset: Dataset, known: Mapping[str, str]) -> Conformed:
    """Give a frame the columns and types of its dataset. `known` are those of the table so far.

    Columns are matched by name, whatever their case. Raises PilothouseError: PH210 a column is missing, PH211 a column
    nobody declared (`schema_drift: fail`), PH212 a name that cannot be stored, PH213 a type that was changed.
    """
    have = types_of(frame.schema)
    hidden = [name for name in have if name in HIDDEN]
    have = {name: kind for name, kind in have.items() if name not in HIDDEN}
    _check_names(have, thing)
    declared = {name: column.type.replace(" ", "") for name, column in dataset.columns.items()}
    _check_unchanged(declared, known, thing)
    wanted = {**declared, **{name: kind for name, kind in known.items() if name not in declared}}
    by_lower = {name.lower(): name for name in have}
    optional = set(known) - set(declared) if declared or dataset.schema_drift == "evolve" else set()
    missing = [name for name in wanted if name.lower() not in by_lower and name not in optional]
    if missing:
        raise missing_columns(thing, missing, have)
    lowered = {name.lower() for name in wanted}
    extra = [name for name in have if name.lower() not in lowered]
    if wanted and extra and dataset.schema_drift == "fail":
        raise extra_columns(thing, extra, wanted)
    columns = {**wanted, **{name: have[name] for name in extra}}
    casts, selected = [], []
    for name, kind in columns.items():
        actual = by_lower.get(name.lower())
        if actual is None:
            selected.append(f"CAST(NULL AS {kind}) AS {quoted(name)}")
            continue
        cast = _cast(actual, have[actual], kind)
        casts.append(cast)
        selected.append(f"{cast.value} AS {quoted(name)}")
    return Conformed(
        frame=_whole_lines(frame, hidden).selectExpr(*selected, *([ORDER] if ORDER in hidden else [])),
        columns=columns,
        ordered=ORDER in hidden,
        evolves=bool(known) and set(columns) != set(known),
        raw=frame,
        casts=tuple(cast for cast in casts if cast.failed != "false"),
    )


def explain_misfits(conformed: Conformed, thing: str) -> PilothouseError | None:
    """What of the rows does not fit, counted in one pass with an example each; None when all of them do."""
    raw = conformed.raw
    names = raw.columns
    casts = list(conformed.casts)
    if CORRUPT in names:
        casts.insert(0, Cast(CORRUPT, "", "", f"{CORRUPT} IS NOT NULL"))
    if not casts:
        return None
    source = SOURCE if SOURCE in names else "CAST(NULL AS STRING)"
    aggregates = [
        f"{what} AS {name}{index}"
        for index, cast in enumerate(casts)
        for name, what in (
            ("n", f"count_if({cast.failed})"),
            ("value", f"min(CAST({quoted(cast.column)} AS STRING)) FILTER (WHERE {cast.failed})"),
            ("source", f"min({source}) FILTER (WHERE {cast.failed})"),
        )
    ]
    row = raw.selectExpr(*aggregates, f"count({quoted(names[0])}) AS read").collect()[0]
    found = []
    for index, cast in enumerate(casts):
        count, value, where = row[f"n{index}"], row[f"value{index}"], row[f"source{index}"]
        if not count:
            continue
        origin = f" ({where.rsplit('/', 1)[-1]})" if where else ""
        shown = f"such as {value[:80]!r}{origin}"
        if cast.column == CORRUPT:
            found.append(
                f"{counted(count, 'line has', 'lines have')} another number of fields than the header, {shown}"
            )
        else:
            found.append(f"column {cast.column}: {counted(count, 'value is', 'values are')} no {cast.wanted}, {shown}")
    if not found:
        return None
    remedy = "mend the source, or declare the column as string (e) and convert it in a transform"
    if casts[0].column == CORRUPT and row["n0"]:
        remedy = "mend the file and run it again (r)"
    return PilothouseError("PH214", thing, found[0], remedy, detail="\n".join(found))


def missing_columns(thing: str, missing: list[str], have: Mapping[str, object], where: str = "") -> PilothouseError:
    """PH210, naming the columns and the nearest that are there."""
    near = difflib.get_close_matches(missing[0], list(have), 1)
    hint = f"; the nearest is {near[0]}" if near else ""
    return PilothouseError(
        "PH210",
        thing,
        f"{_columns(missing)} {'is' if len(missing) == 1 else 'are'} missing{f' in {where}' if where else ''}{hint}",
        "mend the source and run it again (r), or change the declared columns (e) and launch it anew (l)",
        detail=f"it has: {', '.join(have)}",
    )


def extra_columns(thing: str, extra: list[str], wanted: Mapping[str, object], where: str = "") -> PilothouseError:
    """PH211, naming the columns that nobody declared."""
    return PilothouseError(
        "PH211",
        thing,
        f"{_columns(extra)}{f' in {where}' if where else ''} {'was' if len(extra) == 1 else 'were'} not there before "
        "and nobody declared what is new",
        "mend the source and run it again (r), or declare it or set schema_drift: evolve (e) and launch it anew (l)",
        detail=f"declared: {', '.join(wanted)}",
    )


def as_text(frame: DataFrame, names: Collection[str]) -> DataFrame:
    """The frame with these columns, whatever their case, as text."""
    lowered = {name.lower() for name in names}
    return frame.selectExpr(
        *(
            f"CAST({quoted(name)} AS STRING) AS {quoted(name)}" if name.lower() in lowered else quoted(name)
            for name in frame.columns
        )
    )


def _columns(names: list[str]) -> str:
    return (
        f"column{'s' if len(names) > 1 else ''} "
        + ", ".join(names[:5])
        + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    )


def _check_names(have: Mapping[str, str], thing: str) -> None:
    seen: dict[str, str] = {}
    for name in have:
        if name in (BATCH, REASONS):
            raise _unstorable(thing, name, "is a name of the system's own")
        if not name or _BAD_CHARACTERS.intersection(name):
            raise _unstorable(thing, name, "holds a space or one of , ; { } ( ) =")
        if name.lower() in seen:
            raise _unstorable(
                thing, name, f"is there twice (as {seen[name.lower()]}, upper and lower case are the same)"
            )
        seen[name.lower()] = name


def _unstorable(thing: str, name: str, why: str) -> PilothouseError:
    return PilothouseError("PH212", thing, f"column {name!r} {why}", "give it another name (AS …) and run again (r)")


def _check_unchanged(declared: Mapping[str, str], known: Mapping[str, str], thing: str) -> None:
    for name, kind in declared.items():
        if known.get(name, kind) != kind:
            raise PilothouseError(
                "PH213",
                thing,
                f"column {name} is declared as {kind}, but its table holds {known[name]}",
                "declare the type that the table holds, or write to a dataset of another name",
            )


def _whole_lines(frame: DataFrame, hidden: list[str]) -> DataFrame:
    if CORRUPT not in hidden:
        return frame
    return frame.where(f"coalesce(CASE WHEN {CORRUPT} IS NOT NULL THEN CAST({_raise()} AS BOOLEAN) END, true)")


def _raise() -> str:
    return f"raise_error('{UNCASTABLE}')"


def _cast(name: str, have: str, wanted: str) -> Cast:
    column = quoted(name)
    if have == wanted or (have, wanted) in _SAFE or wanted == "string":
        value = column if have == wanted and have not in _WORDS.values() else f"CAST({column} AS {wanted})"
        return Cast(name, wanted, value, "false")
    plain = f"try_cast({column} AS {wanted})"
    if have == "string":
        if wanted in _WHOLE:
            plain = f"coalesce({plain}, try_cast(regexp_replace({column}, '[.]0+$', '') AS {wanted}))"
        elif wanted.startswith("decimal"):
            scale = int(wanted.rstrip(")").partition(",")[2])
            plain = f"CASE WHEN NOT {column} RLIKE '^[-+ 0-9]*[.][0-9]{{{scale}}}[0-9]*[1-9]0* *$' THEN {plain} END"
        elif wanted in ("float", "double"):
            plain = f"CASE WHEN abs({plain}) < double('Infinity') OR NOT {column} RLIKE '[0-9]' THEN {plain} END"
        value = f"coalesce({plain}, CASE WHEN {column} IS NOT NULL THEN CAST({_raise()} AS {wanted}) END)"
        return Cast(name, wanted, value, f"({column} IS NOT NULL AND {plain} IS NULL)")
    kept = f"(try_cast({plain} AS {have}) <=> {column})"
    value = f"CASE WHEN {kept} THEN {plain} ELSE CAST({_raise()} AS {wanted}) END"
    return Cast(name, wanted, value, f"NOT {kept}")


def infer_text(frame: DataFrame, columns: list[str]) -> dict[str, str]:
    """Types that all values of text columns fit, in one pass; what is only NULL, or has leading zeros, stays text, and
    so do numbers beyond a double, or with more digits than a long, or than the 17 of a double, can hold.

    Tried in this order: long, double, boolean (true and false), date, timestamp.
    """
    digits = "regexp_replace(regexp_replace({c}, '[eE].*$', ''), '^[-+]?[0.]*|[.]', '')"
    tests = {
        "long": "{c} RLIKE '^-?[0-9]{{1,19}}$' AND try_cast({c} AS BIGINT) IS NOT NULL AND NOT {c} RLIKE '^-?0[0-9]'",
        "double": "abs(try_cast({c} AS DOUBLE)) < double('Infinity') AND {c} RLIKE '^[-+0-9.eE]+$' "
        f"AND NOT {{c}} RLIKE '^-?0[0-9]' AND length({digits}) <= 17",
        "boolean": "lower({c}) IN ('true', 'false')",
        "date": "{c} RLIKE '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' AND try_cast({c} AS DATE) IS NOT NULL",
        "timestamp": "{c} RLIKE '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]' AND try_cast({c} AS TIMESTAMP) IS NOT NULL",
    }
    if not columns:
        return {}
    aggregates = []
    for index, name in enumerate(columns):
        column = quoted(name)
        aggregates.append(f"count({column}) AS n{index}")
        aggregates += [
            f"bool_and({test.format(c=column)}) FILTER (WHERE {column} IS NOT NULL) AS {kind}{index}"
            for kind, test in tests.items()
        ]
    row = frame.selectExpr(*aggregates).collect()[0]
    return {
        name: next((kind for kind in tests if row[f"n{index}"] and row[f"{kind}{index}"]), "string")
        for index, name in enumerate(columns)
    }
