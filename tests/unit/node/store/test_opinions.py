from __future__ import annotations

from dataclasses import replace

import pytest

from hashpact_node.store import opinions as store
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import get_log
from hashpact_node.store.opinions import (
    Listed,
    Opinion,
    any_about,
    count_opinions,
    drop_oldest,
    drop_opinions_of,
    find_opinions,
    list_opinions,
    opinions_about,
    opinions_at,
    place_opinions,
    put_opinions,
)
from hashpact_protocol.claims import Place
from hashpact_protocol.facts import OpinionFacts
from members import add_member, terms

LEAF = bytes(32)


def listed(number: int) -> Listed:
    return Listed("acme", "listings", number.to_bytes(16))


class Crowd:
    """Some members with opinions logs in a database; ``says`` stores what one of them thinks."""

    def __init__(self, database: Database) -> None:
        self.logs: dict[str, tuple[int, int]] = {}
        for member in ("beta", "gamma", "delta"):
            made = [terms(member, "opinions-1", kind="opinions")]
            _, (log,) = add_member(database, member, *made)
            self.logs[member] = (log.number, log.row.sequence)

    def says(
        self, connection: Connection, member: str, number: int, verdict: str, *, at: int = 0, about: Place | None = None
    ) -> Opinion:
        log, sequence = self.logs[member]
        reason = "satire" if verdict == "disagree" else None
        opinion = Opinion(sequence, listed(number), Place(log, at), 7, verdict, reason, LEAF, about)
        put_opinions(connection, [opinion])
        return opinion


@pytest.fixture
def crowd(database: Database) -> Crowd:
    return Crowd(database)


def test_what_members_think_of_what_stands_at_a_place(database: Database, crowd: Crowd) -> None:
    one, two = Place(50, 4), Place(50, 5)
    with database.write() as connection:
        crowd.says(connection, "gamma", 1, "disagree", about=one)
        crowd.says(connection, "beta", 1, "agree", about=one)
        crowd.says(connection, "delta", 1, "seen", about=one)
        crowd.says(connection, "delta", 2, "seen", about=two)
        crowd.says(connection, "beta", 3, "disagree", at=2)  # about an older revision
    with database.read() as connection:
        facts = opinions_at(connection, [one, two, Place(51, 4)])
        assert facts == {one: OpinionFacts(("beta",), (("gamma", "satire"),))}
        told = list_opinions(connection, listed(1))
        assert [(whose, opinion.verdict) for whose, opinion in told] == [
            ("beta", "agree"),
            ("delta", "seen"),
            ("gamma", "disagree"),
        ]
        assert count_opinions(connection)["beta", "disagree"] == 1


def test_many_places_at_once_are_answered_alike(
    database: Database, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MANY", 2)
    with database.write() as connection:
        for at in range(4):
            crowd.says(connection, "beta", at, "agree", at=at, about=Place(50, at))
        places = [Place(50, 0), Place(50, 2), Place(50, 9)]
        assert set(opinions_at(connection, places)) == {Place(50, 0), Place(50, 2)}
        ids = {listed(at).listing for at in (0, 2, 3, 9)}
        found = opinions_about(connection, "acme", "listings", ids)
        assert sorted(one.place.position for one in found) == [0, 2, 3]


def test_the_newest_takes_the_place_of_an_older_one(database: Database, crowd: Crowd) -> None:
    with database.write() as connection:
        crowd.says(connection, "beta", 1, "agree", at=0, about=Place(50, 4))
        newest = crowd.says(connection, "beta", 1, "disagree", at=9, about=Place(50, 4))
        _, sequence = crowd.logs["beta"]
        assert find_opinions(connection, sequence, {listed(1), listed(2)}) == {listed(1): newest}
        assert opinions_about(connection, "acme", "listings") == [newest]
        assert opinions_at(connection, [Place(50, 4)]) == {
            Place(50, 4): OpinionFacts((), (("beta", "satire"),)),
        }


def test_what_they_are_about_moves_with_the_listing(database: Database, crowd: Crowd) -> None:
    with database.write() as connection:
        opinion = crowd.says(connection, "beta", 1, "agree", about=Place(50, 4))
        assert any_about(connection, "acme", "listings")
        assert not any_about(connection, "acme", "crisis")
        (found,) = opinions_about(connection, "acme", "listings", {listed(1).listing})
        assert found == opinion
        place_opinions(connection, [(opinion, Place(50, 6))])
        assert set(opinions_at(connection, [Place(50, 4), Place(50, 6)])) == {Place(50, 6)}
        place_opinions(connection, [(opinion, None)])
        assert opinions_at(connection, [Place(50, 6)]) == {}


def test_the_general_log_goes_before_that_of_an_audience(database: Database, crowd: Crowd) -> None:
    audience = replace(terms("omega", "opinions-x", kind="opinions"), name="opinions-x")
    _, logs = add_member(database, "omega", audience, terms("omega", "opinions-1", kind="opinions"))
    with database.write() as connection:
        for log, verdict in zip(logs, ("disagree", "agree"), strict=True):
            place = Place(log.number, 0)
            said = Opinion(get_log(connection, log.number).sequence, listed(1), place, 7, verdict, None, LEAF)
            put_opinions(connection, [replace(said, about=Place(50, 4))])
        crowd.says(connection, "beta", 1, "disagree", about=Place(50, 4))
        assert opinions_at(connection, [Place(50, 4)]) == {
            Place(50, 4): OpinionFacts(("omega",), (("beta", "satire"),)),
        }


def test_only_the_newest_are_kept(database: Database, crowd: Crowd) -> None:
    with database.write() as connection:
        for at in range(5):
            crowd.says(connection, "beta", at, "agree", at=at, about=Place(50, at))
        _, sequence = crowd.logs["beta"]
        assert drop_oldest(connection, sequence, keep=5) == (0, [])
        assert drop_oldest(connection, sequence, keep=3) == (2, [Place(50, 0), Place(50, 1)])
        kept = opinions_about(connection, "acme", "listings")
        assert sorted(one.place.position for one in kept) == [2, 3, 4]


def test_what_stands_in_a_log_is_forgotten_with_it(database: Database, crowd: Crowd) -> None:
    with database.write() as connection:
        crowd.says(connection, "beta", 1, "agree", about=Place(50, 4))
        crowd.says(connection, "beta", 2, "agree", at=1)
        crowd.says(connection, "gamma", 1, "agree", about=Place(50, 4))
        assert drop_opinions_of(connection, crowd.logs["beta"][0]) == [Place(50, 4)]
        assert opinions_at(connection, [Place(50, 4)]) == {Place(50, 4): OpinionFacts(("gamma",))}
