"""What lists of definitions read, beside them; words by which they are found; indexes for long lists of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What lists of definitions read, beside them; words by which they are found; indexes for long lists of runs."""
    with op.batch_alter_table("definition", schema=None) as batch_op:
        batch_op.add_column(sa.Column("about", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("text", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("users", sa.Integer(), server_default="0", nullable=False))
    sorted_text = (
        sa.String(length=64)
        .with_variant(sa.String(length=64, collation="C"), "postgresql")
        .with_variant(sa.String(length=256, collation="Latin1_General_100_BIN2_UTF8"), "mssql")
    )
    op.create_table(
        "search_word",
        sa.Column("word", sorted_text, nullable=False),
        sa.Column("field", sorted_text, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["uid"], ["definition.uid"], name=op.f("fk_search_word_uid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("word", "field", "uid", name=op.f("pk_search_word")),
    )
    with op.batch_alter_table("search_word", schema=None) as batch_op:
        batch_op.create_index("ix_search_word_uid_word", ["uid", "word"], unique=False)
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index("ix_run_revision_number", ["revision", "number"], unique=False)
    with op.batch_alter_table("dataset_state", schema=None) as batch_op:
        batch_op.create_index("ix_dataset_state_written_at", ["written_at"], unique=False)
