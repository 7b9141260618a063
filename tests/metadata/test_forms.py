"""Forms: what a definition says as lines that are typed, and back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from pydantic import BaseModel, Field

from metadata.contents import content
from metadata.documents import dump_one, read_text
from metadata.errors import UsageError
from metadata.field_marks import DatasetKey, ModelKey, Rule, Written
from metadata.findings import Finding, Path
from metadata.form_edits import add, move, put, put_kind, rename
from metadata.form_names import names_for
from metadata.forms import Line, Problems, Subject, examine, lines, subject_of, text_of, with_findings
from metadata.kinds import Definition
from metadata.shapes import Entries, Part, path_within, shape_of
from metadata.tagged import Tagged
from metadata.three_way import ABSENT
from metadata.typed import is_long, read, shown
from metadata.values import Duration, Share
from tests.metadata.blueprints import definitions, orders


def every_line(subject: Subject) -> dict[Path, Line]:
    entries: set[Path] = set()
    while True:
        found = lines(subject, {}, everything=True, opened=entries)
        more = {line.path for line in found.lines if line.closed and line.own}
        if not more:
            return {line.path: line for line in found.lines}
        entries |= more


def model_with(params: dict[str, Any]) -> Definition:
    model = orders().models["returns"]
    return model.model_copy(update={"uid": "", "estimator": model.estimator.model_copy(update={"params": params})})


def typed_again(subject: Subject) -> Subject:
    """The same, filled in line by line from nothing, as somebody types it."""
    made = Subject(subject.kind, subject.key, {})
    for path, line in every_line(subject).items():
        if not line.is_set:
            continue
        if line.what == "field":
            long = is_long(line.shape, line.value)
            made = put(made, path, line.value if long else read(line.shape, shown(line.shape, line.value)))
        elif line.own:
            made = add(made, path[:-1], line.name)
        elif made.at(path) is ABSENT:
            made = put(made, path, {})
    return made


@examples(max_examples=80, deadline=None)
@given(definitions())
@example(("model", model_with({"a": {"b": None}, "c": "{b: }", "d": [1, 1.0, "1", None]})))
@example(("connection", orders().connections["landing"].model_copy(update={"nulls": ("[]",)})))
def test_a_form_that_is_filled_in_gives_the_definition(given_: tuple[str, Definition]) -> None:
    kind, value = given_
    opened = subject_of(dump_one(kind, "some.thing", value))
    again = typed_again(opened)
    assert examine(again)[1] == {}
    _, key, found = next(iter(read_text(text_of(again)).blueprint))
    assert (key, content(found)) == ("some.thing", content(value))


class Limit(BaseModel):
    """How much is too much."""

    most: float = Field(ge=0, description="Largest.")
    tested: bool = True


class Endless(Tagged):
    """It never ends."""

    kind: Literal["endless"] = "endless"


class Timed(Tagged):
    """It ends."""

    kind: Literal["timed"] = "timed"
    after: Duration


class Newest(BaseModel):
    """A kind that nobody knows."""

    source: DatasetKey = Field(alias="from", description="Read.")
    filter_: Annotated[str, Written("sql", over="from")] | None = Field(None, alias="filter")
    guard: Rule = "true"
    mode: Literal["a", "b"] = "a"
    window: Literal["day"] | Duration = "day"
    share: Share | None = None
    tries: int = 3
    models: tuple[ModelKey, ...] = ()
    anything: dict[str, Any] = {}
    limits: dict[str, Limit] = {}
    ends: Annotated[Endless | Timed, Field(discriminator="kind")] = Endless()
    odd: tuple[Limit, ...] = ()


def test_the_fields_of_a_kind_that_nobody_listed_are_known_from_its_model() -> None:
    part = shape_of(Newest)
    assert isinstance(part, Part)
    fields = {field.name: field for field in part.fields({})}
    words = {name: field.shape.words for name, field in fields.items()}
    assert words == {
        "from": "key of a dataset",
        "filter": "Spark SQL",
        "guard": "CEL",
        "mode": "one of a, b",
        "window": "day, or a length of time, as in 30 d",
        "share": "share, as in 5 %",
        "tries": "whole number",
        "models": "list, each key of a model",
        "anything": "entries by name, each any value",
        "limits": "entries by name, each keys with values",
        "ends": "of kind endless or timed",
        "odd": "any value",
    }
    assert [name for name, field in fields.items() if field.required] == ["from"]
    assert (fields["tries"].default, fields["ends"].default) == (3, {"kind": "endless"})
    limits, ends = fields["limits"].shape, fields["ends"].shape
    assert isinstance(limits, Entries)
    assert [field.name for field in limits.value.fields({})] == ["most", "tested"]  # type: ignore[union-attr]
    assert [field.name for field in ends.fields({"kind": "timed"})] == ["kind", "after"]  # type: ignore[union-attr]
    assert fields["limits"].help == "" and fields["from"].help == "Read."


def test_what_is_typed_wrongly_stays_as_it_was_typed_and_is_told_where_it_stands() -> None:
    form = subject_of("pipelines:\n  p:\n    tasks:\n      t: {kind: train, retries: many, tmeout: 3 s}\n      u: {}\n")
    definition, problems = examine(form)
    assert definition is None
    assert problems == {
        ("tasks", "t", "model"): "required",
        ("tasks", "t", "retries"): "retries is 'many': expected a whole number",
        ("tasks", "t", "tmeout"): "there is no key tmeout: did you mean timeout?",
        ("tasks", "u", "kind"): "required",
    }
    found = lines(form, problems, everything=False, opened=[("tasks", "t")])
    told = {line.path: line.problem for line in found.lines if line.problem}
    assert told[("tasks", "t", "retries")] == "retries is 'many': expected a whole number"
    assert told[("tasks", "u")] == "kind required", "what is closed says what is wrong in it"
    assert subject_of(text_of(form)) == form


def test_what_is_wrong_in_one_field_leaves_all_others_as_they_are_written() -> None:
    text = """\
