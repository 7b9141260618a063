"""What lists of definitions are filtered by most, beside what they read: layers, storage, columns, kinds of tasks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What lists of definitions are filtered by most, beside what they read: layers, storage, columns, tasks."""
    with op.batch_alter_table("definition", schema=None) as batch_op:
        batch_op.add_column(sa.Column("layer", sa.String(length=32), server_default="", nullable=False))
        batch_op.add_column(sa.Column("mode", sa.String(length=32), server_default="", nullable=False))
        batch_op.add_column(sa.Column("holds", sa.JSON(), server_default="[]", nullable=False))
        batch_op.create_index("ix_definition_layer", ["layer", "kind", "key"], unique=False)
        batch_op.create_index("ix_definition_mode", ["mode", "kind", "key"], unique=False)
