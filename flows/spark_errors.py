"""What an operator reads when Spark or Delta fails: a table from their error conditions to reasons in plain words."""

from __future__ import annotations

import csv
import re
import traceback

from flows.reasons import Reason, Said, find, one_line, tell
from flows.registry_errors import ABOUT_A_MODEL
from flows.registry_errors import parameters as parameters_of_a_model
from metadata.errors import Fault, PilothouseError

SERVER_GONE = "PH411"
USER_CODE = "PH435"
UNKNOWN = "PH499"

# The first row that fits counts: what stops the machinery stands before what is wrong with the data.
REASONS = (
    Reason(
        "PH430",
        ("No space left on device", "Disk quota exceeded"),
        "the disk is full",
        "Free some space, then run it again (r)",
    ),
    Reason(
        "PH431",
        ("java.lang.OutOfMemoryError", "UNABLE_TO_ACQUIRE_MEMORY", "_LEGACY_ERROR_TEMP_2226"),
        "Spark ran out of memory",
        "Give it more (PILOTHOUSE_SPARK_DRIVER_MEMORY, then `pilothouse down` and `up`), or read less at a time",
    ),
    Reason(
        "PH432",
        ("OPERATION_CANCELED", "OPERATION_ABANDONED", "SPARK_JOB_CANCELLED", "StatusCode.CANCELLED"),
        "the operation was cancelled",
        "Run it again (r)",
    ),
    Reason(
        "PH412",
        ("StatusCode.UNAUTHENTICATED", "StatusCode.PERMISSION_DENIED", "Invalid authentication token"),
        "the Spark server refuses our token",
        "Check the token in SPARK_REMOTE",
    ),
    Reason(
        SERVER_GONE,
        (
            "StatusCode.UNAVAILABLE",
            "StatusCode.DEADLINE_EXCEEDED",
            "INVALID_HANDLE",
            "Cannot invoke RPC",
            "NO_ACTIVE_SESSION",
            "on a stopped SparkContext",
            "Application error processing RPC",
        ),
        "the Spark server went away while it worked",
        "Run it again (r) when it is up (U starts it). If memory ran out, raise PILOTHOUSE_SPARK_DRIVER_MEMORY",
    ),
    Reason(
        "PH433",
        ("PYTHON_VERSION_MISMATCH",),
        "the Spark server runs another version of Python than this process",
        "Start both with the same Python: `pilothouse down`, then `up`; a server of others must have ours",
    ),
    Reason(
        "PH434",
        ("Python worker exited unexpectedly",),
        "a Python process of Spark died, most often for lack of memory",
        "See the log of the server; use smaller batches, or free memory",
    ),
    Reason(
        USER_CODE,
        ("PYTHON_EXCEPTION", "An exception was thrown from the Python worker"),
        "a Python function failed: {raised}",
        "Correct the data or the code of the model; the detail has its stack trace",
    ),
    Reason(
        "PH436",
        ("DELTA_CONCURRENT",),
        "something else wrote to the same table at the same time",
        "Run it again (r); let one pipeline alone write a dataset",
    ),
    Reason(
        "PH437",
        ("DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE",),
        "several of the new rows have the same key",
        "Make the query give one row a key (e), or add a quality rule `unique` on the keys",
    ),
    Reason(
        "PH438",
        ("DELTA_FAILED_TO_MERGE_FIELDS",),
        "column {currentField} has another type than in the table",
        "Cast it to the table's type in the query (e), or correct the declared columns",
    ),
    Reason(
        "PH439",
        ("DELTA_METADATA_MISMATCH", "DELTA_MERGE_UNRESOLVED_EXPRESSION", "DELTA_SCHEMA_MISMATCH"),
        "the columns of the new rows are not those of the table",
        "Correct the query (e), or say `schema_drift: evolve` on the dataset",
    ),
    Reason(
        "PH441",
        ("DELTA_REPLACE_WHERE_MISMATCH",),
        "rows of another batch are among those of this one",
        "Report this: batches are numbered by Pilothouse itself",
    ),
    Reason(
        "PH440",
        ("DELTA_NOT_NULL_CONSTRAINT_VIOLATED", "DELTA_VIOLATE_CONSTRAINT"),
        "a row breaks a constraint of the table",
        "Correct the rows at their source, or add a quality rule that puts them aside",
    ),
    Reason(
        "PH442",
        ("DELTA_VERSION_NOT_FOUND", "DELTA_TIMESTAMP_EARLIER", "DELTA_TRUNCATED_TRANSACTION_LOG"),
        "version {userVersion} of the table is not kept any more",
        "Use a newer version, from {earliest} to {latest}",
    ),
    Reason(
        "PH443",
        ("PATH_NOT_FOUND", "DELTA_PATH_DOES_NOT_EXIST", "FILE_NOT_EXIST", "FAILED_READ_FILE.FILE_NOT_EXIST"),
        "there is nothing at {path}",
        "Check the path of the connection and the pattern, or run what writes it",
    ),
    Reason(
        "PH444",
        ("TABLE_OR_VIEW_NOT_FOUND", "DELTA_TABLE_NOT_FOUND", "DELTA_MISSING_DELTA_TABLE", "DELTA_TABLE_ONLY_OPERATION"),
        "there is no table {relationName}",
        "Check its name in the SQL, or run the pipeline that writes it",
    ),
    Reason(
        "PH445",
        ("MALFORMED_RECORD", "FAILED_READ_FILE", "CANNOT_READ_FILE_FOOTER", "MALFORMED_CSV_RECORD"),
        "the file {path} cannot be read as what it should be",
        "Look into that file; put it right at its source, then run it again (r)",
    ),
    Reason(
        "PH446",
        ("UNRESOLVED_COLUMN", "UNRESOLVED_FIELD", "FIELD_NOT_FOUND"),
        "there is no column {objectName}; there are {proposal}",
        "Correct the name in the SQL: press e on the definition",
    ),
    Reason(
        "PH447",
        ("AMBIGUOUS_REFERENCE",),
        "column {name} could be any of {referenceNames}",
        "Write the table before the column in the SQL: press e on the definition",
    ),
    Reason(
        "PH448",
        ("CAST_INVALID_INPUT", "CONVERSION_INVALID_INPUT", "CANNOT_PARSE_TIMESTAMP", "CANNOT_PARSE_DECIMAL"),
        "the value {expression} is not of type {targetType}",
        "Use try_cast where such values may occur (e), or say in the connection what means `no value`",
    ),
    Reason(
        "PH449",
        ("CAST_OVERFLOW", "ARITHMETIC_OVERFLOW", "NUMERIC_VALUE_OUT_OF_RANGE"),
        "a number is too large for its type",
        "Cast to a wider type (BIGINT, DOUBLE) in the SQL: press e on the definition",
    ),
    Reason(
        "PH450",
        ("DIVIDE_BY_ZERO", "REMAINDER_BY_ZERO"),
        "something is divided by zero",
        "Use try_divide in the SQL, or nullif on the divisor: press e on the definition",
    ),
    Reason(
        "PH451",
        ("INVALID_ARRAY_INDEX", "MAP_KEY_DOES_NOT_EXIST"),
        "an element is asked for that an array or map does not have",
        "Use get() or try_element_at in the SQL: press e on the definition",
    ),
    Reason(
        "PH460",
        ("Failed to find the data source: delta", "DESCRIBE HISTORY delta."),
        "this Spark server has no Delta Lake",
        "Start it with the delta-spark package and Delta's extension and catalog, or unset SPARK_REMOTE",
    ),
    Reason(
        "PH452",
        ("PARSE_SYNTAX_ERROR", "PARSE_EMPTY_STATEMENT", "UNCLOSED_BRACKETED_COMMENT"),
        "the SQL is not understood at {error}",
        "Correct the SQL: press e on the definition",
    ),
    Reason(
        "PH453",
        ("UNRESOLVED_ROUTINE",),
        "there is no function {routineName}",
        "Correct its name in the SQL: press e on the definition",
    ),
    Reason(
        "PH454",
        ("DATATYPE_MISMATCH", "WRONG_NUM_ARGS", "INCOMPATIBLE_COLUMN_TYPE"),
        "{sqlExpr} is given a value of a type that it does not take",
        "Cast its arguments in the SQL: press e on the definition",
    ),
    Reason(
        "PH455",
        ("MISSING_GROUP_BY", "MISSING_AGGREGATION", "UNSUPPORTED_EXPR_FOR_OPERATOR"),
        "a query that aggregates names a column that it does not group by",
        "Add the column to GROUP BY, or aggregate it: press e on the definition",
    ),
    Reason(
        "PH456",
        ("USER_RAISED_EXCEPTION",),
        "the SQL raised: {errorMessage}",
        "Look for raise_error or assert_true in the SQL: press e on the definition",
    ),
    Reason(
        "PH457",
        ("Permission denied", "Mkdirs failed", "AccessDenied", "AccessControlException"),
        "Spark may not write or read there",
        "Give the user who runs Pilothouse access to the folder or bucket",
    ),
    Reason(
        "PH458",
        ("S3AFileSystem not found", "No FileSystem for scheme", "SecureAzureBlobFileSystem not found"),
        "this Spark server cannot read that kind of address",
        "Use a local folder, or a Spark server that has the connector (SPARK_REMOTE)",
    ),
    Reason(
        "PH459",
        ("RESOURCE_EXHAUSTED", "larger than max"),
        "the answer is too large to be sent in one piece",
        "Aggregate or limit it in the query: press e on the definition",
    ),
)


