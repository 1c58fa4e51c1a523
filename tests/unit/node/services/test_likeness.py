from __future__ import annotations

import pytest

from hashpact_node.services.likeness import about_card, about_names, about_place
from hashpact_node.store.database import Database
from hashpact_node.store.peers import REMOVED, set_state
from hashpact_protocol.card import Card
from members import add_member


def card(member: str, name: str = "A Company", url: str = "https://a-company.example") -> Card:
    return Card(member, name, url, (), (), (), ())


@pytest.mark.parametrize(
    ("member", "url", "found"),
    [
        ("acme", "https://acme.example", []),
        ("beta", "https://beta.example", []),
        ("acrne", "https://elsewhere.example", ["the id acrne may be taken for acme, which is known here"]),
        ("delta", "https://acrne.example", ["the address acrne.example may be taken for that of acme"]),
    ],
)
def test_ids_and_addresses_are_compared(member: str, url: str, found: list[str]) -> None:
    assert list(about_place(member, url, "acme", "https://acme.example")) == found


def test_odd_names_and_hosts_are_told() -> None:
    assert list(about_names(card("beta"))) == []
    assert list(about_names(card("beta", url="https://xn--cme-5cd.example"))) == [
        "its host is written in other letters than it shows: xn--cme-5cd reads \u0430cme"
    ]
    assert list(about_names(card("beta", "Be\u0442a"))) == [
        "the name Be\u0442a mixes Cyrillic and Latin letters in one word"
    ]


def test_those_who_are_shown_are_compared_and_nobody_with_itself(sqlite_database: Database) -> None:
    peer, _ = add_member(sqlite_database, "gamma")
    with sqlite_database.write() as connection:
        assert list(about_card(connection, card("garnma", "gamma"))) == [
            "gamma has the same name, gamma",
            "the id garnma may be taken for gamma, which is known here",
        ]
        assert list(about_card(connection, card("gamma", "gamma"))) == []
        set_state(connection, peer.number, REMOVED)
        assert list(about_card(connection, card("garnma", "gamma"))) == []
