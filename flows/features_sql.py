"""SQL of a feature set: each feature as it was known at the event time, for new rows within their whole context.

A windowed feature of a row at `t` aggregates all rows of the source whose event time lies in
[t - over, t - known_after] and whose `by` columns are the same (NULL is a value of its own there). Without
`known_after` it aggregates the rows strictly before `t`: never the row itself, nor rows of the same instant. It is
computed for each distinct (by, t) of the part of the source that the new rows can see, and joined to the new rows, so
that it equals a full recomputation. Rows that change afterwards do not change the features of rows that have theirs.

The table slots of every text are relations, given by the caller; expressions are the blueprint's own, untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import sqlglot
from sqlglot.tokenizer_core import Token, TokenType

from flows.schema import quoted
from metadata.errors import PilothouseError
from metadata.kinds import FeatureSet
from metadata.parts import Feature
from metadata.values import period

AGGREGATES = frozenset(
    """
    any any_value approx_count_distinct approx_percentile array_agg avg bit_and bit_or bit_xor bool_and bool_or
    collect_list collect_set corr count count_if count_min_sketch covar_pop covar_samp every first first_value
    kurtosis last last_value listagg max max_by mean median min min_by mode percentile percentile_approx
    percentile_cont percentile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx
    regr_sxy regr_syy skewness some std stddev stddev_pop stddev_samp string_agg sum try_avg try_sum var_pop
    var_samp variance
    """.split()  # noqa: SIM905
)
"""Aggregate functions of Spark SQL that a window may compute."""


JUST_BEFORE = "INTERVAL '0.000001' SECOND"


def features_query(key: str, definition: FeatureSet, new: str, source: str) -> str:
    """The SELECT of a feature set: entity columns, event time (as a timestamp), features, in this order.

    `new` and `source` are relations: the rows that get features, and all rows at the same version. Rows without an
    event time have no point in time and are left out. Raises PilothouseError PH601 for a feature that is impossible.
    """
    windows = _windows(key, definition)
    now, time = "_now", quoted(definition.event_time)
    bys = sorted({column for group in windows for column in group})
    entity = {column: f"_e{number}" for number, column in enumerate(definition.entity)}
    plain = {
        name: f"_f{number}"
        for number, (name, feature) in enumerate(definition.features.items())
        if feature.over is None and name not in entity
    }
    wanted = [
        *(f"{quoted(column)} AS {alias}" for column, alias in entity.items()),
        f"CAST({time} AS TIMESTAMP) AS _t",
        *(f"{quoted(column)} AS _by{number}" for number, column in enumerate(bys)),
        *(f"{_expression(name, definition.features[name])} AS {alias}" for name, alias in plain.items()),
    ]
    parts = [f"{now} AS (SELECT {', '.join(wanted)} FROM {new} WHERE {time} IS NOT NULL)"]  # noqa: S608
    if windows:
        parts.append(f"_bounds AS (SELECT min(_t) AS low, max(_t) AS high FROM {now})")  # noqa: S608
    outputs = {name: f"{now}.{alias}" for name, alias in plain.items()}
    joins = []
    for number, (by, features) in enumerate(windows.items()):
        view = f"_w{number}"
        parts.append(f"{view} AS ({_window_select(key, definition, by, features, source)})")
        on = [f"{now}._t = {view}._t"]
        on += [f"{now}._by{bys.index(column)} <=> {view}._by{place}" for place, column in enumerate(by)]
        joins.append(f"LEFT JOIN {view} ON {' AND '.join(on)}")
        outputs.update({name: f"{view}._f{place}" for place, name in enumerate(features)})
    columns = [
        *(f"{now}.{alias} AS {quoted(column)}" for column, alias in entity.items()),
        f"{now}._t AS {time}",
        *(f"{outputs[name]} AS {quoted(name)}" for name in definition.features if name in outputs),
    ]
    return f"WITH {', '.join(parts)} SELECT {', '.join(columns)} FROM {now} {' '.join(joins)}"  # noqa: S608


def _windows(key: str, definition: FeatureSet) -> dict[tuple[str, ...], dict[str, Feature]]:
    """Windowed features by the columns that group them."""
    found: dict[tuple[str, ...], dict[str, Feature]] = {}
    for name, feature in definition.features.items():
        if name == definition.event_time or (name in definition.entity and feature.expr is not None):
            raise _impossible(key, name, "it has the name of the event time or of an entity column")
        if feature.over is None:
            if feature.by or feature.known_after:
                raise _impossible(key, name, "by and known_after belong to a window, and it has no over")
            continue
        if feature.expr is None:
            raise _impossible(key, name, "a window needs an aggregate as its expr")
        if _span(key, name, feature.over) < _span(key, name, feature.known_after or "0 s"):
            raise _impossible(key, name, f"its window of {feature.over} ends before it begins")
        found.setdefault(tuple(feature.by), {})[name] = feature
    return found


def _window_select(
    key: str, definition: FeatureSet, by: tuple[str, ...], features: Mapping[str, Feature], source: str
) -> str:
    time = f"CAST({quoted(definition.event_time)} AS TIMESTAMP)"
    keys = [f"{quoted(column)} AS _by{place}" for place, column in enumerate(by)]
    partition = f"PARTITION BY {', '.join(map(quoted, by))} " if by else ""
    values, frames = [], []
    for place, (name, feature) in enumerate(features.items()):
        values.append(f"{over_window(key, name, feature.expr or '', f'_frame{place}')} AS _f{place}")
        start = _interval(feature.over or "")
        end = _interval(feature.known_after) if feature.known_after else JUST_BEFORE
        frames.append(
            f"_frame{place} AS ({partition}ORDER BY {time} RANGE BETWEEN {start} PRECEDING AND {end} PRECEDING)"
        )
    longest = max((feature.over or "" for feature in features.values()), key=lambda over: period(over).span)
    rows = (
        f"SELECT {', '.join([*keys, f'{time} AS _t', *values])} FROM {source} "  # noqa: S608
        f"WHERE {time} >= (SELECT low - {_interval(longest)} FROM _bounds) AND {time} <= (SELECT high FROM _bounds) "
        f"WINDOW {', '.join(frames)}"
    )
    group = [*(f"_by{place}" for place in range(len(by))), "_t"]
    firsts = [f"any_value(_f{place}) AS _f{place}" for place in range(len(features))]
    return f"SELECT {', '.join([*group, *firsts])} FROM ({rows}) GROUP BY {', '.join(group)}"  # noqa: S608


def over_window(key: str, name: str, expression: str, window: str) -> str:
    """`expression` with `OVER window` after each of its outermost aggregates; all else stays as it was written.

    Raises PilothouseError PH601: no aggregate, DISTINCT in one (Spark has none over windows), or a window of its own.
    """
    tokens = sqlglot.tokenize(expression, read="spark")
    ends: list[int] = []
    place = 0
    while place < len(tokens) - 1:
        token = tokens[place]
        if token.text.lower() not in AGGREGATES or tokens[place + 1].token_type != TokenType.L_PAREN:
            place += 1
            continue
        close = _closing(key, name, tokens, place + 1)
        if any(inner.token_type == TokenType.DISTINCT for inner in tokens[place + 1 : close]):
            raise _impossible(key, name, "DISTINCT cannot be computed over a window: write size(collect_set(…))")
        after = tokens[close + 1 : close + 3]
        if len(after) == 2 and after[0].text.lower() == "filter" and after[1].token_type == TokenType.L_PAREN:
            close = _closing(key, name, tokens, close + 2)
        if close + 1 < len(tokens) and tokens[close + 1].token_type == TokenType.OVER:
            raise _impossible(key, name, "it brings a window of its own beside by and over")
        ends.append(tokens[close].end + 1)
        place = close + 1
    if not ends:
        raise _impossible(key, name, "a window needs an aggregate, such as avg(x), as its expr")
    for end in reversed(ends):
        expression = f"{expression[:end]} OVER {window}{expression[end:]}"
    return f"(\n{expression}\n)"


def _closing(key: str, name: str, tokens: list[Token], opening: int) -> int:
    depth = 0
    for place in range(opening, len(tokens)):
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(tokens[place].token_type, 0)
        if depth == 0:
            return place
    raise _impossible(key, name, "a parenthesis of its expr is not closed")


def _expression(name: str, feature: Feature) -> str:
    return quoted(name) if feature.expr is None else f"(\n{feature.expr}\n)"


def _span(key: str, name: str, duration: str) -> timedelta:
    value = period(duration)
    if value.months:
        raise _impossible(key, name, f"{duration} has no fixed length: write it in days or weeks")
    return value.span


def _interval(duration: str) -> str:
    """A literal interval: frames take nothing else, and both of their bounds in one type."""
    return f"INTERVAL '{period(duration).span // timedelta(microseconds=1) / 1e6:.6f}' SECOND"


def _impossible(key: str, name: str, cause: str) -> PilothouseError:
    return PilothouseError("PH601", f"feature {name} of {key}", cause, "mend the feature set in the blueprint (e)")