ABOUT_THE_WORK = frozenset(
    {
        USER_CODE,
        *(reason.code for reason in ABOUT_A_MODEL),
        *(f"PH{number}" for number in range(437, 457) if number != 441),
    },
)
"""Codes of faults that lie in the data, the query or the code of a model."""


OF_PYTHON = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, csv.Error)
"""What Python raises for values or code that are wrong, and will be when it is tried again."""


def explain(error: BaseException, thing: str) -> Fault:
    """The fault that `error`, raised by Spark, Delta or the Connect client, is to an operator.

    `thing` is what it happened to. A `PilothouseError` explains itself. The detail holds the engine's whole text.
    """
    if isinstance(error, PilothouseError):
        return error.fault
    text = str(error)
    condition, parameters = _condition(error)
    detail = text if condition else "".join(traceback.format_exception(error))
    said = Said(text, condition, {**parameters_of_a_model(text), **parameters, "raised": _raised(text)})
    reason = find(REASONS, said)
    if reason is not None and reason.code == USER_CODE:
        reason = find(ABOUT_A_MODEL, said) or reason
    if reason is not None:
        return tell(reason, said, thing, detail)
    return Fault(
        code=UNKNOWN,
        thing=thing,
        cause=one_line(_message(error, text)),
        remedy="The detail has the whole text; run it again (r) when its cause is mended",
        detail=detail,
    )


