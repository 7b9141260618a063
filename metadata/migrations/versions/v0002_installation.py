"""What tells this database from all others."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What tells this database from all others."""
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    installation = sa.table("installation", sa.column("id", sa.Integer()), sa.column("uid", sa.String()))
    values = {"id": op.inline_literal(1), "uid": op.inline_literal(str(uuid.uuid4()))}
    op.execute(installation.insert().values(values))
