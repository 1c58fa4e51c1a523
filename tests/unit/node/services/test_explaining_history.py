from __future__ import annotations

import msgspec
from sqlalchemy import text

from hashpact_node.services.explaining_history import history_of
from hashpact_node.store.database import Database
from hashpact_protocol.merkle import leaf_hash
from hashpact_protocol.signals import make_signal
from hashpact_protocol.statements import encode_statement
from members import add_log, listing, sha256, uuid_of, withdrawal


def test_a_value_is_found_wherever_it_was_named(sqlite_database: Database) -> None:
    acme, beta = add_log(sqlite_database, "acme", own=True), add_log(sqlite_database, "beta")
    first = listing(2, sha256(1))
    acme.append(*(listing(100 + number, sha256(100 + number)) for number in range(300)), first)
    beta.append(listing(2, sha256(1)), listing(2, sha256(9)), withdrawal(3, 2), b'{"kind":"poem"}')
    with sqlite_database.read() as connection:
        found = history_of(connection, value=sha256(1).value)
        told = [(event.member, event.what, event.index, event.names) for event in found.events]
        assert told == [
            ("acme", "listed", 300, True),
            ("beta", "listed", 0, True),
            ("beta", "restated", 1, False),  # another revision of it, which names the value no more
            ("beta", "withdrew", 2, False),
        ]
        assert found.events[0].leaf == leaf_hash(encode_statement(first)).hex()
        assert (found.more, found.damaged) == (False, 0)
        assert history_of(connection, value=sha256(55_555).value).events == ()
        assert history_of(connection).events == ()
        few = history_of(connection, value=sha256(1).value, most=2)
        assert (len(few.events), few.more) == (2, True)


def test_a_listing_of_one_member_is_not_mistaken_for_another_s(sqlite_database: Database) -> None:
    acme, beta = add_log(sqlite_database, "acme", own=True), add_log(sqlite_database, "beta")
    acme.append(listing(1, sha256(1)))
    beta.append(listing(1, sha256(2)))
    with sqlite_database.read() as connection:
        found = history_of(connection, listings=[(beta.row.sequence, uuid_of(1))])
    assert [event.member for event in found.events] == ["beta"]


def test_a_value_that_is_only_spoken_of_is_none_that_is_listed(sqlite_database: Database) -> None:
    acme = add_log(sqlite_database, "acme", own=True)
    acme.append(msgspec.structs.replace(listing(1, sha256(1)), note=f"not the same as {sha256(2).value}"))
    with sqlite_database.read() as connection:
        assert history_of(connection, value=sha256(2).value).events == ()


def test_a_value_that_json_escapes_is_found(sqlite_database: Database) -> None:
    acme = add_log(sqlite_database, "acme", own=True)
    acme.append(listing(1, make_signal("novel", 'a"b\\c')))
    with sqlite_database.read() as connection:
        assert len(history_of(connection, value='a"b\\c').events) == 1


def test_a_damaged_bundle_is_counted_and_hides_no_other(sqlite_database: Database) -> None:
    acme = add_log(sqlite_database, "acme", own=True)
    acme.append(*(listing(number, sha256(number)) for number in range(257)), listing(900, sha256(1)))
    with sqlite_database.write() as connection:
        connection.execute(text("UPDATE bundle SET data = 'junk' WHERE number = 0"))
    with sqlite_database.read() as connection:
        found = history_of(connection, value=sha256(1).value)
    assert ([event.index for event in found.events], found.damaged) == ([257], 1)
