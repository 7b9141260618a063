"""What an operator reads when MLflow fails, or a model in it: a table from what it says to reasons in plain words."""

from __future__ import annotations

import re
import traceback

from flows.reasons import Reason, Said, as_error, find, one_line, tell
from metadata.errors import Fault, PilothouseError

THING = "model registry (MLflow)"
UNKNOWN = "PH629"
AWAY = frozenset({"PH620", "PH623", "PH624"})
"""Codes of faults that end when the store is there again, lets us in, or is less busy."""

ABOUT_A_MODEL = (
    Reason(
        "PH639",
        ("Failed to enforce schema", "Model is missing inputs", "Incompatible input types"),
        "the rows are not as the signature of the model says: {wrong}",
        "Train the model again on the features of today, or correct their columns and types",
    ),
    Reason(
        "PH640",
        ("feature names should match", "columns are missing", "is expecting", "could not convert string to float"),
        "the features are not those that the model was trained on: {wrong}",
        "Train the model again (run its pipeline), or correct the feature set (e)",
    ),
    Reason(
        "PH641",
        ("No module named", "Can't get attribute", "cannot import name"),
        "the model needs a package, or a version of it, that is not installed where it runs: {wrong}",
        "Install what stands in requirements.txt beside the model, or train it again",
    ),
    Reason(
        "PH642",
        ("UnpicklingError", "pickle data was truncated", "Ran out of input", "invalid load key", "unpickling"),
        "the file of the model is damaged",
        "Restore it from a backup, or train the model again",
    ),
)
"""What a model itself raises when it is loaded or asked, here or at the Spark server."""

