from __future__ import annotations

import pytest

from follower import Follower
from hashpact_protocol.policy import Action
from hashpact_protocol.tiles import TileId
from members import listing, sha256, withdrawal
from publisher import Publisher, ScriptedLog, flipped


@pytest.fixture
def reader(sqlite_follower: Follower, publisher: Publisher) -> Follower:
    """Acme, which holds 2 000 listings of beta."""
    publisher.log.append(*(listing(number, sha256(number)) for number in range(2_000)))
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    publisher.forget()
    return sqlite_follower


def succeed(publisher: Publisher, follower: Follower, *, close: int = 2_000) -> ScriptedLog:
    """Restate all listings but every tenth in a fresh successor, and add one."""
    publisher.log.close(close)
    successor = publisher.add_log("listings-2")
    successor.append(*(listing(number, sha256(number)) for number in range(close) if number % 10))
    successor.fresh = len(successor.entries)
    successor.append(withdrawal(9_000, 1), listing(5_000, sha256(5_000)))
    publisher.publish()
    follower.later(minutes=61)
    publisher.now = follower.clock[0]
    publisher.renew()
    return successor


def bundles(publisher: Publisher) -> list[str]:
    return [path.rpartition("entries/")[2] for path in publisher.paths("/logs/listings-2/tile/entries/")]


def listed(follower: Follower, *numbers: int) -> list[bool]:
    return [follower.action(sha256(number)) is not Action.NONE for number in numbers]


@pytest.mark.parametrize("close", [2_000, 1_900])
def test_what_is_held_is_not_fetched_again(reader: Follower, publisher: Publisher, close: int) -> None:
    """Neither where the old log only ends, nor where it is cut, too."""
    succeed(publisher, reader, close=close)
    pulled = reader.pulled(publisher)
    assert pulled.errors == []
    last = (close * 9 // 10 + 2) // 256
    assert bundles(publisher) == [f"{last:03}.p/{(close * 9 // 10 + 2) % 256}"], "but for the one with news"
    assert listed(reader, 0, 1, 2, 1_899, 5_000) == [False, False, True, True, True]
    assert reader.log(publisher, "listings-2").held_size == close * 9 // 10 + 2


def test_tiles_that_name_the_wrong_entries_cost_a_reader_nothing_but_time(
    reader: Follower, publisher: Publisher
) -> None:
    successor = succeed(publisher, reader)
    wrong = list(successor.entries)
    wrong[0], wrong[1] = wrong[1], wrong[0]
    other = ScriptedLog(publisher.url, "listings-2")
    other.tell(wrong)
    tile = publisher_tile(other)
    publisher.alter("/logs/listings-2/tile/0/000", lambda honest: type(honest)(200, tile))
    assert reader.pull(publisher) == []
    assert "000" in bundles(publisher)
    assert listed(reader, 1, 2, 5_000) == [False, True, True]


def publisher_tile(log: ScriptedLog) -> bytes:

    tile = log.read(TileId(0, 0, 256))
    assert tile is not None
    return tile


def test_a_successor_that_shares_nothing_is_fetched_as_any(reader: Follower, publisher: Publisher) -> None:
    publisher.log.close()
    successor = publisher.add_log("listings-2")
    successor.append(*(listing(number, sha256(number), labels=["behaviour:glorification"]) for number in range(2_000)))
    successor.fresh = 2_000
    publisher.publish()
    reader.later(minutes=61)
    publisher.now = reader.clock[0]
    publisher.renew()
    assert reader.pull(publisher) == []
    assert len(bundles(publisher)) == 8
    assert len(publisher.paths("/logs/listings-2/tile/0/")) <= 6, "it soon stops looking"


def test_a_bundle_that_is_altered_is_still_refused(reader: Follower, publisher: Publisher) -> None:
    succeed(publisher, reader)
    publisher.alter("/logs/listings-2/tile/entries/007.p/10", flipped)
    assert reader.pull(publisher) != []
    assert listed(reader, 1, 2, 5_000) == [True, True, False]
