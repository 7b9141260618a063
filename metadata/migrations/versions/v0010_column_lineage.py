"""Column lineage: which column comes of which, through which task."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Column lineage: which column comes of which, through which task."""
    op.create_table(
        "column_lineage",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pipeline_uid", sa.String(length=36), nullable=False),
        sa.Column("task_uid", sa.String(length=36), nullable=False),
        sa.Column("task_key", sa.String(length=255), nullable=False),
        sa.Column("from_uid", sa.String(length=36), nullable=False),
        sa.Column("from_column", sa.String(length=255), nullable=False),
        sa.Column("to_uid", sa.String(length=36), nullable=False),
        sa.Column("to_column", sa.String(length=255), nullable=False),
        sa.Column("how", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_column_lineage")),
    )
    with op.batch_alter_table("column_lineage", schema=None) as batch_op:
        batch_op.create_index("ix_column_lineage_from_uid", ["from_uid"], unique=False)
        batch_op.create_index("ix_column_lineage_task_uid", ["task_uid"], unique=False)
        batch_op.create_index("ix_column_lineage_to_uid", ["to_uid"], unique=False)

    op.create_table(
        "traced_task",
        sa.Column("task_uid", sa.String(length=36), nullable=False),
        sa.Column("pipeline_uid", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("task_uid", name=op.f("pk_traced_task")),
    )
