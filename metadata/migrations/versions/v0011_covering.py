"""Indexes that answer by themselves what is asked most."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Indexes that answer by themselves what is asked most."""
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index("ix_run_pipeline_number")
        batch_op.drop_index("ix_run_state_number")
        batch_op.create_index("ix_run_pipeline_uid_number_state", ["pipeline_uid", "number", "state"], unique=False)
        batch_op.create_index("ix_run_state_number_pipeline_uid", ["state", "number", "pipeline_uid"], unique=False)
    with op.batch_alter_table("dataset_state", schema=None) as batch_op:
        batch_op.drop_index("ix_dataset_state_written_at")
        batch_op.create_index("ix_dataset_state_written_at_dataset_uid", ["written_at", "dataset_uid"], unique=False)
    with op.batch_alter_table("definition", schema=None) as batch_op:
        batch_op.create_index("ix_definition_key", ["key"], unique=False)
    with op.batch_alter_table("revision_item", schema=None) as batch_op:
        batch_op.create_index("ix_revision_item_revision_position", ["revision", "position"], unique=False)
