"""SQL of tasks: safe, over columns that are there, with parameters that are declared."""

from __future__ import annotations

from collections.abc import Iterator

from metadata.checks.view import Task, View
from metadata.findings import Finding, instead
from metadata.sql import findings, parameters_of
from metadata.sql_columns import columns_of, look


def check_queries(view: View) -> Iterator[Finding]:
    """Every query of every task."""
    certain, likely = view.schemas(certain=True), view.schemas(certain=False)
    for task in view.tasks:
        for name, sql in task.spec.queries().items():
            problems = findings(sql)
            for problem in problems:
                where = f" (line {problem.line} of it)" if "\n" in sql.strip() and problem.line > 1 else ""
                yield view.of_task("PH120", task, (name,), problem.cause + where, problem.remedy)
            if problems:
                continue
            yield from _parameters(view, task, name, sql)
            sure = look(sql, certain).problems
            for problem in sure:
                yield view.of_task("PH121", task, (name,), problem.cause, problem.remedy)
            for problem in look(sql, likely).problems:
                if problem.cause not in {each.cause for each in sure}:
                    yield view.of_task("PH121", task, (name,), problem.cause, problem.remedy, "warning")


def _parameters(view: View, task: Task, name: str, sql: str) -> Iterator[Finding]:
    declared = view.blueprint.pipelines[task.pipeline].parameters
    for parameter in parameters_of(sql):
        if parameter != "as_of" and parameter not in declared:
            cause = f"it reads :{parameter}, which is no parameter of the pipeline"
            yield view.of_task("PH122", task, (name,), cause, instead(parameter, [*declared, "as_of"]))


def check_outputs(view: View) -> Iterator[Finding]:
    """A query gives the columns that its dataset declares, and none of the system's own."""
    certain = view.schemas(certain=True)
    for task in view.of_kind("transform"):
        target = view.blueprint.datasets.get(str(getattr(task.spec, "to", "")))
        columns = columns_of(task.spec.queries()["sql"], certain)
        if columns is None or target is None:
            continue
        given = {name.lower() for name in columns}
        for name in columns:
            if name.startswith("_"):
                cause = f"it gives the column {name}, and names that begin with _ are kept for the system"
                yield view.of_task("PH125", task, ("sql",), cause, "give it another name (AS …)")
        if not target.columns:
            continue
        declared = {name.lower(): name for name in target.columns}
        for lower, name in declared.items():
            if lower not in given:
                cause = f"it does not give the column {name} that its dataset declares"
                yield view.of_task("PH126", task, ("sql",), cause, instead(name, columns))
        for name in columns:
            if name.lower() not in declared and target.schema_drift == "fail":
                cause = f"it gives the column {name}, which its dataset does not declare"
                yield view.of_task("PH126", task, ("sql",), cause, "declare it, or leave it out")
