"""The scored rows that a monitor looks at, counted in Spark: one aggregate over all windows, never one a feature.

A row counts when the version that scored it was not trained on it: its event time is later than that version's
`trained_until`. Bins are counted as `count_if(value <= edge)` on frozen edges, which is one cheap pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flows import engine
from flows.model_sql import instant
from flows.schema import literal, quoted
from flows.windows import Windows
from metadata.reference import Distribution, Slice

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Numbers = NDArray[np.float64]

SCORE = "score"
MOST_LABELS = 1_000_000
"""Labelled rows of one measurement that are brought to the driver (24 MB); beyond, a sample by hash of the entity."""


Some = tuple[str, ...] | datetime
"""Which windows: those of these keys, or those that end after an instant (of one, rows from then on)."""

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
"""Before every window."""

LAST_YEAR = 9_999
"""Event times from this year on mean "never" in some source, and lie in no window."""


@dataclass(frozen=True)
class Labels:
    """Where labels come from: a relation, the label's expression, and the delay (an interval) until it is mature."""

    relation: str
    expression: str
    delay: str


@dataclass(frozen=True)
class Population:
    """Predictions that were made by `as_of`, by versions that had not seen the rows (`trained_until` by version)."""

    predictions: str
    entity: tuple[str, ...]
    event_time: str
    windows: Windows
    as_of: datetime
    trained_until: Mapping[int, datetime]
    labels: Labels | None


@dataclass(frozen=True)
class Extent:
    """How many rows a version scored in a window, and how many of them have a mature label."""

    window: str
    version: int
    rows: int
    labels: int


@dataclass(frozen=True)
class Labelled:
    """Labels and scores of the same rows."""

    labels: Numbers
    scores: Numbers


def extents(
    spark: SparkSession, population: Population, known_since: datetime | None
) -> tuple[list[Extent], dict[tuple[str, int], Labelled]]:
    """Rows and mature labels by window and version, oldest window first; and, in the same look, labels with scores.

    These are of rows from `known_since` on (None: of none), and have to be no more than `MOST_LABELS`.
    """
    if not population.trained_until:
        return [], {}
    known = f"_t >= {instant(known_since)} AND _label IS NOT NULL AND _score IS NOT NULL" if known_since else "false"
    table = engine.select(
        spark,
        f"{_scored(population)} SELECT _w, _v, count(*) AS n, count(_label) AS mature, "  # noqa: S608
        f"collect_list(CASE WHEN {known} THEN _label END) AS labels, "
        f"collect_list(CASE WHEN {known} THEN CAST(_score AS DOUBLE) END) AS scores "
        f"FROM {_labelled(population)} GROUP BY _w, _v",
    ).toPandas()
    found, taken = [], {}
    for row in table.to_dict("records"):
        window, version = str(row["_w"]), int(row["_v"])
        found.append(Extent(window, version, int(row["n"]), int(row["mature"])))
        if len(row["labels"]):
            taken[window, version] = Labelled(
                np.asarray(row["labels"], np.float64), np.asarray(row["scores"], np.float64)
            )
    return sorted(found, key=lambda extent: (population.windows.window(extent.window).start, extent.version)), taken


def column_counts(
    spark: SparkSession,
    population: Population,
    version: int,
    some: Some,
    features: str,
    references: Mapping[str, Distribution],
    score: Distribution,
) -> dict[str, dict[str, Slice]]:
    """By window, of `some`: each feature of `references` in its frozen bins, and the score under the name `SCORE`.

    `features` is a SELECT of entity and features; a scored row that it lacks is in no count.
    """
    columns = {name: f"_c{number}" for number, name in enumerate(references)}
    join = _join(features, population.entity, columns) if references else ""
    values = [
        *(f"{_value(columns[name], reference)} AS {columns[name]}" for name, reference in references.items()),
        f"{_value('_score', score)} AS _score",
    ]
    bins: dict[str, list[str]] = {name: _bins(columns[name], reference) for name, reference in references.items()}
    bins[SCORE] = _bins("_score", score)
    counts = [
        f"array({', '.join(f'count_if({test})' for test in tests)}) AS _n{i}" for i, tests in enumerate(bins.values())
    ]
    rows = engine.select(
        spark,
        f"{_scored(population, some)} SELECT _w, count(*) AS n, {', '.join(counts)} FROM ("  # noqa: S608
        f"SELECT _w, {', '.join(values)} FROM _scored{join} WHERE _v = {int(version)}) GROUP BY _w",
    ).collect()
    kinds = {**references, SCORE: score}
    return {
        str(row["_w"]): {name: _slice(kinds[name], row[f"_n{i}"], int(row["n"])) for i, name in enumerate(bins)}
        for row in rows
    }


