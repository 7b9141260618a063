"""How the first screen is drawn, as sections of rows. Pure."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual.content import Content

from console import narrow, pulse_view
from console.chosen import Chosen, Hold
from console.jump import definition_place
from console.mending import START
from console.narrow import Matches, unmatched
from console.places import Place
from console.service_view import cause_of
from console.text import (
    SIGNS,
    Sign,
    ago,
    as_of,
    bar,
    figure,
    glyph,
    joined,
    number,
    plain,
    seconds,
    shorten,
    span,
    spark,
    state_of,
    styled,
    switched,
)
from console.widgets.chrome import Service
from console.widgets.rows import Column, Row, Section
from metadata.states import State
from metadata.values import counted

if TYPE_CHECKING:
    from console.drafts import Kept
    from metadata.rows.attention import Attention
    from metadata.rows.health import ModelHealth
    from metadata.rows.overview import Overview, PipelineRow
    from metadata.rows.pages import DatasetRow, ModelRow, Page

MOST_NEEDED = 50
"""Rows of what needs a person that are shown."""
KEY_CELLS = 48
"""Cells that a key has at most."""
ATTENTION = (Column("", 22), Column("", prose=True), Column("", 13))
PIPELINES = (
    Column("", 22),
    Column("last 12", 12),
    Column("last", 10),
    Column("took", 7, "right"),
    Column("usual", 7, "right"),
    Column("next", prose=True),
)
FRESHNESS = (Column("", 26), Column("rows", 14, "right"), Column("age", 12, "right"), Column("", shown_from=60))
METRIC_CELLS = 20
MODELS = (
    Column("", 26),
    Column("metric", METRIC_CELLS),
    Column("measured", 10, "right"),
    Column("drift", 12),
    Column("", shown_from=100),
)
_SIGNS: dict[str, Sign] = {
    "failed": SIGNS[State.FAILED],
    "lost": SIGNS[State.LOST],
    "alert": SIGNS["attention"],
    "hold": SIGNS[State.WAITING],
    "undecided": SIGNS["undecided"],
    "stale": SIGNS["attention"],
}


@dataclass(frozen=True)
class Subject:
    """What a row of the first screen is about: for the keys that act on runs, for `L` and for `y`."""

    chosen: Chosen
    lineage: str
    name: str
    service: bool = False
    kept: bool = False
    """Whether it is an edit that was not applied."""


def sections(
    seen: Overview,
    now: datetime,
    missing: Sequence[Service] = (),
    kept: Sequence[Kept] = (),
    words: str = "",
    wanted: Matches = narrow.everything,
    staged: int = 0,
    services: Sequence[Service] = (),
) -> list[Section]:
    """The four sections, what needs a person first: services that are `missing` before all else, the own edits last.

    Of these, so many as are `staged` wait in the change set, and those that are `kept` were not applied. `services` are
    all that there are: a run that nothing is heard of waits for one that is away.

    What was read was filtered by `words`, but for what needs a person: of that, those that are `wanted` are shown.
    It may be thousands, and is drawn each second: no more rows are made than are shown.
    """
    named = functools.partial(narrow.rows, wanted, name=lambda row: str(row.value.name))
    own = [*([_change_set(staged)] if staged else []), *(_kept(one, now) for one in kept)]
    first, last = named(map(_missing, missing)), named(own)
    some = [one for one in seen.attention if wanted(_name(one), f"{one.thing} {one.cause} {one.remedy}")]
    needed = [*first, *map(_attention, some[:MOST_NEEDED]), *last][:MOST_NEEDED]
    total = len(first) + len(some) + len(last)
    none = unmatched(words) if words else ""
    attention = Section(
        ATTENTION,
        needed,
        _title("ATTENTION", len(needed), total),
        none or "Nothing needs you. Failed runs, holds, alerts, stale data and edits not applied appear here.",
    )
    pipelines = Section(
        PIPELINES,
        [row for one in seen.pipelines.items for row in _pipeline(one, now, services)],
        _title_of("PIPELINES", seen.pipelines),
        none
        or "No pipelines yet. Apply a blueprint (pilothouse blueprint apply FILE), or see the demo: pilothouse demo",
    )
    freshness = Section(
        FRESHNESS,
        [_dataset(one, now) for one in seen.freshness.items],
        _title_of("FRESHNESS", seen.freshness),
        none or "No data yet. A run of a pipeline writes datasets; l launches one.",
    )
    models = Section(
        MODELS,
        [_model(one) for one in seen.models.items],
        _title_of("MODELS", seen.models),
        none or "No models yet. A task of kind train makes one.",
    )
    return _grown([attention, pipelines, models, freshness])


def _grown(some: Sequence[Section]) -> list[Section]:
    """Sections whose keys have room for the longest of them, where the terminal is wide."""
    most = min(KEY_CELLS, max((joined(row.cells[0]).cell_length for one in some for row in one.rows), default=0))
    return [replace(one, columns=(replace(one.columns[0], most=most), *one.columns[1:])) for one in some]


def _title_of(name: str, page: Page[Any]) -> str:
    return _title(name, len(page.items), page.total) + ("+" if page.capped else "")


def _title(name: str, shown: int, total: int) -> str:
    """The name of a section with how much there is; `/` finds what is not shown."""
    if not total:
        return name
    return f"{name} {shown} of {number(total)}" if shown < total else f"{name} {number(total)}"


def _missing(one: Service) -> Row:
    sign = SIGNS[State.FAILED]
    return Row(
        f"service {one.name}",
        (
            joined((f"{sign} ", sign.tone), (one.name, "strong"), (f" is {one.word}", "")),
            plain(cause_of(one)),
            joined((f"{START} ", "key"), "start"),
        ),
        value=Subject(Chosen(), "", one.name, service=True),
    )


def _change_set(edits: int) -> Row:
    sign = SIGNS["attention"]
    return Row(
        "change set",
        (
            joined((f"{sign} ", sign.tone), ("change set", "strong")),
            f"{counted(edits, 'edit')} of yours {'waits' if edits == 1 else 'wait'} to be applied",
            joined(("P ", "key"), "review"),
        ),
        Place("changes"),
        Subject(Chosen(), "", "change set"),
    )


def _kept(one: Kept, now: datetime) -> Row:
    sign = SIGNS["attention"]
    return Row(
        f"kept {one.path}",
        (
            joined((f"{sign} ", sign.tone), (plain(one.key), "strong")),
            f"{one.kind.replace('_', ' ')} not applied, {ago(one.at, now)}: {plain(one.gist)}",
            joined(("enter ", "key"), "open"),
        ),
        Place("blueprint", f"{one.kind} {one.key}"),
        Subject(Chosen(), f"{one.kind} {one.key}", one.key, kept=True),
    )


def _attention(one: Attention) -> Row:
    sign = _SIGNS[one.what]
    times = f" ×{one.count}" if one.count > 1 else ""
    place = {
        "run": Place("run", one.subject),
        "decision": Place("decisions", one.subject),
        "dataset": definition_place("dataset", one.subject),
    }[one.subject_kind]
    return Row(
        f"attention {one.what} {one.uid}",
        (
            joined((f"{sign} ", sign.tone), (plain(one.thing), "strong"), (glyph(times), sign.tone)),
            plain(one.cause),
            joined((f"{one.key} ", "key"), one.remedy),
        ),
        place,
        _subject_of(one),
    )


def _name(one: Attention) -> str:
    """What it is about, by its name in the blueprint."""
    return one.thing.rpartition(" #")[0] if one.subject_kind == "run" else one.thing


def _subject_of(one: Attention) -> Subject:
    name = f"{one.subject_kind} {one.subject}"
    if one.subject_kind == "run":
        pipeline = _name(one)
        state = State.LOST if one.what == "lost" else State.FAILED
        return Subject(Chosen(pipeline, one.uid, int(one.subject), state), f"pipeline {pipeline}", name)
    if one.subject_kind == "decision":
        holds = (Hold(one.uid, one.thing, int(one.subject)),) if one.what == "hold" else ()
        return Subject(Chosen(holds=holds), f"decision {one.thing}", name)
    return Subject(Chosen(), name, one.subject)


def _of_pipeline(one: PipelineRow) -> Subject:
    run = one.newest
    chosen = Chosen(one.key, run.id, run.number, run.state, as_of(run.as_of)) if run else Chosen(one.key)
    return Subject(chosen, f"pipeline {one.key}", one.key)


def _pipeline(one: PipelineRow, now: datetime, services: Sequence[Service]) -> list[Row]:
    run = one.newest
    marks = joined(*((str(state_of(mark.state)), state_of(mark.state).tone) for mark in one.last))
    going = run is not None and not run.state.final
    took = pulse_view.taken(run, now) if run and going else one.took
    slow = took is not None and one.usual is not None and took > max(1.5 * one.usual, one.usual + 2)
    rows = [
        Row(
            f"pipeline {one.key}",
            (
                switched(one.key, one.enabled, "strong"),
                marks,
                _last(one, now),
                styled(seconds(took), "warn" if slow else ""),
                styled(seconds(one.usual), "quiet"),
                styled(ago(one.next_at, now) if one.next_at else glyph("–"), "quiet"),
            ),
            Place("run", str(run.number)) if run else definition_place("pipeline", one.key),
            _of_pipeline(one),
        )
    ]
    if run is not None and one.progress is not None and run.state is not State.QUEUED:
        rows.append(_live(one, now, services))
    return rows


def _last(one: PipelineRow, now: datetime) -> Content:
    run = one.newest
    if run is None:
        return styled("never", "quiet")
    if not run.state.final:
        if pulse_view.silent(run, now):
            return pulse_view.state(run, now)
        sign = state_of(run.state)
        return styled("now" if run.state is State.RUNNING else sign.word, sign.tone)
    return styled(ago(run.ended_at or run.created_at, now), "quiet")


def _live(one: PipelineRow, now: datetime, services: Sequence[Service]) -> Row:
    """The task that runs now: a bar of tasks done, and what it says of itself."""
    assert one.progress is not None and one.newest is not None  # noqa: S101 - the caller looked
    going = one.progress
    heard = pulse_view.last_heard(one.newest, now, services)
    sign = state_of(State.LOST if heard else State.RUNNING)
    said = going.said
    inner = f"{said.get('done', 0)}/{said.get('total', 0)} {said.get('what', '')}" if said.get("total") else ""
    return Row(
        f"live {one.key}",
        (
            joined((f"  {sign} ", sign.tone), going.task_key or one.newest.state),
            joined((bar(going.done, going.total, 12), "active")),
            styled(f"{going.done} of {going.total}" if going.total < 1_000 else f"{going.done}/{going.total}", "quiet"),
            "",
            "",
            styled(heard or inner, "warn" if heard else "quiet"),
        ),
        Place("run", str(one.newest.number)),
        _of_pipeline(one),
    )


def _dataset(one: DatasetRow, now: datetime) -> Row:
    age = span((now - one.written_at).total_seconds()) if one.written_at else glyph("–")
    note = f"usual within {one.fresh_within}" if one.stale else ""
    return Row(
        f"dataset {one.key}",
        (
            switched(one.key, one.enabled),
            number(one.rows),
            styled(age + (" !" if one.stale else ""), "warn" if one.stale else "quiet"),
            styled(note, "warn"),
        ),
        definition_place("dataset", one.key),
        Subject(Chosen(), f"dataset {one.key}", one.key),
    )


def _model(one: ModelHealth) -> Row:
    model = one.model
    version = f" v{model.champion}" if model.champion else ""
    challenger = f"challenger v{model.challenger}" if model.challenger else ""
    return Row(
        f"model {model.key}",
        (
            joined(switched(model.key, model.enabled), (version, "accent" if model.enabled else "quiet")),
            _metric(model) if model.champion else
            styled("no champion yet" if model.versions else "not trained yet", "quiet"),
            styled(figure(one.measured) if one.measured is not None else glyph("–"), ""),
            joined((spark(one.drift[-12:]) or glyph("–"), "")),
            styled(challenger, "quiet"),
        ),
        definition_place("model", model.key),
        Subject(Chosen(), f"model {model.key}", model.key),
    )  # fmt: skip


def _metric(model: ModelRow) -> Content:
    """The metric by name and value; of a name that is too long the middle goes, never digits."""
    value = figure(model.metric_value)
    return joined((shorten(model.metric, METRIC_CELLS - 1 - len(value)) + " ", "quiet"), value)
