from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hashpact_node.store import peers, trust
from hashpact_node.store.database import Database
from hashpact_node.store.trust import METADATA, TARGETS
from hashpact_protocol.errors import StoreError

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
FILES = {
    (METADATA, "9.root.json"): b"root 9",
    (METADATA, "10.root.json"): b"root 10",
    (METADATA, "5.snapshot.json"): b"snapshot 5",
    (METADATA, "timestamp.json"): b"timestamp",
    (TARGETS, "ab.member.json"): b"card",
}


@pytest.fixture
def peer(database: Database) -> int:
    with database.write() as connection:
        return peers.add_peer(connection, "beta", "https://beta.example", now=NOW).number


def test_files_are_kept_and_replaced(database: Database, peer: int) -> None:
    with database.write() as connection:
        trust.save_files(connection, peer, FILES)
        trust.save_files(connection, peer, {(METADATA, "timestamp.json"): b"newer"})
    with database.read() as connection:
        assert trust.load_files(connection, peer) == FILES | {(METADATA, "timestamp.json"): b"newer"}
        assert trust.read_file(connection, peer, TARGETS, "ab.member.json") == b"card"
        assert trust.read_file(connection, peer, METADATA, "ab.member.json") is None


def test_pruning_keeps_what_is_asked_for_and_all_roots(database: Database, peer: int) -> None:
    with database.write() as connection:
        trust.save_files(connection, peer, FILES)
        assert trust.prune_files(connection, peer, {(METADATA, "timestamp.json")}) == 2
        kept = trust.load_files(connection, peer)
    assert sorted(name for _, name in kept) == ["10.root.json", "9.root.json", "timestamp.json"]


def test_files_belong_to_a_member(database: Database) -> None:
    with pytest.raises(StoreError), database.write() as connection:
        trust.save_files(connection, 99, FILES)