datasets:
  bronze.orders:
    columns:
      id: long
      amount: {type: double, unit: EUR}
    quality:
      sane: {expect: amount > 0, at_most: 2 %}
"""
    assert text_of(subject_of(text)) == text
    wrong = put(subject_of(text), ("quality", "sane", "at_most"), "2 %1")
    assert text_of(wrong) == text.replace("2 %", "2 %1")


def test_a_line_that_is_held_is_there_while_it_says_nothing() -> None:
    path: Path = ("quality", "sane", "at_most")
    subject = subject_of("datasets: {bronze.orders: {quality: {sane: {expect: amount > 0}}}}")
    opened = {path[:-1]}
    without = lines(subject, {}, everything=False, opened=opened)
    found = lines(subject, {}, everything=False, opened=opened, held=[path])
    assert path not in [line.path for line in without.lines]
    assert path in [line.path for line in found.lines]
    assert found.hidden == without.hidden - 1


def test_lines_that_are_held_stay_in_order_while_a_part_of_them_is_said_first() -> None:
    subject = Subject("dataset", "a.b", {"quality": {}})
    held = [line.path for line in lines(subject, {}, everything=True, opened=()).lines]
    said = put(put(subject, ("storage", "keys"), ["id"]), ("owner",), "ops")
    assert [line.path for line in lines(said, {}, everything=True, opened=(), held=held).lines] == held
    assert [line.path for line in lines(said, {}, everything=True, opened=()).lines] != held


def test_what_is_wrong_with_all_of_it_has_a_line_but_not_while_lines_are_held() -> None:
    subject = Subject("dataset", "a.b", {"owner": "ops"})
    problems: tuple[Problems, ...] = ({}, {(): "all of it is wrong"})
    free, at_fault = (lines(subject, some, everything=True, opened=()).lines for some in problems)
    assert [at_fault[0].path, *(line.path for line in free)] == [line.path for line in at_fault]
    for held in (free, at_fault):
        paths = [line.path for line in held]
        for some in problems:
            assert [line.path for line in lines(subject, some, everything=True, opened=(), held=paths).lines] == paths


def test_parts_come_with_their_kind_and_go_with_it_and_come_back() -> None:
    form = put(Subject("monitor", "m", {}), ("threshold", "sigmas"), 4)
    assert form.body == {"threshold": {"kind": "calibrated", "sigmas": 4}}
    fixed, aside = put_kind(form, ("threshold",), "fixed", {})
    assert (fixed.body, aside) == ({"threshold": {"kind": "fixed"}}, {"sigmas": 4})
    again, aside = put_kind(fixed, ("threshold",), "calibrated", aside)
    assert (again.body, aside) == (form.body, {})


def test_an_entry_keeps_its_place_and_a_task_its_past_when_it_is_called_otherwise() -> None:
    text = "pipelines:\n  p:\n    tasks:\n      a: {kind: train, model: m}\n      b: {kind: train, model: m}\n"
    opened = subject_of(text)
    renamed = rename(opened, ("tasks", "a"), "c", opened)
    assert renamed.body["tasks"] == {"c": {"kind": "train", "model": "m", "was": "a"}, "b": opened.body["tasks"]["b"]}
    assert rename(renamed, ("tasks", "c"), "a", opened) == opened
    assert rename(opened, ("tasks", "a"), "b", opened) == opened, "no entry is lost"
    assert list(move(opened, ("tasks", "a"), 1).body["tasks"]) == ["b", "a"]
    fresh = add(opened, ("tasks",), "d")
    assert "was" not in rename(fresh, ("tasks", "d"), "e", opened).body["tasks"]["e"]


def test_findings_stand_at_the_field_that_documents_have() -> None:
    form = subject_of(
        "models:\n  m:\n    predicts: {label: x, from: gone}\n    features: [f]\n    estimator: {class: y}\n"
    )
    finding = Finding("PH110", "error", "model", "m", ("predicts", "source"), "there is no dataset gone", "define it")
    other = Finding("PH110", "error", "model", "n", ("predicts",), "", "")
    assert with_findings(form, [finding, other]) == {("predicts", "from"): "PH110 there is no dataset gone: define it"}


@pytest.mark.parametrize(
    "text", ["", "a: [", "datasets:\n  a: {}\n  b: {}\n", "datasets:\n  a: x\n", "what:\n  a: {}\n"]
)
def test_a_text_without_one_definition_is_no_form(text: str) -> None:
    with pytest.raises(UsageError, match="PH820"):
        subject_of(text)


def test_texts_name_the_columns_of_their_dataset_and_the_outcomes_of_their_monitor() -> None:
    blueprint = orders()
    rule = subject_of(dump_one("decision", "retrain", blueprint.decisions["retrain"]))
    assert names_for(rule, ("when",), blueprint).outcomes["performance"] == ("roc_auc",)
    label = subject_of(dump_one("model", "returns", blueprint.models["returns"]))
    assert list(names_for(label, ("predicts", "label"), blueprint).datasets) == ["silver.orders"]
    pipeline = subject_of(dump_one("pipeline", "orders", blueprint.pipelines["orders"]))
    assert "returned" in names_for(pipeline, ("tasks", "clean", "sql"), blueprint).datasets["bronze.orders"]
    assert "ingest" in names_for(pipeline, ("tasks", "train", "when"), blueprint).outcomes["tasks"]
    fresh = Subject("dataset", "new.one", {"columns": {"here": {"type": "long"}}, "quality": {"q": {}}})
    assert names_for(fresh, ("quality", "q", "expect"), blueprint).datasets == {"new.one": ("here",)}


@pytest.mark.parametrize("pasted", ["z" * 30_000, "a b\n'" * 6_000], ids=["one word", "words"])
def test_what_is_wrong_with_a_long_value_repeats_only_its_beginning(pasted: str) -> None:
    for kind, fields in (("decision", {"cooldown": pasted}), ("dataset", {"quality": {pasted: pasted}})):
        problems = examine(Subject(kind, "k", fields))[1]
        assert problems
        assert all(len(told) < 300 for told in problems.values())
    unread = Finding("PH124", "error", "decision", "k", ("cooldown",), f"{pasted} is odd", f"write no {pasted!r}")
    assert len(with_findings(Subject("decision", "k", {"cooldown": pasted}), [unread])["cooldown",]) < 300


def test_a_path_that_dots_join_is_found_among_names_that_have_dots() -> None:
    body = {"a": {"b": 1}, "a.b": {"c.d": {"e": 2}, "c": 3}}
    assert path_within(body, "a.b.c.d.e") == ("a.b", "c.d", "e")
    assert path_within(body, "a.b.x") == ("a", "b")
    assert path_within(body, "x.y") == ()


def test_a_former_key_that_is_not_said_comes_after_all_that_a_definition_says() -> None:
    def shown(body: dict[str, Any]) -> list[str]:
        return [line.name for line in lines(Subject("dataset", "x.y", body), {}, everything=True, opened=set()).lines]

    assert shown({})[-1] == "was"
    assert shown({"was": "x.z"}).index("was") < shown({"was": "x.z"}).index("description")
