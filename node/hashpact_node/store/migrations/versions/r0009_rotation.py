"""What the rotation of keys needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0009"
down_revision = "r0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let doorbells name a card, and create the table of rotations, empty."""
    op.add_column("doorbell", sa.Column("card", sa.BigInteger(), nullable=True))
    op.create_table(
        "key_rotation",
        sa.Column("row", sa.String(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ready_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_key_rotation"),
    )


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
