from __future__ import annotations

from hashpact_node.store.database import Database
from hashpact_node.store.evidence import (
    PROVEN_MAX,
    PROVEN_OF_LOG_MAX,
    UNPROVEN_MAX,
    add_evidence,
    find_evidence,
    list_evidence,
    read_evidence,
)
from members import NOW, add_member


def keep(database: Database, peer: int, name: str, *, log: int | None = 1, proven: bool = True) -> int | None:
    with database.write() as connection:
        return add_evidence(
            connection,
            peer=peer,
            log=log,
            proven=proven,
            charge="log-forked",
            what=f"two stories, {name}",
            digest=name.encode(),
            data=b"data of " + name.encode(),
            now=NOW,
        )


def test_what_is_kept_is_read_back(database: Database) -> None:
    peer, _ = add_member(database, "beta")
    number = keep(database, peer.number, "one", log=None)
    assert number is not None
    with database.read() as connection:
        kept = read_evidence(connection, number)
        assert kept is not None
        assert (kept.member, kept.log, kept.proven, kept.data) == ("beta", None, True, b"data of one")
        assert kept.kept_at == int(NOW.timestamp())
        assert list_evidence(connection) == list_evidence(connection, peer=peer.number) == [kept]
        assert list_evidence(connection, peer=peer.number + 1) == []
        assert read_evidence(connection, number + 1) is None
        assert find_evidence(connection, b"one", proven=True) == number
        assert find_evidence(connection, b"one", proven=False) is None


def test_the_same_is_kept_once_and_proof_takes_the_place_of_suspicion(database: Database) -> None:
    peer, _ = add_member(database, "beta")
    assert keep(database, peer.number, "one", proven=False) is not None
    assert keep(database, peer.number, "one", proven=False) is None
    number = keep(database, peer.number, "one")
    assert number is not None
    assert keep(database, peer.number, "one") is None
    with database.read() as connection:
        assert [kept.number for kept in list_evidence(connection)] == [number]


def test_suspicions_are_bounded_and_never_keep_a_proof_out(database: Database) -> None:
    peer, _ = add_member(database, "beta")
    kept = [keep(database, peer.number, f"maybe {n}", proven=False) for n in range(UNPROVEN_MAX + 2)]
    assert [number is not None for number in kept] == [True] * UNPROVEN_MAX + [False] * 2
    assert keep(database, peer.number, "proof") is not None


def test_proofs_are_bounded_by_log_and_by_member(database: Database) -> None:
    peer, _ = add_member(database, "beta")
    other, _ = add_member(database, "gamma")
    kept = [keep(database, peer.number, f"{log} {n}", log=log) for log in range(1, 7) for n in range(6)]
    assert sum(number is not None for number in kept[:6]) == PROVEN_OF_LOG_MAX
    assert sum(number is not None for number in kept) == PROVEN_MAX
    assert keep(database, other.number, "another's") is not None
