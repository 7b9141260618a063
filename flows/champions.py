"""The champion as rules and guards see it."""

from __future__ import annotations

from datetime import datetime

from metadata.database import Database
from metadata.rows.models import ModelVersion, alias_changes, get_version


def champion_seen(
    database: Database, model_uid: str, run_id: str, task_kind: str, until: datetime | None = None
) -> ModelVersion | None:
    """The version that served when a task of this kind ran first in the run: a retry sees what the first try saw.

    A guard of `train` does not see what its own run trained; monitors and rules do not see what their run promoted
    afterwards. Everything else sees who serves now, or did so at `until`.
    """
    for change in alias_changes(database, model_uid):
        if change.alias != "champion" or (until is not None and change.at > until):
            continue
        own = change.run_id == run_id
        if own and (task_kind == "train" or (task_kind in ("monitor", "decide") and change.previous is not None)):
            continue
        return None if change.version is None else get_version(database, model_uid, change.version)
    return None
