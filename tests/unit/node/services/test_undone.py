from __future__ import annotations

import pytest

from follower import Follower
from hashpact_node.services.undone import list_undone
from hashpact_protocol.errors import NotFoundError
from hashpact_protocol.statements import WellFormed, encode_statement
from members import listing, sha256, withdrawal
from publisher import Publisher

WHY = "the release key was stolen"


def cut(publisher: Publisher, at: int, *again: bytes) -> None:
    """Close the first log at a size for a reason, and open a successor that begins with these entries."""
    publisher.log.close(at)
    publisher.log.reason = WHY
    successor = publisher.add_log("listings-2")
    successor.append(*again)
    publisher.publish()


def test_a_peer_sees_what_was_undone_and_why(follower: Follower, publisher: Publisher) -> None:
    publisher.log.append(*(listing(number, sha256(number)) for number in range(300)))
    follower.add(publisher)
    assert follower.pull(publisher) == []
    assert list_undone(follower.database, "beta") == []
    thief: list[WellFormed | bytes] = [
        withdrawal(900, of=299),
        listing(901, sha256(901)),
        listing(902, sha256(902)),
        b"not JSON",
    ]
    publisher.log.append(*thief)
    assert follower.pull(publisher) == []
    cut(publisher, 300, encode_statement(listing(902, sha256(902))))
    follower.later(minutes=2)
    assert follower.pull(publisher) == []
    (undone,) = list_undone(follower.database, "beta")
    assert (undone.origin, undone.final_size, undone.reason, undone.complete) == (publisher.log.origin, 300, WHY, True)
    assert undone.cut_at == int(follower.clock[0].timestamp())
    told = [(one.index, one.kind, one.listed) for one in undone.entries]
    assert told == [(300, "withdrawal", True), (301, "listing", False), (302, "listing", True), (303, None, False)]
    assert f"sha256:{901:064x}" in undone.entries[1].what
    alarm = follower.alarms()["log-closed"]
    assert WHY in alarm.what
    assert "hashpact peer undone beta" in (alarm.mend or "")


def test_of_a_fork_what_was_otherwise_was_undone(follower: Follower, publisher: Publisher) -> None:
    ours = [encode_statement(listing(number, sha256(number))) for number in range(10)]
    publisher.log.tell([*ours[:5], encode_statement(listing(700, sha256(700)))])
    follower.add(publisher)
    assert follower.pull(publisher) == []
    publisher.log.tell(ours)
    cut(publisher, 10)
    follower.later(minutes=2)
    assert follower.pull(publisher) == []
    (undone,) = list_undone(follower.database, "beta")
    assert [(one.index, one.listed) for one in undone.entries] == [(5, False)]


def test_nothing_is_known_of_strangers(follower: Follower) -> None:
    with pytest.raises(NotFoundError):
        list_undone(follower.database, "delta")
    assert list_undone(follower.database, "acme") == []