SQL_STATES_OF_THE_WORK = frozenset({"0A", "21", "22", "23", "38", "39", "42", "P0"})
"""Classes of SQLSTATE (ISO/IEC 9075-2, and Spark's own) of what a query asks for, its data, or its functions raise."""


def is_about_the_work(error: BaseException) -> bool:
    """Whether data, a query or code is at fault: the same work fails again, however often it is tried.

    So it is when Spark says so, and when our own process cannot make sense of what it reads: what Python, Arrow, the
    csv module and Spark's own client raise then. Not so for trouble with services, memory, disks or other writers.
    """
    from pyarrow import ArrowException
    from pyspark.errors import (
        AnalysisException,
        IllegalArgumentException,
        PySparkException,
        UnsupportedOperationException,
    )

    code = explain(error, "").code
    if code != UNKNOWN:
        return code in ABOUT_THE_WORK
    if isinstance(error, PySparkException):
        kinds = AnalysisException | IllegalArgumentException | UnsupportedOperationException
        state = error.getSqlState() or ""  # of what the client itself raises there is none
        if state or isinstance(error, kinds):
            return isinstance(error, kinds) or state[:2] in SQL_STATES_OF_THE_WORK
    return isinstance(error, (*OF_PYTHON, ArrowException)) and not isinstance(error, OSError | MemoryError)


def _condition(error: BaseException) -> tuple[str, dict[str, str]]:
    from pyspark.errors import PySparkException

    if not isinstance(error, PySparkException):
        return "", {}
    return error.getCondition() or "", dict(error.getMessageParameters() or {})


def _raised(text: str) -> str:
    """What a Python function raised on the server: the last line of its stack trace in `text` that names an error."""
    lines = [line.strip() for line in text.split("SQLSTATE:")[0].splitlines()]
    raised = [line for line in lines if re.match(r"[\w.]+(?:Error|Exception|Exit|Interrupt)\b", line)]
    return raised[-1] if raised else "see the detail"


def _message(error: BaseException, text: str) -> str:
    details = re.search(r'details = "(.*)', text)
    first = details[1] if details else next((line for line in text.splitlines() if line.strip()), "")
    plain = re.sub(r"^\([\w.$]+\) |\[[A-Z_0-9.]+\] | SQLSTATE: \w+.*$", "", first)
    return plain if _condition(error)[0] or plain == "" else f"{type(error).__name__}: {plain}"
