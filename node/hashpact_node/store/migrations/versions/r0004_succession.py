"""What successors and erasure need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of what is staged, cut, to be erased, and erased."""
    op.create_table(
        "staged_bundle",
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.SmallInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "number", name="pk_staged_bundle"),
        sa.ForeignKeyConstraint(["log"], ["log.number"], name="fk_staged_bundle_log"),
    )
    op.create_table(
        "cut_bundle",
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.SmallInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "at", "number", name="pk_cut_bundle"),
        sa.ForeignKeyConstraint(["log"], ["log.number"], name="fk_cut_bundle_log"),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table in ("staged_bundle", "cut_bundle"):  # compressed already, as in the table bundle
            op.execute(f"ALTER TABLE {table} ALTER COLUMN data SET STORAGE EXTERNAL")
    _create_erasure()


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")


def _create_erasure() -> None:
    op.create_table(
        "erasure",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("listing", sa.LargeBinary(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("successor", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", "listing", name="pk_erasure"),
        sa.ForeignKeyConstraint(["sequence"], ["sequence.number"], name="fk_erasure_sequence"),
    )
    op.create_table(
        "erased_log",
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("destroyed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("log", name="pk_erased_log"),
        sa.ForeignKeyConstraint(["log"], ["log.number"], name="fk_erased_log_log"),
    )
    op.create_table(
        "erased_copy",
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("peer", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("log", "peer", name="pk_erased_copy"),
        sa.ForeignKeyConstraint(["log"], ["log.number"], name="fk_erased_copy_log"),
        sa.ForeignKeyConstraint(["peer"], ["peer.number"], name="fk_erased_copy_peer"),
    )
