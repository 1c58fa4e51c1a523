from __future__ import annotations

import pytest

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_files import newest, version_of
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.own_cards import own_trust, sign_card
from hashpact_node.services.own_newer_card import CARD_BEHIND, is_newer, learn_own_card, must_have_newest, settle_card
from hashpact_node.services.trusting import take_card
from hashpact_node.store.alarms import list_alarms
from hashpact_protocol.errors import ConflictError, TrustError
from mirroring import Waker
from own_member import NOW, OwnMember
from publisher import Publisher


@pytest.fixture
def signed_since(acme: OwnMember) -> tuple[int, bytes, bytes]:
    """A newer card of acme that its database knows nothing of: its version, its targets metadata, and itself."""
    with acme.database.read() as connection:
        trust = own_trust(connection)
    files = sign_card(acme.keyring, trust, trust.card, lambda: NOW)
    targets = newest(files, TrustRole.TARGETS)
    assert targets is not None
    assert trust.peer.card_version is not None
    assert trust.peer.card is not None
    return trust.peer.card_version + 1, targets, trust.peer.card


def learn(acme: OwnMember, version: int, targets: bytes) -> None:
    with acme.database.write() as connection:
        learn_own_card(connection, version, targets, member="beta", now=NOW)


def test_nothing_is_signed_with_an_old_card(
    acme: OwnMember, fetcher: Fetcher, signed_since: tuple[int, bytes, bytes]
) -> None:
    version, targets, card = signed_since
    with acme.database.read() as connection:
        assert is_newer(connection, version)
        assert not is_newer(connection, version - 1)
    process = Waker(acme, fetcher).process()
    process.require()
    learn(acme, version, targets)
    with pytest.raises(ConflictError, match="beta trusts version"):
        process.require()
    with acme.database.write() as connection:
        assert CARD_BEHIND in {alarm.code for alarm in list_alarms(connection)}
        take_card(connection, own_trust(connection).peer, card, version, NOW)
        settle_card(connection, now=NOW)
        assert CARD_BEHIND not in {alarm.code for alarm in list_alarms(connection)}
    process.require()


def test_what_our_targets_key_did_not_sign_changes_nothing(
    acme: OwnMember, signed_since: tuple[int, bytes, bytes]
) -> None:
    version, targets, _ = signed_since
    with Publisher() as liar:
        theirs = newest(liar.files, TrustRole.TARGETS)
    assert theirs is not None
    their_version = version_of(TrustRole.TARGETS, theirs, where="theirs")
    for said, data in (
        (their_version, theirs),
        (version + 1, targets),
        (version, targets[:-9] + b"}"),
        (version, b"{}"),
    ):
        with pytest.raises(TrustError):
            learn(acme, said, data)
    with acme.database.read() as connection:
        must_have_newest(connection)
