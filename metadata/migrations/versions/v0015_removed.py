"""What had a key when it was removed, or before it got another one, is found by that key."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What had a key when it was removed, or before it got another one, is found by that key."""
    with op.batch_alter_table("revision_item", schema=None) as batch_op:
        batch_op.create_index("ix_revision_item_key", ["key"], unique=False)
        batch_op.create_index("ix_revision_item_key_before", ["key_before"], unique=False)
