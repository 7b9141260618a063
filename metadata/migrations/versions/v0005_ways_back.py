"""A revision says how it came to be: applied, undone, done again, reverted to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A revision says how it came to be: applied, undone, done again, reverted to."""
    with op.batch_alter_table("revision", schema=None) as batch_op:
        batch_op.add_column(sa.Column("deed", sa.String(length=32), server_default="apply", nullable=False))
        batch_op.add_column(sa.Column("of", sa.Integer(), nullable=True))
