"""Every cap of the protocol, with units in the names (docs/protocol.md, Limits)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps that a reader applies to what a peer sends; the defaults are the protocol's own."""

    entry_max_bytes: int = 16_384
    bundle_entry_max_bytes: int = 65_535
    bundle_width: int = 256
    bundle_max_bytes: int = 256 * 65_537
    tile_max_bytes: int = 256 * 32
    depth_max: int = 8
    integer_max: int = 2**53 - 1
    known_string_max_bytes: int = 4_096
    labels_max: int = 64
    label_max_bytes: int = 128
    signals_max: int = 128
    signal_value_max_bytes: int = 4_096
    blob_max_bytes: int = 16 * 1024 * 1024
    note_signatures_max: int = 16
    note_max_bytes: int = 16_384
    log_max_entries: int = 2**32
    card_max_bytes: int = 65_536
    card_logs_max: int = 256
    card_keys_max: int = 16
    card_reason_max_bytes: int = 256
    directory_max_bytes: int = 512 * 1024
    directory_members_max: int = 1_024
    batch_max_entries: int = 65_536
    batch_max_bytes: int = 32 * 1024 * 1024
    clock_skew_seconds: int = 300
    stale_after_seconds: int = 6 * 3_600
    trust_metadata_max_bytes: int = 512 * 1024
    root_rotations_max: int = 1_024
    blob_signal_min_bytes: int = 1
    evidence_max_bytes: int = 4 * 1024 * 1024


LIMITS = Limits()
