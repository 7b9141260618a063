"""The flow run by which a schedule fired a run, which no later attempt clears."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The flow run by which a schedule fired a run, which no later attempt clears."""
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("scheduled_flow_run_id", sa.String(length=36), nullable=True))
        batch_op.create_index(
            "ix_run_scheduled_flow_run_id",
            ["scheduled_flow_run_id"],
            unique=True,
            mssql_where=sa.text("scheduled_flow_run_id IS NOT NULL"),
        )
    run = sa.table(
        "run", sa.column("scheduled_flow_run_id"), sa.column("flow_run_id"), sa.column("trigger"), sa.column("attempt")
    )
    op.execute(
        run.update()
        .where(run.c.trigger == op.inline_literal("schedule"), run.c.attempt == op.inline_literal(1))
        .values(scheduled_flow_run_id=run.c.flow_run_id)
    )
