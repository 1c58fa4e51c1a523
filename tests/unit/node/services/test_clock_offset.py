from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from hashpact_keys.health import ClockOffset
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.clock_offset import ask_clocks, clock_offset, heard
from hashpact_node.store import tables
from hashpact_node.store.database import Database
from hashpact_node.store.key_watch import Reading, put_readings
from hashpact_node.store.logs import LogTerms, put_card_logs
from hashpact_node.store.peers import PAUSED, add_peer, get_peer, set_state
from own_member import NOW, OwnMember
from publisher import Publisher

AT = int(NOW.timestamp())


def read(database: Database) -> ClockOffset | None:
    with database.read() as connection:
        return clock_offset(connection, NOW)


def add(database: Database, *readings: Reading) -> None:
    with database.write() as connection:
        for one in readings:
            add_peer(connection, one.member, f"https://{one.member}.example", now=NOW)
        put_readings(connection, list(readings))


def test_the_median_of_peers_counts_so_that_one_that_lies_does_not(acme: OwnMember) -> None:
    assert read(acme.database) is None
    add(acme.database, Reading("beta", 1_000, AT), Reading("gamma", 3_000, AT), Reading("zeta", -(10**9), AT))
    found = read(acme.database)
    assert found is not None
    assert found.seconds == 1.0
    assert "median" in found.measured
    assert "3 peers" in found.measured
    assert "zeta -1000000 s" in found.measured


def test_old_readings_and_those_of_others_do_not_count(acme: OwnMember) -> None:
    add(acme.database, Reading("beta", 90_000, AT - 3 * 3_600), Reading("gamma", 1, AT - 3 * 3_600 - 1))
    found = read(acme.database)
    assert found is not None
    assert found.seconds == 90
    with acme.database.write() as connection:
        set_state(connection, get_peer(connection, "beta").number, PAUSED)
    assert read(acme.database) is None


@pytest.mark.parametrize("late", [0, 61])
def test_without_any_a_cosignature_from_the_future_shows_that_we_are_behind(acme: OwnMember, late: int) -> None:
    origin = "beta.example/logs/listings-1"
    add(acme.database, Reading("beta", 0, 0))
    with acme.database.write() as connection:
        beta = get_peer(connection, "beta")
        terms = LogTerms("listings", "listings", origin, f"https://{origin}", "open", ())
        (log,) = put_card_logs(connection, beta.number, [terms])
        statement = update(tables.Log).where(col(tables.Log.number) == log.number)
        connection.execute(statement.values(own_cosigned_at=AT + late))
        own = update(tables.Log).where(col(tables.Log.number) == acme.log.number)
        connection.execute(own.values(own_cosigned_at=AT + 10_000))
    found = read(acme.database)
    assert (found is None) == (late == 0)
    if found is not None:
        assert (found.seconds, found.measured) == (-61, "by the newest cosignature of beta")


def test_peers_are_asked_and_heard(acme: OwnMember, publisher: Publisher, fetcher: Fetcher) -> None:
    with acme.database.write() as connection:
        beta = add_peer(connection, "beta", publisher.url, now=NOW)
        nobody = add_peer(connection, "nobody", "http://127.0.0.1:1", now=NOW)
    ask_clocks(fetcher, [])
    ask_clocks(fetcher, [beta, nobody])
    (reading,) = heard(fetcher, [beta, nobody])
    assert reading.member == "beta"
    assert abs(timedelta(milliseconds=reading.offset_ms)) < timedelta(seconds=30)
