"""What was told about keys, and what peers' clocks said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0010"
down_revision = "r0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables, empty: what is wrong now is told once more, and clocks are heard again within an hour."""
    op.create_table(
        "key_notice",
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_key_notice"),
    )
    op.create_table(
        "clock_reading",
        sa.Column("offset_ms", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("member", name="pk_clock_reading"),
    )


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
