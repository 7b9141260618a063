"""Change sets: edits that are not applied yet, by user."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change sets: edits that are not applied yet, by user."""
    op.create_table(
        "staged_item",
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("key_before", sa.String(length=255), nullable=True),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "uid", name=op.f("pk_staged_item")),
    )
    with op.batch_alter_table("staged_item", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staged_item_changed"), ["changed"], unique=False)
