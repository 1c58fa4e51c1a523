"""The floor: what nobody can do without, in one process and nothing else.

Decompress, hash the tree, decode with the canonical check, and insert the claims, sorted, into one SQLite table: the
same bytes as the bootstrap reads, without any network, order of batches aside, and without everything that makes it a
blocklist.
"""

from __future__ import annotations

import gc
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from hashpact_node.services.entries import open_bundle
from hashpact_protocol.merkle import CompactRange, bundle_hashes
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.statements import Listing
from hashpact_protocol.tiles import decode_bundle

BATCH_BUNDLES = 256


def floor_rate(frames: Sequence[bytes], width: int = 256) -> tuple[float, bytes]:
    """Give listings a second over stored bundles of that width, and the root, so that nothing was left out."""
    with tempfile.TemporaryDirectory(prefix="hashpact-floor-") as folder:
        connection = sqlite3.connect(Path(folder) / "floor.sqlite3", isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE claim (key BLOB PRIMARY KEY, claims BLOB NOT NULL) WITHOUT ROWID")
        gc.collect()
        gc.disable()
        start = time.perf_counter()
        tree = CompactRange()
        for at in range(0, len(frames), BATCH_BUNDLES):
            tree = _batch(connection, frames[at : at + BATCH_BUNDLES], tree, width)
        elapsed = time.perf_counter() - start
        gc.enable()
        connection.close()
    return len(frames) * width / elapsed, tree.root()


def _batch(connection: sqlite3.Connection, frames: Sequence[bytes], tree: CompactRange, width: int) -> CompactRange:
    rows: list[tuple[bytes, bytes]] = []
    roots = []
    position = tree.size
    for frame in frames:
        entries = decode_bundle(open_bundle(frame), width)
        roots.append(bundle_hashes(entries)[1])
        for statement in parse_entries(entries, "listings"):
            if isinstance(statement, Listing):
                claim = position.to_bytes(8, "big")
                rows += [(signal.key, claim) for signal in statement.signals]
            position += 1
    rows.sort()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO claim VALUES (?, ?)", rows)
    connection.execute("COMMIT")
    return tree.extend_bundles(roots)
