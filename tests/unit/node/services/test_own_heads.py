from __future__ import annotations

from datetime import timedelta

import pytest

from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.own_heads import BEHIND, FORKED, Learned, learn, must_know, settle
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.awakening import known_heads
from hashpact_node.store.logs import get_log
from hashpact_protocol.errors import ConflictError, NoteError, SignatureError, VerificationError
from hashpact_protocol.merkle import EMPTY_ROOT
from members import sha256
from mirroring import signed
from own_member import NOW, OwnMember
from publisher import Publisher


def publish(acme: OwnMember, *numbers: int) -> None:
    acme.publisher.publish([ListingDraft("image", (sha256(number),)) for number in numbers])


def learned(acme: OwnMember, note: bytes) -> Learned:
    with acme.database.write() as connection:
        return learn(connection, acme.log.number, note, member="beta", now=NOW)


def alarms(acme: OwnMember) -> set[str]:
    with acme.database.read() as connection:
        return {alarm.code for alarm in list_alarms(connection)}


def test_what_is_held_is_no_news(acme: OwnMember) -> None:
    publish(acme, 1, 2)
    note = acme.log.accepted_note
    assert note is not None
    assert learned(acme, note) is Learned.HELD
    publish(acme, 3)
    assert learned(acme, note) is Learned.HELD
    assert learned(acme, signed(acme, 0, EMPTY_ROOT)) is Learned.HELD
    assert alarms(acme) == set()


def test_a_release_that_is_pending_is_held(acme: OwnMember) -> None:
    publish(acme, 1)
    acme.publisher.publish([ListingDraft("image", (sha256(2),))], wait=False)
    assert acme.releaser._place(acme.log.number)
    assert acme.log.pending_root is not None
    assert learned(acme, signed(acme, 2, acme.log.pending_root)) is Learned.HELD
    assert acme.releaser.release(acme.log.number) == 2


def test_nothing_is_signed_while_a_peer_holds_more_that_we_signed(acme: OwnMember) -> None:
    publish(acme, 1)
    before = acme.log
    assert learned(acme, signed(acme, 2, bytes(32))) is Learned.MORE
    assert learned(acme, signed(acme, 2, bytes(32))) is Learned.MORE
    assert BEHIND in alarms(acme)
    acme.publisher.publish([ListingDraft("image", (sha256(2),))], wait=False)
    with pytest.raises(ConflictError, match="beta holds 2 entries"):
        acme.releaser.release(acme.log.number)
    with pytest.raises(ConflictError, match="beta holds 2 entries"):
        acme.releaser._sign_and_show(before, before.accepted_size, before.accepted_root)
    with acme.database.read() as connection:
        assert len(known_heads(connection)) == 1
    assert (acme.log.placed_size, acme.log.pending_size, acme.log.accepted_note) == (1, None, before.accepted_note)


def test_two_stories_are_for_good(acme: OwnMember) -> None:
    publish(acme, 1, 2)
    assert learned(acme, signed(acme, 1, bytes(32))) is Learned.OTHER
    with acme.database.read() as connection:
        alarm = next(alarm for alarm in list_alarms(connection) if alarm.code == FORKED)
    assert alarm.evidence is not None
    with pytest.raises(ConflictError, match="another story"):
        acme.releaser.release(acme.log.number)
    with acme.database.write() as connection:
        assert settle(connection, acme.log, now=NOW + timedelta(days=1))
    assert FORKED in alarms(acme)


def test_a_liar_can_claim_nothing(acme: OwnMember) -> None:
    publish(acme, 1)
    with Publisher() as liar:
        liar.log.origin = acme.log.origin
        lie = liar.note(size=7, root=bytes(32))
    with pytest.raises(SignatureError):
        learned(acme, lie)
    with pytest.raises(NoteError):
        learned(acme, b"<html>")
    with pytest.raises(VerificationError, match="checkpoint of"):
        learned(acme, signed(acme, 7, bytes(32), origin="acme.example/logs/listings-2"))
    with acme.database.read() as connection:
        assert known_heads(connection) == []
        must_know(connection, get_log(connection, acme.log.number))
