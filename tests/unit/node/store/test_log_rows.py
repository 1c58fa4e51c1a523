from __future__ import annotations

import pytest

from hashpact_node.store import log_rows
from hashpact_node.store.bundles import count_entries
from hashpact_node.store.database import Database
from hashpact_node.store.log_rows import prune_logs
from hashpact_node.store.logs import list_logs, put_card_logs
from hashpact_node.store.succession import set_held
from members import add_member, listing, sha256, terms


def origins(database: Database, peer: int) -> list[str]:
    with database.read() as connection:
        return [log.origin for log in list_logs(connection, peer=peer)]


def test_logs_that_never_held_anything_leave_no_row(database: Database) -> None:
    peer, _ = add_member(database, "beta", terms("beta", "listings-0"))
    for number in range(1, 6):
        with database.write() as connection:
            put_card_logs(connection, peer.number, [terms("beta", f"listings-{number}")])
            assert prune_logs(connection, peer.number) == []
    assert origins(database, peer.number) == ["beta.example/logs/listings-5"]


def test_the_newest_of_those_that_held_something_stay(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_rows, "UNNAMED_MAX", 2)
    add_member(database, "acme", own=True)
    peer, (log,) = add_member(database, "beta", terms("beta", "listings-0"))
    gone: list[str] = []
    for number in range(1, 6):
        log.append(listing(number, sha256(number)))
        with database.write() as connection:
            rows = put_card_logs(connection, peer.number, [terms("beta", f"listings-{number}")])
            gone += prune_logs(connection, peer.number)
            assert gone == [] or number > 3, "what still has claims stays"
            set_held(connection, log.number, size=0, range=b"")
            gone += prune_logs(connection, peer.number)
        log.number = rows[0].number
    assert gone == [f"beta.example/logs/listings-{number}" for number in range(3)]
    assert origins(database, peer.number) == [f"beta.example/logs/listings-{number}" for number in (3, 4, 5)]
    with database.read() as connection:
        left = {one.origin: count_entries(connection, one.number) for one in list_logs(connection, peer=peer.number)}
    assert list(left.values()) == [1, 1, 0]
