"""Texts of definitions, kept for the comments in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Texts of definitions, kept for the comments in them."""
    op.create_table(
        "definition_source",
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("owner", "uid", name=op.f("pk_definition_source")),
    )
