"""What touches the outside: paths, file formats, cron, time zones and lengths of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

from metadata.bindings import bind
from metadata.checks.view import View
from metadata.errors import UsageError
from metadata.findings import Finding, Path, instead, nearest
from metadata.kinds import FilesConnection
from metadata.tasks.ingest import Ingest
from metadata.values import Period, counted, period

_STORES = ("s3a", "s3", "abfss", "abfs", "wasbs", "gs", "hdfs", "dbfs")


def check_paths(view: View) -> Iterator[Finding]:
    """Folders lie below the data root or in an object store; patterns stay within their folder."""
    remedy = "write a path below the data root, such as landing"
    for key, connection in view.blueprint.connections.items():
        if isinstance(connection, FilesConnection):
            scheme, separator, rest = connection.path.partition("://")
            if separator and scheme not in _STORES:
                cause = f"{scheme}:// is no object store"
                yield view.finding("PH151", ("connection", key), ("path",), cause, instead(scheme, _STORES))
            elif _leads_out(rest if separator else connection.path):
                cause = f"{connection.path!r} leads out of the data root"
                yield view.finding("PH151", ("connection", key), ("path",), cause, remedy)
    for task in view.of_kind("ingest"):
        source = task.spec.source if isinstance(task.spec, Ingest) else None
        if source is None or source.files is None:
            continue
        if _leads_out(source.files) or "://" in source.files:
            cause = f"{source.files!r} leads out of its folder"
            yield view.of_task("PH151", task, ("from", "files"), cause, "write a pattern of names, such as a-*.csv")
        if source.format_of_files is None:
            cause = f"{source.files!r} does not tell what kind of file it is"
            yield view.of_task("PH152", task, ("from", "files"), cause, "add format: csv, json or parquet")


def _leads_out(path: str) -> bool:
    parts = path.replace("\\", "/").split("/")
    return path[:1] in ("/", "\\", "~") or ".." in parts or "\0" in path or not path.strip() or path[1:2] == ":"


def check_schedules(view: View) -> Iterator[Finding]:
    """Cron and time zones can be read, and the pipeline gets the parameters that it needs."""
    for key, pipeline in view.blueprint.pipelines.items():
        yield from _time_zone(view, ("pipeline", key), pipeline.timezone)
    for key, schedule in view.blueprint.schedules.items():
        where = ("schedule", key)
        yield from _time_zone(view, where, schedule.timezone)
        problem = _cron_problem(schedule.cron)
        if problem:
            remedy = "write minute, hour, day of month, month, day of week, as in 0 6 2 * *"
            yield view.finding("PH153", where, ("cron",), f"{schedule.cron!r} {problem}", remedy)
        target = view.blueprint.pipelines.get(schedule.pipeline)
        if target is not None:
            try:
                bind(schedule.pipeline, target.parameters, schedule.parameters)
            except UsageError as error:
                yield view.finding("PH122", where, ("parameters",), error.fault.cause, error.fault.remedy)


def check_parameters(view: View) -> Iterator[Finding]:
    """Defaults are of the declared type."""
    for key, pipeline in view.blueprint.pipelines.items():
        for name, parameter in pipeline.parameters.items():
            path = ("parameters", name)
            if name == "as_of":
                cause = "every run has as_of: the instant that it speaks for"
                yield view.finding("PH122", ("pipeline", key), path, cause, "give it another name")
            elif not name.isidentifier():
                cause = f"SQL cannot read :{name}"
                yield view.finding("PH122", ("pipeline", key), path, cause, "write letters, digits and _")
            elif parameter.default is not None:
                try:
                    bind(key, {name: parameter}, {})
                except UsageError as error:
                    yield view.finding("PH122", ("pipeline", key), (*path, "default"), error.fault.cause, "mend it")


def check_lengths(view: View) -> Iterator[Finding]:
    """Lengths of time within which something has to be are not nothing."""
    blueprint = view.blueprint
    found: list[tuple[str, str, Path, str | None]] = []
    found += [("dataset", key, ("fresh_within",), one.fresh_within) for key, one in blueprint.datasets.items()]
    found += [("model", key, ("trained_on", "window"), one.trained_on.window) for key, one in blueprint.models.items()]
    found += [
        ("pipeline", key, ("tasks", name, "timeout"), task.timeout)
        for key, pipeline in blueprint.pipelines.items()
        for name, task in pipeline.tasks.items()
    ]
    for kind, key, path, length in found:
        if length is not None and period(length) == Period(0, timedelta()):
            cause = f"{length} is no length of time"
            yield view.finding("PH155", (kind, key), path, cause, "write a longer one, or leave it out")


def _time_zone(view: View, where: tuple[str, str], name: str) -> Iterator[Finding]:
    if name != "UTC" and name not in _zones():
        near = nearest(name, _zones())
        remedy = f"did you mean {near}?" if near else "write a name such as Europe/Berlin"
        yield view.finding("PH154", where, ("timezone",), f"there is no time zone {name}", remedy)


@cache
def _zones() -> frozenset[str]:
    """All names but those that stand for no place: that of a machine, and one that says that none was set."""
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def _cron_problem(text: str) -> str | None:
    """Why nothing can run by it; what cronsim reads and Prefect's croniter refuses is a problem too."""
    from cronsim import CronSim, CronSimError

    if len(text.split()) != 5:
        return f"has {counted(len(text.split()), 'field')}, not five"
    try:
        next(CronSim(text, datetime(2024, 1, 1)))
    except CronSimError as error:
        return f"is no cron: {str(error)[:1].lower()}{str(error)[1:]}"
    except StopIteration:
        return "never comes"
    _, _, days, _, weekdays = text.upper().split()
    if "LW" in days or "L" in weekdays:
        return "has the last working day (LW) or weekday (5L) of a month, which the orchestrator does not know"
    if len({"#" in each for each in weekdays.split(",")}) > 1:
        return "mixes weekdays of every week with those of a month (1,5#2), which the orchestrator does not know"
    return None
