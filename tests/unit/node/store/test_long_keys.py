"""Values of unknown types may be longer than the rows that a unique index of PostgreSQL takes (2 704 bytes)."""

from __future__ import annotations

import hashlib

from hashpact_node.store.changes import Numbers
from hashpact_node.store.database import Database
from hashpact_node.store.signals import (
    SignalChange,
    Viewpoint,
    add_signals,
    change_signals,
    find_signals,
    page_by_number,
)
from hashpact_protocol.claims import pack_claim, unpack_claims
from hashpact_protocol.signals import make_signal, parse_signal_key

VIEWPOINT = Viewpoint(members={1: 2}, own=1)
NAME = "a" * 32  # the longest


def noise(length: int) -> str:
    """Visible ASCII that no database can compress, lest a long row fits after all."""
    digits = "".join(hashlib.sha512(b"%d" % number).hexdigest() for number in range(length // 128 + 1))
    return digits[:length]


VALUES = [noise(length) for length in (1_024, 1_025, 4_096)]


def test_the_longest_values_are_stored(database: Database) -> None:
    keys = sorted(make_signal(NAME, value).key for value in VALUES)
    first, second = (pack_claim(1, position, None) for position in (4, 5))
    with database.write() as connection:
        numbers = Numbers(connection, now=100)
        assert add_signals(connection, [(key, first) for key in keys], VIEWPOINT, numbers)
        numbers.close()
    with database.write() as connection:
        numbers = Numbers(connection, now=101)
        assert not add_signals(connection, [(keys[0], second)], VIEWPOINT, numbers)
        change_signals(connection, {key: SignalChange(add=second) for key in keys}, VIEWPOINT, numbers)
        numbers.close()
    with database.read() as connection:
        assert sorted(row.key for row in page_by_number(connection, 0, limit=10)) == keys
        found = find_signals(connection, keys)
    assert sorted(found) == keys
    assert all([claim.position for claim in unpack_claims(row.claims)] == [4, 5] for row in found.values())
    shown = {parse_signal_key(key) for key in keys}
    hashes = [f"sha256:{hashlib.sha256(value.encode()).hexdigest()}" for value in VALUES[1:]]
    assert shown == {(NAME, value) for value in [VALUES[0], *hashes]}
