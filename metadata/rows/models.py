"""Model versions and who holds which alias. These rows are the truth; the registry's own aliases follow them.

`model_version.features` is a list of `ModelFeature`; `model_version.reference` is what monitors hold new rows against.
The holder of an alias is what the newest row of `alias_history` for that alias says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, RowMapping, insert, select

from metadata import tables
from metadata.database import Database, next_change
from metadata.errors import PilothouseError
from metadata.values import utc_now

Alias = Literal["champion", "challenger"]


class ModelFeature(BaseModel):
    """One input of a model version: a number (double) or a category (text), and its value where it is NULL."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["number", "category"]
    default: float | str | None = None


@dataclass(frozen=True)
class ModelVersion:
    """One fitted and registered model. Times are event times: rows up to `trained_until` were fitted on.

    `tested_from` is later than `trained_until`: no test row was fitted on. `metric_value` is None where the metric has
    no value on the test rows. `source` is where the registry keeps it; `digest` is of its training rows and definition.
    """

    model_uid: str
    version: int
    model_key: str
    run_id: str
    task_run_id: str
    tracking_run_id: str
    source: str
    trained_from: datetime
    trained_until: datetime
    tested_from: datetime
    tested_until: datetime
    rows_trained: int
    rows_tested: int
    metric: str
    metric_value: float | None
    digest: str
    features: tuple[ModelFeature, ...]
    reference: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class AliasChange:
    """An alias was given to a version (None: taken away), by whom and why."""

    model_uid: str
    alias: str
    version: int | None
    previous: int | None
    run_id: str | None
    author: str
    reason: str
    as_of: datetime
    at: datetime


@dataclass(frozen=True)
class Appointment:
    """Who gives an alias, in which run, and why."""

    run_id: str | None
    author: str
    reason: str
    as_of: datetime


def record_version(database: Database, version: ModelVersion, by: Appointment, serves: bool) -> Alias:
    """Record a version once, and give it its alias in the same transaction: returns which.

    It becomes champion when `serves` and nobody is, and an earlier challenger, which was not good enough, gives way;
    else it is challenger. A version that is recorded already stays as it is, with the alias it was first given. Raises
    PilothouseError PH612 when another one is recorded under its number.
    """
    with database.write() as connection:
        known = _versions(connection, version.model_uid, version.version)
        if known and known[0].digest != version.digest:
            raise other_store(f"model {version.model_key} version {version.version}")
        if known:
            return _first_alias(connection, version.model_uid, version.version)
        change = next_change(connection)
        values = {name: getattr(version, name) for name in ModelVersion.__dataclass_fields__}
        values["features"] = [feature.model_dump() for feature in version.features]
        connection.execute(insert(tables.model_version).values(**values, changed=change))
        vacant = _holder(connection, version.model_uid, "champion") is None
        alias: Alias = "champion" if serves and vacant else "challenger"
        _appoint(connection, version.model_uid, alias, version.version, by, change)
        if alias == "champion" and _holder(connection, version.model_uid, "challenger") is not None:
            _appoint(connection, version.model_uid, "challenger", None, by, change)
    return alias


def other_store(thing: str) -> PilothouseError:
    """PH612: the registry has another model under the number of a version that is recorded."""
    return PilothouseError(
        "PH612",
        thing,
        "the registry has another model under this number: it is not the one that was recorded",
        "let MLFLOW_TRACKING_URI name the store that has it, or move its versions to the new one",
    )


def promote(database: Database, model_uid: str, version: int, by: Appointment) -> bool:
    """Make a version the champion, and take the challenger's alias from it. False when it was champion already.

    Raises PilothouseError PH610 when there is no such version.
    """
    with database.write() as connection:
        if not _versions(connection, model_uid, version):
            raise PilothouseError(
                "PH610", f"model version {version}", "it is not recorded", "see the versions with pilothouse model show"
            )
        if _holder(connection, model_uid, "champion") == version:
            return False
        change = next_change(connection)
        _appoint(connection, model_uid, "champion", version, by, change)
        if _holder(connection, model_uid, "challenger") == version:
            _appoint(connection, model_uid, "challenger", None, by, change)
    return True