# The first row that fits counts: what stops the store stands before what is wrong with what is asked of it.
ABOUT_THE_STORE = (
    Reason(
        "PH430",
        ("No space left on device", "Disk quota exceeded", "database or disk is full"),
        "the disk is full",
        "Free some space, then run it again (r)",
    ),
    Reason(
        "PH626",
        ("Detected out-of-date database schema", "Can't locate revision"),
        "its database has schema {found}, and this MLflow works with {expected}",
        "Back it up, then `mlflow db upgrade <address>` if it is older; if it is newer, install that version of MLflow",
    ),
    Reason(
        "PH627",
        ("file is not a database", "database disk image is malformed"),
        "its database is damaged, or no database",
        "Restore a backup of it (mlflow.db in the home when it is the embedded one)",
    ),
    Reason(
        "PH628",
        ("readonly database", "unable to open database file"),
        "its database cannot be opened or written",
        "Give the user who runs Pilothouse access to the file and its folder",
    ),
    Reason(
        "PH624",
        ("database is locked", "TEMPORARILY_UNAVAILABLE"),
        "its database is busy or locked by another process",
        "Run it again (r); if it stays so, end what holds the database",
    ),
    Reason(
        "PH623",
        ("error code 401", "error code 403", "UNAUTHENTICATED", "PERMISSION_DENIED", "Invalid Host header"),
        "the tracking server refuses us",
        "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN; check its allowed hosts",
    ),
    Reason(
        "PH620",
        (
            "Max retries exceeded",
            "Connection refused",
            "Connection aborted",
            "Connection reset",
            "Read timed out",
            "connection failed",
            "server closed the connection",
            "Name or service not known",
            "error code 502",
            "error code 503",
            "error code 504",
        ),
        "its store does not answer",
        "Start the tracking server, or check MLFLOW_TRACKING_URI; then run it again (r)",
    ),
    Reason(
        "PH630",
        ("got unsupported URI", "unsupported URI", "Could not parse SQLAlchemy URL", "Could not parse rfc1738 URL"),
        "that is no address of a model registry",
        "Set MLFLOW_TRACKING_URI to http://host:port, or to the SQLAlchemy URL of its database",
    ),
    Reason(
        "PH631",
        ("failed with error code 404", "failed with error code 405", "is not a valid JSON", "Expecting value: line"),
        "what answers at its address is no MLflow server",
        "Check MLFLOW_TRACKING_URI: scheme, host, port and path",
    ),
)
REASONS = (
    *ABOUT_THE_STORE,
    Reason(
        "PH632",
        ("must be in the 'active' state",),
        "its experiment was deleted in MLflow",
        "Restore it: mlflow experiments restore --experiment-id {experiment}",
    ),
    Reason(
        "PH633",
        ("Registered model alias",),
        "no version has the alias {alias}",
        "Train or promote a version; `pilothouse model list` shows who serves",
    ),
    Reason(
        "PH634",
        ("Model Version (name=",),
        "MLflow has no version {version} of {name} any more",
        "Train the model again, or restore the version in MLflow",
    ),
    Reason(
        "PH635",
        ("Registered Model with name=",),
        "MLflow has no model {name}",
        "Train the model again, or restore it in MLflow",
    ),
    Reason(
        "PH636",
        ("Invalid model name", "Invalid alias name", "Version alias name", "Missing value for required parameter"),
        "MLflow does not take the name {name}",
        "Rename the model (e, with `was:` its old key): letters, digits, dots, dashes and underscores",
    ),
    Reason(
        "PH637",
        ("Run with id=",),
        "MLflow has no run {run} any more",
        "Train the model again; runs that a version stands on are not to be removed from MLflow",
    ),
    Reason(
        "PH621",
        ("No such artifact", "FileNotFoundError", "No such file or directory", "NoSuchKey"),
        "the files of the model are gone",
        "Restore the folder of models from a backup, or train the model again",
    ),
    Reason(
        "PH638",
        ("Permission denied", "NotADirectoryError", "Not a directory", "Read-only file system", "AccessDenied"),
        "the files of models cannot be written or read there",
        "Give the user who runs Pilothouse access to the folder `models` of the home, or to the artifact store",
    ),
    *ABOUT_A_MODEL,
)
_PARAMETERS = (
    r"found version (?P<found>\w+), but expected (?P<expected>\w+)",
    r"The experiment (?P<experiment>\w+) must",
    r"alias (?P<alias>[\w-]+) not found",
    r"\(name=(?P<name>.+), version=(?P<version>\d+)\) not found",
    r"with name=(?P<name>.+) not found",
    r"(?:model|alias) name:? '(?P<name>[^']*)'",
    r"parameter '(?P<name>[^']*)'",
    r"Run with id=(?P<run>\w+)",
    r"\. Error: (?P<wrong>[^\n]+)",
    r"Feature names seen at fit time, yet now missing:\s+- (?P<wrong>[^\n]+)",
    r"Feature names unseen at fit time:\s+- (?P<wrong>[^\n]+)",
    r"columns are missing: (?P<wrong>[^\n]+)",
    r"(?P<wrong>could not convert string to float: [^\n]+)",
    r"(?P<wrong>(?:No module named|Can't get attribute|cannot import name) '?[\w.]+'?(?: on <module '[\w.]+')?)",
)


def explain(error: BaseException, thing: str) -> Fault:
    """The fault that `error` is, raised by MLflow, its store, or a model that is loaded or asked.

    A `PilothouseError` explains itself. The detail holds the whole text.
    """
    if isinstance(error, PilothouseError):
        return error.fault
    text = f"{type(error).__name__}: {error}"
    said = Said(text, getattr(error, "error_code", "") or "", parameters(text))
    reason, detail = find(REASONS, said), "".join(traceback.format_exception(error))
    if reason is not None:
        return tell(reason, said, THING if reason in ABOUT_THE_STORE else thing, detail)
    remedy = "The detail has the whole text; run it again (r) when its cause is mended"
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return Fault(
        code=UNKNOWN, thing=thing, cause=one_line(f"{type(error).__name__}: {first}"), remedy=remedy, detail=detail
    )


def explained(error: BaseException, thing: str) -> PilothouseError:
    """The same as an exception to raise; a `ServiceDownError` when the store itself is away."""
    return as_error(explain(error, thing), AWAY)


def parameters(text: str) -> dict[str, str]:
    """What a text of MLflow or of a model speaks of, by the names that the table uses."""
    found: dict[str, str] = {}
    for pattern in _PARAMETERS:
        match = re.search(pattern, text)
        for name, value in (match.groupdict() if match else {}).items():
            found.setdefault(name, value)
    return found
