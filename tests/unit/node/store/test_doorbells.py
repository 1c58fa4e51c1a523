from __future__ import annotations

from hashpact_node.store.database import Database
from hashpact_node.store.doorbells import find_card_ring, find_ring, list_rings, ring, take_rings
from hashpact_node.store.peers import set_state
from members import add_log


def test_the_earliest_time_and_the_largest_size_stand(database: Database) -> None:
    log = add_log(database, "beta").number
    with database.write() as connection:
        assert find_ring(connection, log) is None
        ring(connection, log, size=5, due_ms=2_000)
        ring(connection, log, size=4, due_ms=1_000)
        assert find_ring(connection, log) == (5, 1_000)
        ring(connection, log, size=6, due_ms=3_000)
        assert find_ring(connection, log) == (6, 1_000)


def test_rings_are_listed_by_time_and_taken_once(database: Database) -> None:
    logs = [add_log(database, member).row for member in ("beta", "gamma", "delta")]
    with database.write() as connection:
        for log, due in zip(logs, (3_000, 1_000, 2_000), strict=True):
            ring(connection, log.number, size=1, due_ms=due)
        set_state(connection, logs[2].peer, "paused")
        assert [one.member for one in list_rings(connection)] == ["gamma", "beta"]
        take_rings(connection, [logs[1].number])
        (left,) = list_rings(connection)
        assert (left.log, left.sequence, left.size, left.accepted_size) == (logs[0].number, logs[0].sequence, 1, 0)


def test_the_newest_card_stands_beside_the_size(database: Database) -> None:
    log = add_log(database, "beta").number
    with database.write() as connection:
        for card, expected in ((None, None), (7, 7), (None, 7), (5, 7), (9, 9)):
            ring(connection, log, size=0, due_ms=1_000, card=card)
            assert find_card_ring(connection, log) == expected
        (one,) = list_rings(connection)
        assert (one.card, one.accepted_card, one.card_is_newer, one.is_over) == (9, None, True, False)
        take_rings(connection, [log])
        assert find_card_ring(connection, log) is None
        ring(connection, log, size=0, due_ms=1_000)
        assert list_rings(connection)[0].is_over
