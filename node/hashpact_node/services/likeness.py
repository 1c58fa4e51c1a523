"""Whom a member may be taken for: reasons to look twice before it is trusted, never to refuse it."""

from __future__ import annotations

from collections.abc import Iterator

from hashpact_node.services.log_trust import card_of
from hashpact_node.store.connection import Connection
from hashpact_node.store.peers import SHOWN, list_peers
from hashpact_protocol.card import Card
from hashpact_protocol.lookalikes import oddities, resembles
from hashpact_protocol.names import MemberUrl


def about_place(member: str, url: str, other: str, other_url: str) -> Iterator[str]:
    """Say where a member's id or address may be taken for that of another, known one."""
    host = MemberUrl.parse(url).prefix
    if resembles(member, other):
        yield f"the id {member} may be taken for {other}, which is known here"
    if resembles(host, MemberUrl.parse(other_url).prefix):
        yield f"the address {host} may be taken for that of {other}"


def about_card(connection: Connection, card: Card) -> Iterator[str]:
    """Say whom of those known here a member may be taken for, with whom it shares a key, and how its name is odd."""
    yield from about_names(card)
    keys = {public for _, public in card.public_keys()}
    for other in list_peers(connection, own=True, states=SHOWN):
        if other.member == card.member:
            continue
        known = None if other.card is None else card_of(other)
        name = other.member if known is None else known.name
        if card.name == name:
            yield f"{other.member} has the same name, {name}"
        if resembles(card.name, name) or resembles(card.name, other.member):
            yield f"the name {card.name} may be taken for that of {other.member}, which is {name}"
        yield from about_place(card.member, card.url, other.member, other.url)
        if known is not None and keys & {public for _, public in known.public_keys()}:
            yield f"{other.member} lists one of the same keys: what it signs could be either's"


def about_names(card: Card) -> Iterator[str]:
    """Say what is odd about how a member's name for people, or its host, is written."""
    yield from (f"the name {card.name} {what}" for what in oddities(card.name))
    for label in MemberUrl.parse(card.url).prefix.partition("/")[0].split("."):
        if label.startswith("xn--"):
            yield f"its host is written in other letters than it shows: {label} {_decoded(label)}"


def _decoded(label: str) -> str:
    try:
        return f"reads {label.removeprefix('xn--').encode().decode('punycode')}"
    except UnicodeError:
        return "reads as nothing"
