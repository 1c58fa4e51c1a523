from __future__ import annotations

from datetime import timedelta

from hashpact_node.store.database import Database
from hashpact_node.store.rotation import Began, begin_rotation, end_rotation, find_rotation
from own_member import NOW

SECONDS = int(NOW.timestamp())


def test_a_rotation_stands_until_it_ends_or_another_key_comes(database: Database) -> None:
    first, second = bytes(32), bytes([1]) * 32
    with database.write() as connection:
        assert find_rotation(connection, "release") is None
        begin_rotation(connection, "release", first, now=NOW, ready_at=NOW + timedelta(hours=2))
        began = Began(first, SECONDS, SECONDS + 7_200)
        assert find_rotation(connection, "release") == began
        later = NOW + timedelta(hours=1)
        begin_rotation(connection, "release", first, now=later, ready_at=later)
        assert find_rotation(connection, "release") == began
        begin_rotation(connection, "release", second, now=later, ready_at=later)
        assert find_rotation(connection, "release") == Began(second, SECONDS + 3_600, SECONDS + 3_600)
        end_rotation(connection, "crisis")
        assert find_rotation(connection, "release") is not None
        end_rotation(connection, "release")
        assert find_rotation(connection, "release") is None
