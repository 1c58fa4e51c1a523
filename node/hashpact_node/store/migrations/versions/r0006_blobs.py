"""What blobs need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of blobs, empty: what listings name is found at the first look."""
    op.create_table(
        "blob",
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("peer", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_blob"),
        sa.ForeignKeyConstraint(["peer"], ["peer.number"], name="fk_blob_peer"),
    )
    op.create_index("ix_blob_sha256", "blob", ["sha256"])
    op.create_index("ix_blob_peer", "blob", ["peer"])
    op.create_table(
        "blob_want",
        sa.Column("peer", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("peer", "key", name="pk_blob_want"),
        sa.ForeignKeyConstraint(["peer"], ["peer.number"], name="fk_blob_want_peer"),
    )
    op.create_index("ix_blob_want_held_peer_next_try_at", "blob_want", ["held", "peer", "next_try_at"])


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
