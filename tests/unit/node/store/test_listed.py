from __future__ import annotations

from hashpact_node.store.database import Database
from hashpact_node.store.listed import begin_counting, forget_listed, listed_by_day, set_listed
from hashpact_node.store.logs import get_log, move_accepted
from members import TestLog, add_log, add_member, listing, sha256, terms


def accept(log: TestLog, size: int) -> None:
    """Let a checkpoint of a size have been accepted."""
    with log.database.write() as connection:
        row = get_log(connection, log.number)
        root = row.accepted_root if size == row.accepted_size else bytes(32)
        move_accepted(connection, log.number, old_size=row.accepted_size, new_size=size, root=root, note=b"note")


def counted(log: TestLog) -> dict[int, int]:
    with log.database.read() as connection:
        return listed_by_day(connection, log.row.sequence)


def begin(log: TestLog, day: int) -> None:
    with log.database.write() as connection:
        begin_counting(connection, log.row.peer, day)


def test_a_sequence_is_counted_once_it_was_read_whole(database: Database) -> None:
    add_log(database, "acme", own=True)
    beta = add_log(database, "beta")
    begin(beta, 10)
    assert counted(beta) == {}  # nothing was ever accepted of it
    accept(beta, 2)
    begin(beta, 10)
    assert counted(beta) == {}  # two entries are still to come
    beta.append(listing(1, sha256(1)), listing(2, sha256(2)))
    begin(beta, 11)
    assert counted(beta) == {11: 0}
    begin(beta, 12)
    assert counted(beta) == {11: 0}


def test_each_sequence_is_counted_for_itself_and_only_listings_are(database: Database) -> None:
    kinds = (terms("beta"), terms("beta", "crisis-1", kind="crisis"), terms("beta", "opinions-1", kind="opinions"))
    _, (listings, crisis, opinions) = add_member(database, "beta", *kinds)
    accept(crisis, 0)
    accept(opinions, 0)
    begin(crisis, 10)
    assert (counted(listings), counted(crisis), counted(opinions)) == ({}, {10: 0}, {})


def test_old_days_are_forgotten_but_not_since_when_it_is_counted(database: Database) -> None:
    beta, gamma = add_log(database, "beta"), add_log(database, "gamma")
    with database.write() as connection:
        for day in (10, 20, 30):
            set_listed(connection, beta.row.sequence, day, day)
            set_listed(connection, beta.row.sequence, day, day + 1)
        set_listed(connection, gamma.row.sequence, 20, 5)
        forget_listed(connection, 25)
    assert counted(beta) == {10: 11, 30: 31}
    assert counted(gamma) == {20: 5}