def labelled(spark: SparkSession, population: Population, some: Some, expected: int) -> dict[tuple[str, int], Labelled]:
    """Mature labels and scores by window (of `some`) and version: `expected` rows, or a sample of `MOST_LABELS`."""
    sample = ""
    if expected > MOST_LABELS:
        share = int(MOST_LABELS / expected * 1_000_000)
        sample = f" AND pmod(xxhash64({_key_names(population.entity)}), 1000000) < {share}"
    table = engine.select(
        spark,
        f"{_scored(population, some)} SELECT _w, _v, CAST(_score AS DOUBLE) AS score, _label "  # noqa: S608
        f"FROM {_labelled(population)} WHERE _label IS NOT NULL AND _score IS NOT NULL{sample}",
    ).toPandas()
    return {
        (str(window), int(version)): Labelled(
            part["_label"].to_numpy(dtype=np.float64), part["score"].to_numpy(dtype=np.float64)
        )
        for (window, version), part in table.groupby(["_w", "_v"])
    }


def _scored(population: Population, some: Some = BEGINNING) -> str:
    """`WITH _scored AS …`: entity, event time, score, version and window of the rows that count.

    Where only some windows are wanted, the instants that they span let Delta skip the files of all others.
    """
    unseen = " OR ".join(
        f"(_v = {int(version)} AND _t > {instant(until)})" for version, until in population.trained_until.items()
    )
    rows = (
        f"SELECT {', '.join(_keys(population.entity))}, CAST({quoted(population.event_time)} AS TIMESTAMP) AS _t, "  # noqa: S608
        f"{SCORE} AS _score, model_version AS _v FROM {population.predictions} "
        f"WHERE scored_as_of <= {instant(population.as_of)}"
    )
    kept = [f"year(_t) < {LAST_YEAR}", f"({unseen})"]
    if isinstance(some, datetime):
        kept += [f"_t >= {instant(some)}"] if some > BEGINNING else []
    else:
        spans = [population.windows.window(key) for key in some]
        first, last = min(span.start for span in spans), max(span.end for span in spans)
        kept += [f"_t >= {instant(first)}", f"_t < {instant(last)}"]
    scored = f"SELECT *, {population.windows.key_sql('_t')} AS _w FROM ({rows}) WHERE {' AND '.join(kept)}"  # noqa: S608
    if isinstance(some, tuple):
        scored = f"SELECT * FROM ({scored}) WHERE _w IN ({', '.join(map(literal, some))})"  # noqa: S608
    return f"WITH _scored AS ({scored})"


def _labelled(population: Population) -> str:
    """`_scored` with `_label`: NULL while it is not mature."""
    labels = population.labels
    if labels is None:
        return "(SELECT *, CAST(NULL AS DOUBLE) AS _label FROM _scored)"
    source = (
        f"SELECT {', '.join(_keys(population.entity))}, CAST((\n{labels.expression}\n) AS DOUBLE) AS _known "  # noqa: S608
        f"FROM {labels.relation}"
    )
    mature = f"CASE WHEN _t + {labels.delay} <= {instant(population.as_of)} THEN _known END AS _label"
    return f"(SELECT *, {mature} FROM _scored LEFT JOIN ({source}) USING ({_key_names(population.entity)}))"  # noqa: S608


def _join(features: str, entity: Sequence[str], columns: Mapping[str, str]) -> str:
    wanted = [*_keys(entity), *(f"{quoted(name)} AS {column}" for name, column in columns.items())]
    return f" JOIN (SELECT {', '.join(wanted)} FROM ({features})) USING ({_key_names(entity)})"  # noqa: S608


def _keys(entity: Sequence[str]) -> list[str]:
    return [f"{quoted(column)} AS _e{place}" for place, column in enumerate(entity)]


def _key_names(entity: Sequence[str]) -> str:
    return ", ".join(f"_e{place}" for place in range(len(entity)))


def _value(column: str, reference: Distribution) -> str:
    """The column as the reference sees it: a finite number, or a text; else NULL."""
    if reference.kind == "category":
        return f"CAST({column} AS STRING)"
    number = f"CAST({column} AS DOUBLE)"
    return f"CASE WHEN abs({number}) < CAST('Infinity' AS DOUBLE) THEN {number} END"


def _bins(column: str, reference: Distribution) -> list[str]:
    """What is counted: values up to each edge, or equal to each category; last, rows without a value."""
    if reference.kind == "category":
        tests = [f"{column} = {literal(name)}" for name in reference.categories]
    else:
        tests = [f"{column} <= CAST({edge!r} AS DOUBLE)" for edge in reference.edges]
    return [*tests, f"{column} IS NULL"]


def _slice(reference: Distribution, found: Any, rows: int) -> Slice:
    *counts, nulls = (int(number) for number in found)
    if reference.kind == "numeric":
        counts = [high - low for low, high in zip([0, *counts], counts, strict=False)]
    return Slice(counts=(*counts, rows - nulls - sum(counts)), nulls=nulls)
