from __future__ import annotations

import pytest

from hashpact_node.services.batches import compress
from hashpact_node.services.entries import EntryReader, open_bundle
from hashpact_node.store.bundles import Bundle, read_bundle
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import FetchError, NotFoundError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import EMPTY_ROOT, leaf_hash, subtree_root
from hashpact_protocol.statements import encode_statement
from members import TestLog, add_log, listing, sha256, unknown, withdrawal


@pytest.fixture
def log(sqlite_database: Database) -> TestLog:
    add_log(sqlite_database, "acme", own=True)
    one = add_log(sqlite_database, "beta")
    one.append(listing(1, sha256(1)), withdrawal(50, 2), *[unknown()] * 598)
    return one


def test_entries_are_read_as_published(sqlite_database: Database, log: TestLog) -> None:
    with sqlite_database.read() as connection:
        reader = EntryReader(connection)
        assert reader.entry(log.number, 0) == encode_statement(listing(1, sha256(1)))
        assert reader.entry(log.number, 599) == unknown()
        assert reader.listing(Place(log.number, 0), "listings") == listing(1, sha256(1))
        assert reader.leaf_hashes(log.number, 0, 2) == [leaf_hash(reader.entry(log.number, at)) for at in (0, 1)]
        for position in (600, 767, 768, 10_000):
            with pytest.raises(NotFoundError):
                reader.entry(log.number, position)
        with pytest.raises(NotFoundError, match="entry 1 is no listing"):
            reader.listing(Place(log.number, 1), "listings")


def test_the_root_at_every_kind_of_size(sqlite_database: Database, log: TestLog) -> None:
    with sqlite_database.read() as connection:
        reader = EntryReader(connection)
        leaves = [leaf_hash(reader.entry(log.number, at)) for at in range(600)]
        assert reader.root_at(log.number, 0) == EMPTY_ROOT
        for size in (1, 2, 255, 256, 257, 511, 512, 599, 600):
            assert reader.root_at(log.number, size) == subtree_root(leaves[:size])


def test_tiles_that_are_not_stored_are_not_found(sqlite_database: Database, log: TestLog) -> None:
    with sqlite_database.read() as connection, pytest.raises(NotFoundError, match="tile 0 of level 2"):
        EntryReader(connection).tree(log.number, 65_536).node(16, 0)
    empty = add_log(sqlite_database, "gamma")
    with sqlite_database.read() as connection, pytest.raises(NotFoundError, match="no bundle 0"):
        EntryReader(connection).bundle(empty.number, 0)


def test_only_the_bundles_read_last_are_kept(
    sqlite_database: Database, log: TestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []

    def counted(connection: Connection, log_number: int, number: int) -> Bundle | None:
        reads.append(number)
        return read_bundle(connection, log_number, number)

    monkeypatch.setattr("hashpact_node.services.entries.KEPT_BUNDLES", 2)
    monkeypatch.setattr("hashpact_node.services.entries.read_bundle", counted)
    with sqlite_database.read() as connection:
        reader = EntryReader(connection)
        for position in (0, 1, 300, 0, 599, 300, 0):
            reader.entry(log.number, position)
    assert reads == [0, 1, 2, 0]


def test_a_stored_bundle_is_opened_under_the_cap() -> None:
    assert open_bundle(compress(b"x" * 1_000)) == b"x" * 1_000
    with pytest.raises(FetchError):
        open_bundle(compress(bytes(LIMITS.bundle_max_bytes + 1)))
