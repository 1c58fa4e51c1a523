"""Verify evidence against a member, given nothing but a root of that member (docs/protocol.md, Evidence).

What has expired still counts: a member answers for what it signed, however long ago. Signatures, thresholds, versions
and hashes count as ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_checks import check_role, check_root
from hashpact_keys.trust_files import version_of
from hashpact_keys.trust_form import CARD_PATH, check_form
from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.errors import TrustError, VerificationError
from hashpact_protocol.evidence import Evidence, Fork, SignedCard, parse_evidence, prove_fork, void_reason

_WHERE: Final = "evidence"


class Charge(StrEnum):
    """What is proven."""

    LOG = "log-forked"
    CARDS = "card-forked"


@dataclass(frozen=True, slots=True)
class Proven:
    """What evidence proves against a member; ``what`` is a sentence for people.

    ``void`` says why a later card of the member voids it, else None. ``doubts`` are for people to weigh.
    """

    charge: Charge
    member: str
    url: str
    what: str
    void: str | None
    doubts: tuple[str, ...]
    fork: Fork | None
    card_version: int


@dataclass(frozen=True, slots=True)
class _Believed:
    """A card whose signatures hold: ``rooted`` is the place of the first root in the chain that says so."""

    version: int
    rooted: int
    signed: dict[str, Any]
    targets: bytes
    card: Card | None


def verify_evidence(data: bytes, root: bytes) -> Proven:
    """Verify the bytes of an evidence file, given a root of the accused that came in a way that is trusted.

    Raises EvidenceError for what is no evidence; TrustError when the root given does not lead to the cards in it;
    CardError, NoteError, SignatureError, ConsistencyError and VerificationError when it proves nothing.
    """
    return prove(parse_evidence(data), root)


def prove(evidence: Evidence, root: bytes) -> Proven:
    """Verify evidence that was read already; see ``verify_evidence``."""
    chain = _walk(root, evidence.roots)
    cards = [_believe(chain, one, evidence) for one in evidence.cards]
    if [card.version for card in cards] != sorted(card.version for card in cards):
        raise VerificationError("the cards do not stand in rising order of their versions", where=_WHERE)
    return _prove_log(evidence, chain, cards) if evidence.notes else _prove_cards(evidence, chain, cards)


def _prove_log(evidence: Evidence, chain: Sequence[bytes], cards: Sequence[_Believed]) -> Proven:
    known = [card for card in cards if card.card is not None]
    if not known:
        raise VerificationError("there is no card that says whose log this is", where=_WHERE)
    fork = prove_fork(evidence.notes, [card.card for card in known if card.card is not None], evidence.divergence)
    newest = known[-1]
    void = void_reason(fork, newest.card) if newest.card is not None else None
    version = newest.version
    return Proven(Charge.LOG, evidence.member, evidence.url, fork.what, void, _doubts(chain, cards), fork, version)


def _prove_cards(evidence: Evidence, chain: Sequence[bytes], cards: Sequence[_Believed]) -> Proven:
    for one, other in pairwise(cards):
        if one.version == other.version and one.signed != other.signed:
            _check_one_role(chain, one, other)
            named = "with one card" if _card_hash(one) == _card_hash(other) else "with different cards"
            what = f"{evidence.member} has signed two targets metadata of version {one.version}, {named}"
            version = one.version
            doubts = _doubts(chain, (one, other))
            return Proven(Charge.CARDS, evidence.member, evidence.url, what, None, doubts, None, version)
    raise VerificationError("there are no two different cards of one version in it", where=_WHERE)


def _walk(root: bytes, roots: Sequence[bytes]) -> list[bytes]:
    """Give the root that is trusted, and those that follow from it."""
    check_root(root, None, where="the root given")
    chain = [root]
    for data in roots:
        last = version_of(TrustRole.ROOT, chain[-1], where=_WHERE)
        if version_of(TrustRole.ROOT, data, where=_WHERE) > last:
            check_root(data, chain[-1], where=_WHERE)
            chain.append(data)
    return chain


def _believe(chain: Sequence[bytes], one: SignedCard, evidence: Evidence) -> _Believed:
    """Verify that targets metadata are signed as one of the roots says, and that they name the card."""
    rooted = _rooted(chain, one.targets)
    signed = check_form(TrustRole.TARGETS, one.targets, where=_WHERE)
    if CARD_PATH not in signed["targets"]:
        raise TrustError(f"targets do not name {CARD_PATH}", where=_WHERE)
    card = None
    if one.card:
        named = signed["targets"][CARD_PATH]
        digest = hashlib.sha256(one.card).hexdigest()
        if (named["length"], named["hashes"]["sha256"]) != (len(one.card), digest):
            raise TrustError("the targets metadata name another card", where=_WHERE)
        card = parse_card(one.card, member=evidence.member, url=evidence.url)
    return _Believed(signed["version"], rooted, signed, one.targets, card)


def _rooted(chain: Sequence[bytes], targets: bytes) -> int:
    for place, root in enumerate(chain):
        if _signed_by(root, targets):
            return place
    version = version_of(TrustRole.ROOT, chain[0], where=_WHERE)
    raise TrustError(
        f"targets metadata in it are not signed as root {version}, or one that follows it, asks for",
        where=_WHERE,
        mend="give an earlier root of this member, as it was when this was signed",
    )


def _signed_by(root: bytes, targets: bytes) -> bool:
    try:
        check_role(root, TrustRole.TARGETS, targets, where=_WHERE)
    except TrustError:
        return False
    return True


def _check_one_role(chain: Sequence[bytes], one: _Believed, other: _Believed) -> None:
    """Raise unless one root gives both their force: new targets keys may begin again at an old version."""
    later = max(one.rooted, other.rooted)
    if not any(_signed_by(root, one.targets) and _signed_by(root, other.targets) for root in chain[later:]):
        raise VerificationError("the two cards of one version are signed by keys of different roots", where=_WHERE)


def _doubts(chain: Sequence[bytes], cards: Sequence[_Believed]) -> tuple[str, ...]:
    """Say where the newest root no longer names the keys that signed a card: a thief of them could have made it."""
    newest = version_of(TrustRole.ROOT, chain[-1], where=_WHERE)
    return tuple(
        f"root {newest} no longer names the keys that signed card {card.version}: a thief of them could have made it"
        for card in cards
        if not _signed_by(chain[-1], card.targets)
    )


def _card_hash(card: _Believed) -> str:
    return str(card.signed["targets"][CARD_PATH]["hashes"]["sha256"])
