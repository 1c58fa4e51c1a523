"""What is held for review since there is far too much of it, and what is counted to notice that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0023"
down_revision = "r0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of holds, empty."""
    op.create_table(
        "flood_hold",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("grown_at", sa.BigInteger(), nullable=False),
        sa.Column("came", sa.BigInteger(), nullable=False),
        sa.Column("usual", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=True),
        sa.Column("last", sa.BigInteger(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("notified_at", sa.BigInteger(), nullable=True),
        sa.Column("peer", sa.Integer(), nullable=True),
        sa.Column("log", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("notice", sa.String(), nullable=False),
        sa.Column("notice_error", sa.String(), nullable=True),
        sa.Column("released_by", sa.String(), nullable=True),
        sa.Column("released_why", sa.String(), nullable=True),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["peer"], ["peer.number"], name="fk_flood_hold_peer_peer"),
        sa.ForeignKeyConstraint(["log"], ["log.number"], name="fk_flood_hold_log_log"),
        sa.PrimaryKeyConstraint("number", name="pk_flood_hold"),
    )
    op.create_index("ix_flood_hold_released_at", "flood_hold", ["released_at"])
    op.create_index("ix_flood_hold_key", "flood_hold", ["key"])
    op.create_table(
        "listed_count",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("listings", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sequence"], ["sequence.number"], name="fk_listed_count_sequence_sequence"),
        sa.PrimaryKeyConstraint("sequence", "day", name="pk_listed_count"),
    )
    op.create_table(
        "matched_count",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("lookups", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "day", name="pk_matched_count"),
    )
    op.create_index("ix_matched_count_day", "matched_count", ["day"])


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")
