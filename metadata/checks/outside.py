"""What touches the outside: secrets, paths, file formats, cron and time zones."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from metadata.bindings import bind
from metadata.checks.view import View
from metadata.errors import UsageError
from metadata.findings import Finding, Path, instead, nearest
from metadata.kinds import FilesConnection, SqlConnection
from metadata.tasks.ingest import Ingest
from metadata.values import counted

_STORES = ("s3a", "s3", "abfss", "abfs", "wasbs", "gs", "hdfs", "dbfs")
_REFERENCE = re.compile(r"(env:[A-Za-z_]\w*|file:\S.*)")
_CREDENTIALS = re.compile(
    r"""AKIA[0-9A-Z]{16} | ASIA[0-9A-Z]{16}                                # AWS access keys
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY                                     # PEM, RFC 7468
    | gh[pousr]_[A-Za-z0-9]{36} | github_pat_\w{22,} | glpat-[\w-]{20}      # GitHub, GitLab
    | xox[abprs]-[\w-]{10,} | AIza[\w-]{35} | sk-[A-Za-z0-9_-]{20,}         # Slack, Google, OpenAI
    | dapi[0-9a-f]{32}                                                      # Databricks
    | eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+                                  # JSON web tokens, RFC 7519
    | [a-z][a-z0-9+.-]*://[^\s/:@'"]+:[^\s/@'"]+@                           # URLs with a password, RFC 3986
    | (?i:account_?key|shared_?access_?(?:key|signature)|secret_?key|password|passwd|pwd|api_?key|access_?token)
      \s*[=:]\s*['"]?(?!env:|file:)[^\s'"{},;]{6,}                          # name = value
    """,
    re.VERBOSE,
)
_SECRET_NAME = re.compile(r"(password|passwd|secret|token|api_?key|access_?key|credential)s?$", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9+/_=-]{32,}")


def check_secrets(view: View) -> Iterator[Finding]:
    """Secrets are references. What was found is never repeated."""
    remedy = "write env:NAME or file:PATH, and change the credential: it has been seen"
    for kind, key, definition in view.blueprint:
        if isinstance(definition, SqlConnection) and not _REFERENCE.fullmatch(definition.url):
            cause = "url is to be a reference, not the address itself"
            yield view.finding("PH150", (kind, key), ("url",), cause, "write env:NAME or file:PATH")
            continue
        for path, text in _texts(definition.model_dump(mode="python", by_alias=True), ()):
            named = any(_SECRET_NAME.search(str(step)) for step in path[-1:]) and "params" in path
            if _CREDENTIALS.search(text) or _random(text) or (named and text and not _REFERENCE.fullmatch(text)):
                yield view.finding("PH150", (kind, key), path, "it looks like a credential", remedy)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _texts(each, (*path, index))


def _random(text: str) -> bool:
    """Whether a long word has the entropy of a key: at least 4.3 bits a character (Shannon), in mixed characters."""
    for match in _WORD.finditer(text):
        word = match[0]
        mixed = re.search("[a-z]", word) and re.search("[A-Z]", word) and re.search("[0-9]", word)
        shares = [count / len(word) for count in Counter(word).values()]
        if mixed and -sum(share * math.log2(share) for share in shares) >= 4.3:
            return True
    return False


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
        if source.format is None and not source.files.lower().endswith((".csv", ".parquet")):
            cause = f"{source.files!r} does not tell what kind of file it is"
            yield view.of_task("PH152", task, ("from", "files"), cause, "add format: csv or parquet")


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


def _time_zone(view: View, where: tuple[str, str], name: str) -> Iterator[Finding]:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = nearest(name, available_timezones())
        remedy = f"did you mean {near}?" if near else "write a name such as Europe/Berlin"
        yield view.finding("PH154", where, ("timezone",), f"there is no time zone {name}", remedy)


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
