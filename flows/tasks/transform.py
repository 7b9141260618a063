"""Transform: one Spark SQL query over datasets, at versions that the intent pins, into a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flows import engine
from flows.batches import input_relation, pin_inputs, write_batches
from flows.context import Outcome, TaskContext
from flows.parameters import bound
from metadata.intents import Intent
from metadata.sql import render
from metadata.tasks.transform import Transform

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def run(context: TaskContext) -> Outcome:
    """Run the query over what is there, or over the batches that it has not read yet, and write one batch."""
    return write_batches(context, intend, build)


def intend(context: TaskContext) -> Intent | str:
    """Pin every input; or the reason why there is nothing to do."""
    inputs = pin_inputs(context, cast(Transform, context.task.spec).reads)
    return inputs if isinstance(inputs, str) else Intent(inputs=inputs)


def build(context: TaskContext, intent: Intent) -> DataFrame:
    """The query's rows, its tables read as the intent pinned them and its parameters bound."""
    query = context.task.queries["sql"]
    relations = {token.dataset: input_relation(context, intent, token.dataset) for token in query.tokens}
    return engine.select(context.spark, bound(context, render(query, relations)))
