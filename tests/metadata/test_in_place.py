"""What changes in a text stands in the form of what was there: flow and block, quotes, folds and indentation."""

from __future__ import annotations

from typing import Any

import pytest

from metadata.documents import read_text
from metadata.kinds import Blueprint
from metadata.splicing import updated

TEXT = """\
datasets:
    bronze.orders:
        columns:
            id: long            # identifies
            amount: {type: double, unit: 'EUR',   description: "what was \\"paid\\""} # in full
            at:
                type: timestamp # UTC
        storage:
            mode: merge
            keys:
              - id       # first
              # and then
              - amount
        tags: [ 'a b',  "c", d ]
        quality:
            known: { expect: 'amount IS NOT NULL' ,at_most: 5 % }

pipelines:
    orders:
        tasks:
            load: {kind: ingest, from: {connection: landing, files: "*.csv"},   to: bronze.orders} # nightly
            sum:
                to: gold.revenue
                kind: transform   # last is first
                sql: >
                    SELECT at, sum(amount)
                    FROM bronze.orders

                    GROUP BY at
            again:
                kind: transform
                to: gold.again
                sql: "SELECT id
                  FROM bronze.orders   -- as \\u2200 they"
                after: [sum]
            third: {kind: transform, to: gold.third, sql: 'SELECT ''x'' AS x
                FROM bronze.orders'}
            last:
                kind: transform
                to: gold.last
                sql: | # counted
                      SELECT count(*)   -- all
                         AS n

                      FROM bronze.orders
"""


def changed(change: Any) -> str:
    """The text after a change of what it says."""
    body = read_text(TEXT).blueprint.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    change(body["datasets"]["bronze.orders"], body["pipelines"]["orders"]["tasks"])
    return updated(TEXT, Blueprint.model_validate(body))


def sales(task: Any) -> None:
    """The query of a task of another dataset."""
    task["sql"] = task["sql"].replace("orders", "sales")


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (lambda d, t: d["columns"]["id"].update(type="int"), "id: long            #", "id: int            #"),
        (lambda d, t: d["columns"]["amount"].update(unit="it's"), "unit: 'EUR'", "unit: 'it''s'"),
        (lambda d, t: d["columns"]["amount"].update(description='a "b"'), '"what was \\"paid\\""', '"a \\"b\\""'),
        (lambda d, t: d["columns"]["amount"].pop("unit"), ", unit: 'EUR',   ", ", "),
        (lambda d, t: d["columns"]["at"].update(type="date"), "type: timestamp #", "type: date #"),
        (lambda d, t: d["columns"]["at"].update(unit="d"), "# UTC\n", "# UTC\n                unit: d\n"),
        (lambda d, t: d["storage"].update(keys=["id", "at"]), "- amount\n", "- at\n"),
        (lambda d, t: d["storage"].update(keys=["id"]), "              # and then\n              - amount\n", ""),
        (lambda d, t: d["storage"]["keys"].append("at"), "- amount\n", "- amount\n              - at\n"),
        (lambda d, t: d.update(tags=["a b", "x", "d", "e"]), '"c", d ]', '"x", d, e ]'),
        (lambda d, t: d.update(tags=["d", "a b"]), "'a b',  \"c\", d ]", "d, 'a b' ]"),
        (lambda d, t: d["quality"]["known"].update(at_most=0.1), "at_most: 5 %", "at_most: 10 %"),
        (lambda d, t: t["load"].update(to="bronze.sales"), "to: bronze.orders} #", "to: bronze.sales} #"),
        (lambda d, t: t["load"].update(retries=2), "to: bronze.orders} #", "to: bronze.orders,   retries: 2} #"),
        (lambda d, t: sales(t["sum"]), "FROM bronze.orders\n\n", "FROM bronze.sales\n\n"),
        (lambda d, t: sales(t["again"]), "bronze.orders   -- as", "bronze.sales   -- as"),
        (lambda d, t: sales(t["third"]), "bronze.orders'}", "bronze.sales'}"),
        (lambda d, t: sales(t["last"]), f"n\n\n{' ' * 22}FROM bronze.orders", f"n\n\n{' ' * 22}FROM bronze.sales"),
    ],
)  # fmt: skip
def test_only_what_changed_is_other_bytes(change: Any, before: str, after: str) -> None:
    assert TEXT.count(before) == 1
    assert changed(change) == TEXT.replace(before, after)


def test_an_entry_under_another_name_stands_where_it_stood() -> None:
    def rename(dataset: Any, _: Any) -> None:
        dataset["columns"] = {"key" if name == "id" else name: each for name, each in dataset["columns"].items()}
        dataset["storage"]["keys"] = ["key", "amount"]

    assert changed(rename) == TEXT.replace(" id: long ", " key: long ").replace("- id  ", "- key  ")


def test_the_one_column_that_is_another_one_in_its_place_keeps_its_comment() -> None:
    def rename(dataset: Any, _: Any) -> None:
        there = dataset["columns"].items()
        dataset["columns"] = {"key" if name == "id" else name: each for name, each in there}
        dataset["columns"]["key"] = {"type": "int"}
        dataset["storage"]["keys"] = ["key", "amount"]

    assert changed(rename) == TEXT.replace(" id: long ", " key: int ").replace("- id  ", "- key  ")


def test_a_task_that_says_what_it_was_stands_where_that_stood_whatever_else_of_it_is_changed() -> None:
    def rename(_: Any, tasks: Any) -> None:
        there = dict(tasks)
        tasks.clear()
        for name, task in there.items():
            tasks.update({"total": {**task, "was": "sum", "retries": 2}} if name == "sum" else {name: task})

    assert changed(rename) == TEXT.replace(" sum:\n", " total:\n").replace("[sum]", "[total]").replace(
        "to: gold.revenue\n                kind: transform   # last is first\n",
        "to: gold.revenue\n                retries: 2\n                kind: transform   # last is first\n"
        "                was: sum\n",
    )


def test_of_two_tasks_that_say_the_same_each_keeps_its_comments_where_one_says_what_it_was() -> None:
    task = {"kind": "monitor", "monitor": "m"}
    lines = "".join(
        f"      {name}:  # about {name}\n        kind: monitor\n        monitor: m\n" for name in ("b", "a")
    )
    text = f"pipelines:\n  p:\n    tasks:\n{lines}"
    new = {"pipelines": {"p": {"tasks": {"y": task, "x": {**task, "was": "b"}}}}}
    found = updated(text, Blueprint.model_validate(new))
    assert "x:  # about b\n" in found
    assert "about a" not in found