def holder(database: Database, model_uid: str, alias: Alias) -> ModelVersion | None:
    """The version that holds the alias, if any does."""
    with database.read() as connection:
        version = _holder(connection, model_uid, alias)
        return None if version is None else _versions(connection, model_uid, version)[0]


def champion(database: Database, model_uid: str) -> ModelVersion | None:
    """The version that serves, if one does."""
    return holder(database, model_uid, "champion")


def challenger(database: Database, model_uid: str) -> ModelVersion | None:
    """The version that wants to serve, if one does."""
    return holder(database, model_uid, "challenger")


def versions(database: Database, model_uid: str) -> list[ModelVersion]:
    """All versions of a model, newest first."""
    with database.read() as connection:
        return _versions(connection, model_uid)


def get_version(database: Database, model_uid: str, version: int) -> ModelVersion:
    """One version. Raises PilothouseError PH610 when it is not recorded."""
    with database.read() as connection:
        found = _versions(connection, model_uid, version)
    if not found:
        raise PilothouseError(
            "PH610", f"model version {version}", "it is not recorded", "see the versions with pilothouse model show"
        )
    return found[0]


def version_of_task(database: Database, run_id: str, task_key: str, digest: str) -> ModelVersion | None:
    """The version that this task of this run registered from the same rows and definition, in whatever attempt."""
    version, task = tables.model_version, tables.task_run
    query = (
        select(version)
        .join(task, task.c.id == version.c.task_run_id)
        .where(version.c.run_id == run_id, task.c.task_key == task_key, version.c.digest == digest)
        .order_by(version.c.version.desc())
    )
    with database.read() as connection:
        row = connection.execute(query).mappings().first()
    return _to_version(row) if row else None


def alias_changes(database: Database, model_uid: str) -> list[AliasChange]:
    """Every change of an alias of the model, newest first."""
    table = tables.alias_history
    columns = [table.c[name] for name in AliasChange.__dataclass_fields__]
    query = select(*columns).where(table.c.model_uid == model_uid).order_by(table.c.id.desc())
    with database.read() as connection:
        return [AliasChange(**row) for row in connection.execute(query).mappings()]


def promoted_by(database: Database, model_uid: str, run_id: str) -> int | None:
    """The version that this run made champion in place of another, if it did."""
    for change in alias_changes(database, model_uid):
        if change.alias == "champion" and change.run_id == run_id and change.previous is not None:
            return change.version
    return None


def _holder(connection: Connection, model_uid: str, alias: str) -> int | None:
    table = tables.alias_history
    query = (
        select(table.c.version)
        .where(table.c.model_uid == model_uid, table.c.alias == alias)
        .order_by(table.c.id.desc())
        .limit(1)
    )
    version: int | None = connection.execute(query).scalar()
    return version


def _first_alias(connection: Connection, model_uid: str, version: int) -> Alias:
    table = tables.alias_history
    query = (
        select(table.c.alias)
        .where(table.c.model_uid == model_uid, table.c.version == version)
        .order_by(table.c.id)
        .limit(1)
    )
    return "champion" if connection.execute(query).scalar() == "champion" else "challenger"


def _appoint(
    connection: Connection, model_uid: str, alias: Alias, version: int | None, by: Appointment, change: int
) -> None:
    connection.execute(
        insert(tables.alias_history).values(
            model_uid=model_uid,
            alias=alias,
            version=version,
            previous=_holder(connection, model_uid, alias),
            run_id=by.run_id,
            author=by.author,
            reason=by.reason,
            as_of=by.as_of,
            at=utc_now(),
            changed=change,
        )
    )


def _versions(connection: Connection, model_uid: str, version: int | None = None) -> list[ModelVersion]:
    table = tables.model_version
    query = select(table).where(table.c.model_uid == model_uid).order_by(table.c.version.desc())
    if version is not None:
        query = query.where(table.c.version == version)
    return [_to_version(row) for row in connection.execute(query).mappings()]


def _to_version(row: RowMapping) -> ModelVersion:
    values = {name: row[name] for name in ModelVersion.__dataclass_fields__}
    values["features"] = tuple(ModelFeature.model_validate(item) for item in row["features"])
    return ModelVersion(**values)
