"""Every kind of definition, every task and every quality rule can be off, as schedules could."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every kind of definition, every task and every quality rule can be off, as schedules could."""
    for name in ("definition", "task", "quality_rule"):
        with op.batch_alter_table(name, schema=None) as batch_op:
            batch_op.add_column(sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False))
    definition = sa.table("definition", sa.column("uid"), sa.column("enabled", sa.Boolean()))
    schedule = sa.table("schedule", sa.column("uid"), sa.column("enabled", sa.Boolean()))
    off = sa.select(schedule.c.uid).where(sa.not_(schedule.c.enabled))
    op.execute(sa.update(definition).where(definition.c.uid.in_(off)).values(enabled=sa.false()))
    with op.batch_alter_table("schedule", schema=None) as batch_op:  # DROP COLUMN is of SQLite 3.35
        batch_op.drop_column("enabled")
    with op.batch_alter_table("definition", schema=None) as batch_op:
        batch_op.create_index("ix_definition_enabled", ["enabled", "kind", "key"], unique=False)
