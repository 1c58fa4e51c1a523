"""The first form of the database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables."""
    _create_members()
    _create_contents()
    _create_claims()
    _create_publishing()
    _create_operations()
    if op.get_bind().dialect.name == "postgresql":
        # Bundles are compressed already; EXTERNAL keeps PostgreSQL from trying once more.
        op.execute("ALTER TABLE bundle ALTER COLUMN data SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Refuse: a database only ever moves forward."""
    raise NotImplementedError("restore a backup from before the upgrade instead")


def _create_members() -> None:
    # Members, their trust files and their logs.
    op.create_table(
        "peer",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("card_version", sa.BigInteger(), nullable=True),
        sa.Column("card_accepted_at", sa.BigInteger(), nullable=True),
        sa.Column("trust_checked_at", sa.BigInteger(), nullable=True),
        sa.Column("next_try_at", sa.BigInteger(), nullable=True),
        sa.Column("last_try_at", sa.BigInteger(), nullable=True),
        sa.Column("last_good_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("pinned_fingerprint", sa.String(), nullable=True),
        sa.Column("pinned_root", sa.LargeBinary(), nullable=True),
        sa.Column("card", sa.LargeBinary(), nullable=True),
        sa.Column("trust_error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("last_error", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_peer"),
        sa.UniqueConstraint("member", name="uq_peer_member"),
        sa.UniqueConstraint("url", name="uq_peer_url"),
    )
    op.create_table(
        "trust_file",
        sa.Column("peer", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["peer"], ["peer.number"], name="fk_trust_file_peer"),
        sa.PrimaryKeyConstraint("peer", "place", "name", name="pk_trust_file"),
    )
    op.create_table(
        "sequence",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("peer", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["peer"], ["peer.number"], name="fk_sequence_peer"),
        sa.PrimaryKeyConstraint("number", name="pk_sequence"),
        sa.UniqueConstraint("peer", "name", name="uq_sequence_peer_name"),
    )
    op.create_table(
        "log",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("peer", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("final_size", sa.BigInteger(), nullable=True),
        sa.Column("fresh", sa.BigInteger(), nullable=True),
        sa.Column("held_size", sa.BigInteger(), nullable=False),
        sa.Column("stopped_at", sa.BigInteger(), nullable=True),
        sa.Column("accepted_size", sa.BigInteger(), nullable=False),
        sa.Column("cosigned_size", sa.BigInteger(), nullable=False),
        sa.Column("own_cosigned_at", sa.BigInteger(), nullable=True),
        sa.Column("placed_size", sa.BigInteger(), nullable=False),
        sa.Column("pending_size", sa.BigInteger(), nullable=True),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("dropped_signals", sa.BigInteger(), nullable=False),
        sa.Column("unknown_statements", sa.BigInteger(), nullable=False),
        sa.Column("erased", sa.Boolean(), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("etag", sa.String(), nullable=True),
        sa.Column("final_root", sa.LargeBinary(), nullable=True),
        sa.Column("held_range", sa.LargeBinary(), nullable=False),
        sa.Column("accepted_root", sa.LargeBinary(), nullable=False),
        sa.Column("accepted_note", sa.LargeBinary(), nullable=True),
        sa.Column("cosigned_root", sa.LargeBinary(), nullable=False),
        sa.Column("cosigned_note", sa.LargeBinary(), nullable=True),
        sa.Column("placed_range", sa.LargeBinary(), nullable=False),
        sa.Column("pending_root", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["peer"], ["peer.number"], name="fk_log_peer"),
        sa.ForeignKeyConstraint(["sequence"], ["sequence.number"], name="fk_log_sequence"),
        sa.PrimaryKeyConstraint("number", name="pk_log"),
        sa.UniqueConstraint("origin", name="uq_log_origin"),
    )
    op.create_index("ix_log_peer", "log", ["peer"])
    op.create_index("ix_log_sequence", "log", ["sequence"])


def _create_contents() -> None:
    # What logs hold, as it came.
    op.create_table(
        "bundle",
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("width", sa.SmallInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["log.number"], name="fk_bundle_log"),
        sa.PrimaryKeyConstraint("log", "number", name="pk_bundle"),
    )
    op.create_table(
        "tile",
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["log.number"], name="fk_tile_log"),
        sa.PrimaryKeyConstraint("log", "level", "number", name="pk_tile"),
    )
    op.create_table(
        "quarantine",
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["log.number"], name="fk_quarantine_log"),
        sa.PrimaryKeyConstraint("log", "position", "part", name="pk_quarantine"),
    )


def _create_claims() -> None:
    # What follows from the logs.
    op.create_table(
        "statement",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", "id", name="pk_statement"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "signal",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("action", sa.SmallInteger(), nullable=False),
        sa.Column("actions", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("claims", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_signal"),
        sa.UniqueConstraint("key", name="uq_signal_key"),
    )
    op.create_index("ix_signal_actions_number", "signal", ["actions", "number"])
    op.create_table(
        "change_time",
        sa.Column("first", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("first", name="pk_change_time"),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counter"),
    )
    op.create_table(
        "expiry",
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["log"], ["log.number"], name="fk_expiry_log"),
        sa.PrimaryKeyConstraint("at", "log", "position", name="pk_expiry"),
    )


def _create_publishing() -> None:
    # What this member is about to publish, and has published.
    op.create_table(
        "queue",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["log.number"], name="fk_queue_log"),
        sa.PrimaryKeyConstraint("number", name="pk_queue"),
    )
    op.create_index("ix_queue_log_number", "queue", ["log", "number"])
    op.create_table(
        "publication",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("listing", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_publication"),
    )
    op.create_table(
        "import_progress",
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_import_progress"),
    )
    op.create_table(
        "idempotency",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])


def _create_operations() -> None:
    # What people and jobs look at.
    op.create_table(
        "job",
        sa.Column("next_run_at", sa.BigInteger(), nullable=True),
        sa.Column("last_run_at", sa.BigInteger(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("last_result", sa.String(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("runner", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_job"),
    )
    op.create_table(
        "alarm",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("cleared_at", sa.BigInteger(), nullable=True),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("peer", sa.Integer(), nullable=False),
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("mend", sa.String(), nullable=True),
        sa.Column("evidence", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_alarm"),
        sa.UniqueConstraint("peer", "log", "code", name="uq_alarm_peer_log_code"),
    )
