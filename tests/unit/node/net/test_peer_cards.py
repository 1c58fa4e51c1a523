from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from hashpact_node.net.addresses import AddressRules
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_cards import CARDS_MAX, CardSeen, PeerCards
from hashpact_protocol.errors import FetchStatusError, FetchTooLargeError, MalformedError
from hashpact_protocol.limits import LIMITS
from publisher import Publisher, gone, says

CARD = {"member": "beta", "url": "https://beta.example", "version": 7, "sha256": "ab" * 32}


@pytest.fixture
def peer() -> Iterator[Publisher]:
    with Publisher("gamma") as one:
        yield one


@pytest.fixture
def asked(peer: Publisher) -> Iterator[PeerCards]:
    with Fetcher(AddressRules()) as fetcher:
        yield PeerCards(fetcher, peer.url)


def listed(*cards: object) -> bytes:
    return json.dumps({"cards": cards}).encode()


def test_cards_are_read(peer: Publisher, asked: PeerCards) -> None:
    peer.alter("/witness/cards", says(listed(CARD, {**CARD, "version": 8, "new": 1})))
    assert [(card.member, card.version) for card in asked.list()] == [("beta", 7), ("beta", 8)]
    assert isinstance(asked.list()[0], CardSeen)
    peer.alter("/witness/cards", says(listed(*[CARD] * (CARDS_MAX + 1))))
    assert len(asked.list()) == CARDS_MAX
    peer.alter("/witness/cards/beta/7", says(b"targets"))
    assert asked.targets("beta", 7) == b"targets"
    peer.alter("/witness/cards/beta/7/card", says(b"card"))
    assert asked.card("beta", 7) == b"card"
    peer.alter("/witness/cards/beta/roots/2", says(b"root"))
    assert asked.root("beta", 2) == b"root"


@pytest.mark.parametrize(("root", "read"), [(3, 3), (0, None), (True, None), ("3", None), (None, None)])
def test_a_peer_may_say_which_root_it_has(peer: Publisher, asked: PeerCards, root: object, read: int | None) -> None:
    peer.alter("/witness/cards", says(listed({**CARD, "root": root})))
    assert asked.list()[0].root == read


def test_cards_and_roots_have_their_bounds(peer: Publisher, asked: PeerCards) -> None:
    peer.alter("/witness/cards/beta/7/card", says(b" " * (LIMITS.card_max_bytes + 1)))
    with pytest.raises(FetchTooLargeError):
        asked.card("beta", 7)
    peer.alter("/witness/cards/beta/roots/2", says(b" " * (LIMITS.trust_metadata_max_bytes + 1)))
    with pytest.raises(FetchTooLargeError):
        asked.root("beta", 2)


def test_a_peer_without_a_list(peer: Publisher, asked: PeerCards) -> None:
    peer.alter("/witness/cards", gone)
    assert asked.list() == []
    peer.alter("/witness/cards", says(b"", 500))
    with pytest.raises(FetchStatusError):
        asked.list()
    peer.alter("/witness/cards/beta/7", gone)
    with pytest.raises(FetchStatusError):
        asked.targets("beta", 7)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"cards": 1}',
        listed(1),
        listed({**CARD, "version": True}),
        listed({**CARD, "version": 0}),
        listed({**CARD, "version": 2**60}),
        listed({**CARD, "sha256": "AB" * 32}),
        listed({**CARD, "member": 1}),
        listed({"member": "beta"}),
    ],
    ids=range(12),
)
def test_a_list_not_of_its_form(peer: Publisher, asked: PeerCards, body: bytes) -> None:
    peer.alter("/witness/cards", says(body))
    with pytest.raises(MalformedError):
        asked.list()


def test_no_list_that_is_too_long(peer: Publisher, asked: PeerCards) -> None:
    peer.alter("/witness/cards", says(b" " * 300_000))
    with pytest.raises(FetchTooLargeError):
        asked.list()
