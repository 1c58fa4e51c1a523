from __future__ import annotations

from datetime import timedelta

import pytest

from follower import Follower
from hashpact_keys.rows import RowName
from hashpact_node.net.peer_witness import Behind, PeerWitness
from hashpact_node.net.rates import Budgets
from hashpact_node.services.card_bell import CardBell, card_due_ms, hear_card
from hashpact_node.services.cosigning import Cosigner
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.services.release import Releaser
from hashpact_node.services.rotating import Rotating
from hashpact_node.services.views import own_peer
from hashpact_node.services.witness_lines import WitnessLines
from hashpact_node.services.witnessing import Stands, Witness
from hashpact_node.store.doorbells import Ring, list_rings
from hashpact_protocol.errors import NotFoundError, SignatureError
from hashpact_protocol.witness import format_add_checkpoint
from members import sha256
from own_member import OwnMember
from publisher import Publisher

FRESH = 60_000
"""How long after a look at a trust repository a hint waits, in milliseconds."""


def hear(follower: Follower, origin: str, version: int, *, work: Budgets | None = None) -> bool:
    work = work or Budgets(per_second=1, burst=100)
    return hear_card(follower.database, origin, version, follower.now(), work)


def rings(follower: Follower) -> list[Ring]:
    with follower.database.read() as connection:
        return list_rings(connection)


def version(follower: Follower) -> int:
    return follower.peer().card_version or 0


def test_a_newer_card_is_looked_for_as_soon_as_a_hint_may(follower: Follower, publisher: Publisher) -> None:
    follower.add(publisher)
    assert follower.pull(publisher) == []
    newer = version(follower) + 1
    assert not hear(follower, publisher.log.origin, newer - 1)
    assert rings(follower) == []
    assert not hear(follower, publisher.log.origin, newer)
    (one,) = rings(follower)
    now_ms = int(follower.now().timestamp()) * 1_000
    assert (one.member, one.card, one.size, one.due_ms) == ("beta", newer, 0, now_ms + FRESH)
    assert one.card_is_newer
    assert not one.is_over
    follower.later(minutes=2)
    # What is not followed yet may be what the new card names; and a newer one yet is another hint.
    assert hear(follower, f"{publisher.prefix}/logs/listings-9", newer + 1)
    (one,) = rings(follower)
    assert (one.card, one.due_ms) == (newer + 1, now_ms + FRESH)
    assert not hear(follower, publisher.log.origin, newer)
    assert not hear(follower, f"{publisher.prefix}9/logs/listings-1", newer + 9)
    assert not hear(follower, follower.own.log.origin, newer + 9)


def test_hearing_is_bounded(sqlite_follower: Follower, publisher: Publisher) -> None:
    sqlite_follower.add(publisher)
    work = Budgets(per_second=0.001, burst=2)
    for more in range(1, 9):
        hear(sqlite_follower, publisher.log.origin, version(sqlite_follower) + more, work=work)
    (one,) = rings(sqlite_follower)
    assert one.card == version(sqlite_follower) + 2


def test_nobody_hears_less_for_what_another_says(sqlite_follower: Follower, publisher: Publisher) -> None:
    sqlite_follower.add(publisher)
    work, origin, known = Budgets(per_second=0.001, burst=2), publisher.log.origin, version(sqlite_follower)
    for more, asker in ((1, "gamma"), (2, "gamma"), (3, "gamma"), (4, "beta")):
        hear_card(sqlite_follower.database, origin, known + more, sqlite_follower.now(), work, asker=asker)
    (one,) = rings(sqlite_follower)
    assert one.card == known + 4


def test_a_look_that_lies_ahead_does_not_hold_a_hint_up(sqlite_follower: Follower, publisher: Publisher) -> None:
    sqlite_follower.add(publisher)
    assert sqlite_follower.pull(publisher) == []
    peer = sqlite_follower.peer()
    for ahead, due in ((timedelta(0), FRESH), (timedelta(seconds=59), 1_000), (timedelta(hours=-1), 0)):
        now = sqlite_follower.now() + ahead
        assert card_due_ms(peer, now) == int(now.timestamp() * 1_000) + due


def test_a_hint_is_heard_whatever_the_checkpoint_is_worth(sqlite_follower: Follower, publisher: Publisher) -> None:
    follower = sqlite_follower
    follower.add(publisher)
    assert follower.pull(publisher) == []
    follower.later(minutes=2)
    witness = Witness(follower.database, Cosigner(follower.database, follower.own.keyring, follower.now), follower.now)
    newer = version(follower) + 1
    stranger = publisher.add_log("listings-2")
    for body, error in (
        (format_add_checkpoint(0, (), publisher.note(stranger)), NotFoundError),
        (format_add_checkpoint(0, (), publisher.note(keys=stranger.keys)), SignatureError),
    ):
        with pytest.raises(error):
            witness.add_checkpoint(body, newer)
        assert witness.rung.is_set()
        witness.rung.clear()
        newer += 1
    assert witness.add_checkpoint(format_add_checkpoint(9, (), publisher.note(size=9)), newer) == Stands(0)
    assert witness.rung.is_set()
    witness.rung.clear()
    with pytest.raises(NotFoundError):
        witness.add_checkpoint(format_add_checkpoint(0, (), publisher.note(stranger)))
    assert not witness.rung.is_set()


def test_each_card_is_told_of_once(
    sqlite_follower: Follower, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower, own = sqlite_follower, sqlite_follower.own
    told: list[int | None] = []

    def add_checkpoint(_self: PeerWitness, _body: bytes, *, deadline_seconds: float, card: int | None) -> Behind:
        assert deadline_seconds
        told.append(card)
        return Behind(0)

    monkeypatch.setattr(PeerWitness, "add_checkpoint", add_checkpoint)
    follower.add(publisher)
    own.publisher.publish([ListingDraft("image", (sha256(1),))])
    lines = WitnessLines(follower.database, follower.fetcher, follower.now, 0)
    bell = CardBell(follower.database, lines)
    before = card_of(own)
    assert bell.tell()
    assert not bell.tell()
    places = KeyPlaces(own.settings)
    releaser = Releaser(follower.database, follower.locks, own.keyring, follower.now)
    rotating = Rotating(follower.database, follower.locks, own.keyring, places, releaser, bell, follower.now)
    done = rotating.rotate(RowName.REQUEST)
    assert not bell.tell()
    lines.close()
    assert list(dict.fromkeys(told)) == [before, done.card]


def card_of(own: OwnMember) -> int:
    with own.database.read() as connection:
        return own_peer(connection).card_version or 0
