"""The public keys that a member's roots and card name, by row, whatever their names, types and spellings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache

from hashpact_keys.rows import ROWS, RowName, TrustRole
from hashpact_keys.trust_checks import ed25519_identity, load_root, root_rows
from hashpact_keys.trust_files import newest, roots
from hashpact_protocol.card import Card
from hashpact_protocol.card_logs import LogState

NamedKey = tuple[RowName, bytes]
"""A row and the SubjectPublicKeyInfo, in DER, of a public key that it names."""


@lru_cache(maxsize=1_024)
def root_keys(root: bytes) -> frozenset[NamedKey]:
    """What a root names; one that was read before is not read again.

    Raises:
        TrustError: it is no root.
    """
    where = "root.json"
    rows = root_rows(load_root(root, where=where).signed, where)
    return frozenset((RowName(row), identity) for row, identity in rows)


def newest_root_keys(files: Mapping[tuple[str, str], bytes]) -> frozenset[NamedKey]:
    """What the newest root names; nothing where there is none. Raises TrustError for a root that is damaged."""
    root = newest(files, TrustRole.ROOT)
    return frozenset() if root is None else root_keys(root)


def former_root_keys(files: Mapping[tuple[str, str], bytes]) -> frozenset[NamedKey]:
    """What any root names, those before the newest too; raises TrustError for one that is damaged."""
    return frozenset[NamedKey]().union(*(root_keys(root) for root in roots(files).values()))


def card_keys(card: Card) -> frozenset[NamedKey]:
    """What a card names, closed logs and keys out of their time included."""
    return frozenset((RowName(row), ed25519_identity(public, card.url)) for row, public in card.public_keys())


def needed_keys(root: Iterable[NamedKey], card: Card, now: datetime) -> Iterator[NamedKey]:
    """What this node must be able to sign with: the online keys, and keys of the card that count now or will."""
    yield from ((row, identity) for row, identity in root if row is RowName.ONLINE)
    for log in card.logs:
        if log.state is LogState.OPEN:
            row = next(name for name in ROWS if log.kind.value in ROWS[name].log_kinds)
            yield from ((row, ed25519_identity(key.public, card.url)) for key in log.keys)
    for witness in card.witness_keys:
        if witness.valid_until > now:
            yield RowName.WITNESS, ed25519_identity(witness.key.public, card.url)
    for request in card.request_keys:
        if request.valid_until > now:
            yield RowName.REQUEST, ed25519_identity(request.public, card.url)
