"""Pipelines that are off: nothing runs them, by whichever way it is asked for."""

from __future__ import annotations

from sqlalchemy import Connection, select

from metadata.compiler import pipeline_off
from metadata.definitions import definition


def refuse_off(connection: Connection, pipeline_uid: str) -> None:
    """Raises UsageError PH521 for a pipeline that is off, within a transaction."""
    c = definition.c
    found = connection.execute(select(c.key, c.enabled).where(c.uid == pipeline_uid)).first()
    if found is not None and not found.enabled:
        raise pipeline_off(found.key)
