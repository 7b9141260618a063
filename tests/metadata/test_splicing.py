"""Texts brought up to date: they say what is wanted, and what did not change stays byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metadata.commented import comments_kept, comments_of, lines_in, with_comments
from metadata.documents import dump_one, read_text
from metadata.errors import PilothouseError
from metadata.formatting import says
from metadata.kinds import SECTIONS, Blueprint, Dataset
from metadata.parts import Column
from metadata.splicing import is_empty, updated
from metadata.yaml_writer import plain, plain_content, write_body
from tests.metadata.blueprints import orders
from tests.metadata.commenting import blueprints, commented_texts

TEXT = """\
# The shop.

datasets:
    # raw, as they land
    bronze.orders:
        columns: { order_id: long,  amount: double }   # all of them
        layer: bronze     # first
        storage:
            mode: append    # explicit

            keys: [order_id] # identify


    gold.revenue: {layer: gold}   # by day
    # more to come

pipelines:
    orders:
        tasks:
            load: {kind: ingest, from: {connection: landing, files: "*.csv"}, to: bronze.orders}
            sum:   # up
                kind: transform
                to: gold.revenue
                sql: |
                    SELECT 1   -- one
connections:
    landing: {kind: files,
       path: landing}   # where they land
# end
"""
END = "    pipeline: orders\n    cron: 0 6 * * *\n    timezone: Europe/Berlin\n# end\n"


def there() -> Blueprint:
    return read_text(TEXT).blueprint


def with_dataset(key: str, **changes: object) -> Blueprint:
    found = there()
    return found.model_copy(
        update={"datasets": {**found.datasets, key: found.datasets[key].model_copy(update=changes)}}
    )


def test_only_the_line_that_differs_is_another() -> None:
    assert updated(TEXT, there()) == TEXT
    gold = updated(TEXT, with_dataset("bronze.orders", layer="gold"))
    assert gold == TEXT.replace("        layer: bronze     # first", "        layer: gold     # first")
    found = there()
    sql = found.pipelines["orders"].tasks["sum"].model_copy(update={"sql": "SELECT 2"})
    tasks = {**found.pipelines["orders"].tasks, "sum": sql}
    pipelines = {"orders": found.pipelines["orders"].model_copy(update={"tasks": tasks})}
    changed = updated(TEXT, found.model_copy(update={"pipelines": pipelines}))
    assert changed == TEXT.replace(
        "sql: |\n                    SELECT 1   -- one\n", "sql: |-\n                    SELECT 2\n"
    )


def test_what_is_new_has_its_place_and_what_goes_takes_its_comments_along() -> None:
    found = there()
    datasets = {"bronze.orders": found.datasets["bronze.orders"], "silver.new": Dataset(owner="ops")}
    made = updated(TEXT, found.model_copy(update={"datasets": datasets, "schedules": orders().schedules}))
    assert "by day" not in made
    assert "keys: [order_id] # identify\n\n\n    silver.new:\n      owner: ops\n    # more to come\n" in made
    assert made.endswith("where they land\n\nschedules:\n  orders_daily:\n" + made[-len(END) :])
    assert made.endswith(END)
    owner = updated(TEXT, with_dataset("bronze.orders", owner="ops"))
    assert owner == TEXT.replace("    bronze.orders:\n", "    bronze.orders:\n        owner: ops\n")


def test_a_column_more_keeps_the_comment_on_all_of_them_and_a_new_order_is_one() -> None:
    columns = {"amount": Column(type="double"), "order_id": Column(type="long"), "at": Column(type="date", unit="d")}
    made = updated(TEXT, with_dataset("bronze.orders", columns=columns))
    assert "columns: { amount: double,  order_id: long,  at: {type: date, unit: d} }   # all of them\n" in made
    found = there()
    tasks = dict(reversed(found.pipelines["orders"].tasks.items()))
    turned = {"orders": found.pipelines["orders"].model_copy(update={"tasks": tasks})}
    made = updated(TEXT, found.model_copy(update={"pipelines": turned}))
    assert made.index("sum:   # up") < made.index("load: {kind: ingest, from")


WORDS = st.sampled_from(["one", "two", "three", "four", "five"])


@given(
    st.lists(WORDS, unique=True, min_size=1),
    st.sets(WORDS),
    st.sets(WORDS),
    st.sampled_from(["list", "flow list", "flow mapping"]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_comment_on_an_item_stays_with_it_whatever_comes_and_goes_beside_it(
    words: list[str], spoken: set[str], some: set[str], form: str, more: bool
) -> None:
    """What is written in the forms in which it can be, some of it with its own name as a comment, and then some of it
    gone, or some before it.
    """
    left = [word for word in words if word in some] or words[-1:]
    before, after = (left, words) if more else (words, left)
    close = "]" if form == "flow list" else "}"
    lines = [
        f"      {'- ' if form == 'list' else ''}{word}{': long' if close == '}' and form != 'list' else ''}"
        f"{',' if form != 'list' and word != before[-1] else ''}{f'  # {word}' if word in spoken else ''}\n"
        for word in before
    ]
    field = "columns" if form == "flow mapping" else "tags"
    opens = {"list": "", "flow list": " [", "flow mapping": " {"}[form]
    ends = "" if form == "list" else f"    {close}\n"
    text = f"datasets:\n  a:\n    {field}:{opens}\n{''.join(lines)}{ends}    owner: ops\n"
    value: object = {word: Column(type="long") for word in after} if field == "columns" else tuple(after)
    there = read_text(text).blueprint
    wanted = {"a": there.datasets["a"].model_copy(update={field: value})}
    made = updated(text, there.model_copy(update={"datasets": wanted}))
    said = [line.strip(" -,").split("#") for line in made.splitlines() if "#" in line]
    assert [comment.strip() for _, comment in said] == [word for word in after if word in spoken and word in before]
    assert all(entry.strip(" ,").removesuffix(": long") == comment.strip() for entry, comment in said)


def test_a_section_that_says_nothing_yet_keeps_what_is_said_of_it() -> None:
    text = (
        "# The shop.\n\n# as they land\ndatasets: {}  # none yet\n\n# asked by nobody\nmodels:   # later\n"
        "  # put them here\n"
    )
    made = updated(text, Blueprint(datasets={"a": Dataset(owner="ops")}))
    assert made == text.replace("datasets: {}  # none yet\n", "datasets:  # none yet\n  a:\n    owner: ops\n")


def test_a_text_that_is_given_stands_in_a_section_of_any_form() -> None:
    text = "# all\ndatasets: {a: {layer: gold}, b: {owner: ops}}  # few\n"
    own = "datasets:\n  # whose\n  a:\n    layer: gold\n"
    made = updated(text, read_text(text).blueprint, texts={("datasets", "a"): own})
    assert made == f"# all\ndatasets:  # few\n{own.partition(chr(10))[2]}  b:\n    owner: ops\n"


def test_another_key_keeps_all_else() -> None:
    found = there()
    datasets = {"bronze.sales" if key == "bronze.orders" else key: value for key, value in found.datasets.items()}
    made = updated(
        TEXT, found.model_copy(update={"datasets": datasets}), keys={("dataset", "bronze.orders"): "bronze.sales"}
    )
    assert made == TEXT.replace("    bronze.orders:\n", "    bronze.sales:\n")


def test_ends_of_lines_stay_and_a_missing_last_one_is_none() -> None:
    windows = TEXT.replace("\n", "\r\n")
    assert updated(windows, there()) == windows
    assert updated(windows, with_dataset("gold.revenue", owner="ops")).replace("\r\n", "").isprintable()
    assert updated("datasets:\n  a: {}  # x", Blueprint(datasets={"a": Dataset()})) == "datasets:\n  a: {}  # x"
    assert updated("", orders()).startswith("connections:\n")
    assert is_empty(updated(TEXT, Blueprint()))
    assert "# The shop." in updated(TEXT, Blueprint())


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=30)
@given(commented_texts(), blueprints())
def test_any_text_says_any_other_blueprint_then(made: tuple[str, Blueprint], wanted: Blueprint) -> None:
    text, before = made
    assert updated(text, before) == text
    after = updated(text, wanted)
    found, asked = plain_content(read_text(after).blueprint), plain_content(wanted)
    assert {section: dict(sorted(entries.items())) for section, entries in found.items()} == {
        section: dict(sorted(entries.items())) for section, entries in asked.items()
    }
    assert updated(after, wanted) == after
    assert says(after, read_text(after).blueprint)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=30)
@given(commented_texts(), st.data())
def test_one_field_more_costs_no_comment(made: tuple[str, Blueprint], data: st.DataObject) -> None:
    text, before = made
    kind, key, value = data.draw(st.sampled_from(list(before)))
    section = {**getattr(before, SECTIONS[kind]), key: value.model_copy(update={"owner": "somebody else"})}
    after = updated(text, before.model_copy(update={SECTIONS[kind]: section}))
    assert sorted(lines_in(after)) == sorted(lines_in(text))
    own = with_comments(comments_of(read_text(text))[kind, key], kind, key, section[key])
    assert plain_content(read_text(own).blueprint) == {SECTIONS[kind]: {key: plain(section[key])}}
    kept = set(lines_in(own))
    assert kept <= set(lines_in(text))


def test_a_text_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(PilothouseError, match="PH101"):
        updated("datasets: [", orders())


@given(commented_texts())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_comments_stay_while_a_definition_is_none_and_when_it_is_one_again(made: tuple[str, Blueprint]) -> None:
    document = read_text(made[0])
    for (kind, key), own in comments_of(document).items():
        value = document.blueprint.get(kind, key)
        if own is None or value is None:
            continue
        wrong = comments_kept(own, write_body(kind, key, {**plain(value), "no_field": [1]}))
        assert "no_field: [1]" in wrong
        mended = comments_kept(wrong, dump_one(kind, key, value))
        assert sorted(lines_in(wrong)) == sorted(lines_in(mended)) == sorted(lines_in(own))
        assert says(mended, read_text(own).blueprint)
    assert comments_kept("a: 1 # said", "a: [") == "a: ["
