"""The audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0013"
down_revision = "r0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables, empty; the first entry makes the row of the head."""
    op.create_table(
        "audit_entry",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_entry"),
    )
    op.create_index("ix_audit_entry_time", "audit_entry", ["time"])
    op.create_table(
        "audit_head",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("range", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("one", name="pk_audit_head"),
    )


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
