from __future__ import annotations

from datetime import timedelta

import pytest

from hashpact_node.store.audiences import (
    add_audience,
    add_readers,
    audience_of_log,
    close_audience,
    drop_reader,
    find_audience,
    forget_not_for_us,
    get_audience,
    list_audiences,
    logs_not_for_us,
    note_not_for_us,
    remove_readers,
)
from hashpact_node.store.database import Database
from hashpact_node.store.log_rows import prune_logs
from hashpact_node.store.logs import put_card_logs
from hashpact_protocol.errors import NotFoundError
from members import NOW, add_member


def test_an_audience_has_readers_until_it_ends(database: Database) -> None:
    with database.write() as connection:
        made = add_audience(connection, "eu-desk", "listings-x1", ["gamma", "beta"], now=NOW)
        assert made.readers == ("beta", "gamma")
        add_readers(connection, made.number, ["delta", "beta"], now=NOW)
        remove_readers(connection, made.number, ["gamma"])
        assert get_audience(connection, "eu-desk").readers == ("beta", "delta")
        assert audience_of_log(connection, "listings-x1") == find_audience(connection, "eu-desk")
        close_audience(connection, made.number, now=NOW + timedelta(days=1))
        assert audience_of_log(connection, "listings-x1") is None
        assert list_audiences(connection) == []
        with pytest.raises(NotFoundError, match="eu-desk"):
            get_audience(connection, "eu-desk")
        again = add_audience(connection, "eu-desk", "listings-x2", [], now=NOW)
        assert (again.number, again.readers) != (made.number, made.readers)
        assert [one.log_name for one in list_audiences(connection, closed=True)] == ["listings-x1", "listings-x2"]
        assert [one.log_name for one in list_audiences(connection)] == ["listings-x2"]


def test_a_reader_leaves_every_open_audience(database: Database) -> None:
    with database.write() as connection:
        for name in ("us", "eu", "old"):
            add_audience(connection, name, f"listings-{name}", ["beta", "gamma"], now=NOW)
        close_audience(connection, get_audience(connection, "old").number, now=NOW)
        add_audience(connection, "other", "listings-other", ["gamma"], now=NOW)
        assert drop_reader(connection, "beta") == ("eu", "us")
        assert drop_reader(connection, "beta") == ()
        left = {one.name: one.readers for one in list_audiences(connection, closed=True)}
        assert left == {"eu": ("gamma",), "us": ("gamma",), "old": ("beta", "gamma"), "other": ("gamma",)}


def test_what_is_not_for_us_is_known_until_it_is(database: Database) -> None:
    with database.write() as connection:
        note_not_for_us(connection, 7, now=NOW)
        note_not_for_us(connection, 7, now=NOW + timedelta(days=1))
        assert logs_not_for_us(connection) == {7: int((NOW + timedelta(days=1)).timestamp())}
        forget_not_for_us(connection, 7)
        assert logs_not_for_us(connection) == {}


def test_what_is_known_of_a_log_goes_with_its_row(sqlite_database: Database) -> None:
    peer, (log,) = add_member(sqlite_database, "beta")
    with sqlite_database.write() as connection:
        note_not_for_us(connection, log.number, now=NOW)
        put_card_logs(connection, peer.number, [])
        prune_logs(connection, peer.number)
        assert logs_not_for_us(connection) == {}
