"""Definitions stand where the log says that they first stood."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Definitions stand where the log says that they first stood."""
    definition = sa.table("definition", sa.column("uid"), sa.column("revision_created"), sa.column("position"))
    item = sa.table("revision_item", sa.column("uid"), sa.column("revision"), sa.column("position"))
    of_one = item.c.uid == definition.c.uid
    first = sa.select(sa.func.min(item.c.revision)).where(of_one).scalar_subquery()
    op.execute(sa.update(definition).values(revision_created=sa.func.coalesce(first, definition.c.revision_created)))
    created = item.c.revision == definition.c.revision_created
    place = sa.select(item.c.position).where(of_one, created).scalar_subquery()
    op.execute(sa.update(definition).values(position=sa.func.coalesce(place, definition.c.position)))
    with op.batch_alter_table("definition", schema=None) as batch_op:
        batch_op.drop_index("ix_definition_kind_position")
        batch_op.create_index(
            "ix_definition_kind_revision_created_position", ["kind", "revision_created", "position"], unique=False
        )
