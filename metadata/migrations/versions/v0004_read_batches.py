"""Whether a task has read a batch is told from an index alone, however many it has read."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Whether a task has read a batch is told from an index alone, however many it has read."""
    with op.batch_alter_table("batch_input", schema=None) as batch_op:
        batch_op.drop_index("ix_batch_input_task_uid_dataset_uid")
        batch_op.create_index(
            "ix_batch_input_task_uid_dataset_uid_sequence", ["task_uid", "dataset_uid", "sequence"], unique=False
        )
