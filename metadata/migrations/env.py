"""Alembic's environment: runs within the transaction that `metadata.migrations` hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from metadata import definitions
from metadata.column_types import Utc
from metadata.migrations import VERSION_TABLE


def render_item(kind: str, item: Any, drafted: AutogenContext) -> str | Literal[False]:
    """Migrations name plain types, so that they stay what they were when ours change."""
    if kind == "type" and isinstance(item, Utc):
        drafted.imports.add("from sqlalchemy.dialects import mssql")
        return 'sa.DateTime().with_variant(mssql.DATETIME2(6), "mssql")'
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=definitions.definition.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    render_item=render_item,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
