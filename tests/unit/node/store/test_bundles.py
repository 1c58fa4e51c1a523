from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hashpact_node.store import bundles, logs, peers
from hashpact_node.store.bundles import Bundle, Tile
from hashpact_node.store.database import Database
from hashpact_node.store.logs import LogTerms
from hashpact_protocol.errors import StoreError

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


@pytest.fixture
def log(database: Database) -> int:
    origin = "beta.example/logs/listings-1"
    terms = LogTerms("listings", "listings", origin, f"https://{origin}", "open", ("key",))
    with database.write() as connection:
        peer = peers.add_peer(connection, "beta", "https://beta.example", now=NOW)
        return logs.put_card_logs(connection, peer.number, [terms])[0].number


def test_bundles_are_read_as_they_were_put(database: Database, log: int) -> None:
    put = [Bundle(0, 256, b"\x00first"), Bundle(2**24 - 1, 17, b"last")]
    with database.write() as connection:
        bundles.put_bundles(connection, log, put)
        bundles.put_bundles(connection, log, [])
    with database.read() as connection:
        assert bundles.read_bundle(connection, log, 0) == put[0]
        assert bundles.read_bundle(connection, log, 2**24 - 1, width=17) == put[1]
        assert bundles.read_bundle(connection, log, 2**24 - 1, width=18) is None
        assert bundles.read_bundle(connection, log, 1) is None
        assert bundles.count_entries(connection, log) == 256 + 17
        assert bundles.count_entries(connection, log + 1) == 0


def test_a_bundle_only_grows(database: Database, log: int) -> None:
    for put, stays in (
        (Bundle(3, 5, b"five"), b"five"),
        (Bundle(3, 4, b"four"), b"five"),
        (Bundle(3, 5, b"again"), b"again"),
        (Bundle(3, 256, b"full"), b"full"),
    ):
        with database.write() as connection:
            bundles.put_bundles(connection, log, [put])
            stored = bundles.read_bundle(connection, log, 3)
        assert stored is not None
        assert stored.data == stays


def test_bundles_stream_in_order(database: Database, log: int) -> None:
    put = [Bundle(number, 256, bytes([number])) for number in range(200)]
    with database.write() as connection:
        bundles.put_bundles(connection, log, reversed(put))
    with database.read() as connection:
        assert list(bundles.stream_bundles(connection, log)) == put
        assert list(bundles.stream_bundles(connection, log, 3, 190)) == put[3:190]
        stream = bundles.stream_bundles(connection, log, 198)
        assert next(stream) == put[198]
        stream.close()
        assert bundles.read_bundle(connection, log, 7) == put[7]


def test_tiles_only_grow(database: Database, log: int) -> None:
    with database.write() as connection:
        bundles.put_tiles(connection, log, [Tile(1, 0, b"a" * 64), Tile(2, 0, b"b" * 32)])
        bundles.put_tiles(connection, log, [Tile(1, 0, b"c" * 32), Tile(2, 0, b"d" * 64)])
        bundles.put_tiles(connection, log, [])
    with database.read() as connection:
        assert bundles.read_tile(connection, log, 1, 0) == b"a" * 64
        assert bundles.read_tile(connection, log, 2, 0) == b"d" * 64
        assert bundles.read_tile(connection, log, 3, 0) is None


@pytest.mark.parametrize(
    ("size", "kept_bundles", "kept_tiles"),
    [
        (0, [], []),
        (255, [], []),
        (256, [0], []),
        (65_535, list(range(255)), []),
        (65_536, list(range(256)), [(1, 0)]),
        (66_000, list(range(257)), [(1, 0)]),
        (70_000, list(range(259)), [(1, 0)]),
    ],
)
def test_what_lies_beyond_a_size_is_dropped(
    database: Database, log: int, size: int, kept_bundles: list[int], kept_tiles: list[tuple[int, int]]
) -> None:
    tiles = [Tile(1, 0, b"a" * 256 * 32), Tile(1, 1, b"b" * 3 * 32), Tile(2, 0, b"c" * 32)]
    with database.write() as connection:
        bundles.put_bundles(connection, log, [Bundle(number, 256, b"") for number in range(259)])
        bundles.put_tiles(connection, log, tiles)
        bundles.drop_from(connection, log, size)
    with database.read() as connection:
        assert [bundle.number for bundle in bundles.stream_bundles(connection, log)] == kept_bundles
        places = [(tile.level, tile.number) for tile in tiles]
        assert [place for place in places if bundles.read_tile(connection, log, *place)] == kept_tiles


def test_bundles_belong_to_a_log(database: Database) -> None:
    with pytest.raises(StoreError), database.write() as connection:
        bundles.put_bundles(connection, 99, [Bundle(0, 1, b"")])
