"""What witnesses and doorbells need."""

from __future__ import annotations

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Name logs by the hash of their origin, say how their news came, and keep what doorbells asked for."""
    op.add_column("log", sa.Column("news_at", sa.BigInteger(), nullable=True))
    op.add_column("log", sa.Column("news_age", sa.BigInteger(), nullable=True))
    op.add_column("log", sa.Column("news_by", sa.String(), nullable=True))
    op.add_column("log", sa.Column("origin_hash", sa.String(), nullable=False, server_default=""))
    op.add_column("log", sa.Column("cosigners", sa.JSON(), nullable=False, server_default="[]"))
    _fill_hashes()
    op.create_index("ix_log_origin_hash", "log", ["origin_hash"])
    op.create_table(
        "doorbell",
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["log.number"], name="fk_doorbell_log"),
        sa.PrimaryKeyConstraint("log", name="pk_doorbell"),
    )


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")


def _fill_hashes() -> None:
    log = sa.table("log", sa.column("number", sa.Integer), sa.column("origin", sa.String), sa.column("origin_hash"))
    connection = op.get_bind()
    for number, origin in connection.execute(sa.select(log.c.number, log.c.origin)).all():
        hashed = sha256(origin.encode()).hexdigest()
        connection.execute(sa.update(log).where(log.c.number == number).values(origin_hash=hashed))
