from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from desk import open_desk
from hashpact_node.assembly import Node
from hashpact_node.services.readers import is_open_to, may_read, may_read_elsewhere, readers_of
from hashpact_node.store.audiences import add_audience, close_audience, remove_readers
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, find_log
from hashpact_node.store.peers import PAUSED, REMOVED, get_peer, set_state
from members import NOW
from own_member import ORIGIN


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path) -> Iterator[Node]:
    with open_desk(sqlite_database, tmp_path / "home", sqlite_database.where) as node:
        yield node


@pytest.fixture
def connection(node: Node) -> Iterator[Connection]:
    with node.database.write() as connection:
        yield connection


def the_log(connection: Connection, origin: str) -> Log:
    log = find_log(connection, origin)
    assert log is not None
    return log


def for_some(log: Log) -> Log:
    return replace(log, name="listings-x1")


def test_every_member_that_is_followed_reads_a_general_log(connection: Connection) -> None:
    log = the_log(connection, ORIGIN)
    assert readers_of(connection, log) is None
    assert may_read(connection, "beta", log)
    set_state(connection, get_peer(connection, "beta").number, PAUSED)
    assert may_read(connection, "beta", log)
    set_state(connection, get_peer(connection, "beta").number, REMOVED)
    for nobody in ("beta", "acme", "omega", ""):
        assert not may_read(connection, nobody, log)
        assert not may_read_elsewhere(connection, nobody, log)


def test_only_its_readers_read_the_log_of_an_audience(connection: Connection) -> None:
    log = for_some(the_log(connection, ORIGIN))
    assert readers_of(connection, log) == frozenset()
    assert not may_read(connection, "beta", log), "nobody reads what no audience here has, as after an old backup"
    audience = add_audience(connection, "eu-desk", "listings-x1", ["beta", "gamma"], now=NOW)
    for ask in (may_read, may_read_elsewhere, is_open_to):
        assert [ask(connection, one, log) for one in ("beta", "gamma", "delta", "acme")] == [True, True, False, False]
    remove_readers(connection, audience.number, ["gamma"])
    set_state(connection, get_peer(connection, "beta").number, REMOVED)
    assert not may_read(connection, "gamma", log)
    assert not may_read(connection, "beta", log), "who is no peer any more is no reader"
    set_state(connection, get_peer(connection, "beta").number, PAUSED)
    assert may_read(connection, "beta", log)
    close_audience(connection, audience.number, now=NOW)
    assert not may_read(connection, "beta", log)


def test_of_the_audiences_of_others_only_their_publisher_gets_anything(connection: Connection) -> None:
    log = the_log(connection, "beta.example/logs/listings-1")
    assert may_read_elsewhere(connection, "gamma", log)
    assert [may_read_elsewhere(connection, one, for_some(log)) for one in ("beta", "gamma")] == [True, False]
    # A member whose id is that of one of our audiences' readers gains nothing by it.
    add_audience(connection, "eu-desk", "listings-x1", ["gamma"], now=NOW)
    assert not may_read_elsewhere(connection, "gamma", for_some(log))


def test_where_nobody_asks_who_asks_our_audiences_are_kept(connection: Connection) -> None:
    log = the_log(connection, ORIGIN)
    assert is_open_to(connection, None, log), "who may ask at all, is decided elsewhere"
    add_audience(connection, "eu-desk", "listings-x1", ["beta"], now=NOW)
    assert not is_open_to(connection, None, for_some(log))
    assert is_open_to(connection, None, for_some(the_log(connection, "beta.example/logs/listings-1")))
