"""A member with two or three root keys, and the people who hold them, for tests of ceremonies."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from securesystemslib.signer import Signer  # type: ignore[attr-defined]  # it has no __all__; a documented name

from hashpact_keys.ceremony import NamedKey, RowChange, sign_draft, start_ceremony
from hashpact_keys.ceremony_draft import Draft
from hashpact_keys.rows import RowName
from hashpact_protocol.card import Card, parse_card
from unit.keys.trust_simulator import NOW, Member, new_signer

LATER = NOW + timedelta(minutes=5)


def card_of(member: Member) -> Card:
    return parse_card(member.card(), member="acme", url=member.url)


def people(*names: str) -> dict[str, Signer]:
    return {name: new_signer() for name in names}


def change(holders: dict[str, Signer], threshold: int) -> RowChange:
    return RowChange(tuple(NamedKey(signer.public_key, name) for name, signer in holders.items()), threshold)


def start(member: Member, now: datetime = LATER, **changes: RowChange) -> Draft:
    return start_ceremony(member.files, card_of(member), {RowName(row): one for row, one in changes.items()}, now)


def signed(draft: Draft, signers: Iterable[Signer]) -> Draft:
    for signer in signers:
        draft = sign_draft(draft, signer)
    return draft
