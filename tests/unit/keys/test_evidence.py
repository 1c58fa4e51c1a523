from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    Metadata,
    Root,
    Targets,
)

from hashpact_keys.evidence import Charge, prove, verify_evidence
from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_files import card_of, newest, versions
from hashpact_protocol.errors import CardError, EvidenceError, SignatureError, TrustError, VerificationError
from hashpact_protocol.evidence import Evidence, SignedCard, encode_evidence
from hashpact_protocol.notes import (
    Checkpoint,
    KeyType,
    Note,
    VerifierKey,
    format_checkpoint,
    format_note,
    log_signature,
)
from unit.keys.trust_simulator import Member, new_signer

URL = "https://acme.example"
ORIGIN = "acme.example/logs/listings-1"


class Liar(Member):
    """A member whose release key is at hand."""

    def __init__(self) -> None:
        super().__init__()
        self.key = Ed25519PrivateKey.generate()
        self.release = self.key.public_key().public_bytes_raw()
        self.publish(self.card())

    def note(self, size: int, root: bytes) -> bytes:
        text = format_checkpoint(Checkpoint(ORIGIN, size, root))
        named = VerifierKey(ORIGIN, KeyType.ED25519, self.release)
        return format_note(Note(text, (log_signature(named, self.key.sign(text)),)))

    @property
    def roots(self) -> tuple[bytes, ...]:
        return tuple(self.files["metadata", f"{n}.root.json"] for n in versions(self.files, TrustRole.ROOT))

    @property
    def newest_targets(self) -> bytes:
        data = newest(self.files, TrustRole.TARGETS)
        assert data is not None
        return data

    def signed_card(self) -> SignedCard:
        return SignedCard(self.newest_targets, self.files[card_of(self.newest_targets, where="targets.json")])

    def evidence(self, *cards: SignedCard) -> Evidence:
        """Two roots at size 3, by the card in force."""
        notes = self.note(3, b"\1" * 32), self.note(3, b"\2" * 32)
        return Evidence("acme", URL, self.roots, cards or (self.signed_card(),), notes)

    def resigned(self, **change: object) -> SignedCard:
        """Sign another card under the version that stands."""
        metadata: Metadata[Targets] = Metadata.from_bytes(self.newest_targets)
        if change:
            metadata.signed.unrecognized_fields["note"] = str(change)
        metadata.sign(self.targets)
        return SignedCard(metadata.to_bytes())

    def directory(self) -> SignedCard:
        """Sign a directory where a card should be."""
        metadata: Metadata[Targets] = Metadata.from_bytes(self.newest_targets)
        metadata.signed.targets = {"directory.json": metadata.signed.targets["member.json"]}
        metadata.sign(self.targets)
        return SignedCard(metadata.to_bytes())

    def replace_targets(self) -> None:
        stolen, self.targets = self.targets, new_signer()

        def swap(root: Root) -> None:
            root.revoke_key(stolen.public_key.keyid, "targets")
            root.add_key(self.targets.public_key, "targets")

        self.rotate(swap)


def test_two_roots_are_proven_with_the_first_root_alone() -> None:
    liar = Liar()
    liar.rotate()
    liar.now += timedelta(days=3_000)  # everything in it has expired
    proven = verify_evidence(encode_evidence(liar.evidence()), liar.roots[0])
    assert (proven.charge, proven.member, proven.void, proven.doubts) == (Charge.LOG, "acme", None, ())
    assert "two signed roots at size 3" in proven.what
    assert prove(liar.evidence(), liar.roots[1]).what == proven.what  # or with a later one


def test_evidence_is_against_the_owner_of_the_root_alone() -> None:
    liar, other = Liar(), Liar()
    with pytest.raises(TrustError, match="not signed as root 1"):
        prove(liar.evidence(), other.roots[0])
    with pytest.raises(TrustError):
        prove(liar.evidence(), b"no root")
    with pytest.raises(SignatureError):
        prove(liar.evidence(other.signed_card()), other.roots[0])  # notes of the one, card of the other


def test_a_root_that_does_not_follow_sinks_it() -> None:
    liar, other = Liar(), Liar()
    other.rotate()
    forged = Evidence("acme", URL, (liar.roots[0], other.roots[1]), (liar.signed_card(),), liar.evidence().notes)
    with pytest.raises(TrustError):
        prove(forged, liar.roots[0])


def test_targets_by_another_key_or_of_another_card_sink_it() -> None:
    liar = Liar()
    card = liar.signed_card()
    stolen = liar.targets
    liar.targets = new_signer()
    forged = liar.resigned()
    liar.targets = stolen
    for wrong, error in (
        (SignedCard(forged.targets, card.card), TrustError),
        (SignedCard(card.targets, card.card + b" "), TrustError),
        (SignedCard(b"{}", card.card), TrustError),
        (liar.directory(), TrustError),
        (SignedCard(card.targets), VerificationError),
    ):
        with pytest.raises(error):
            prove(liar.evidence(wrong), liar.roots[0])
    evidence = liar.evidence()
    with pytest.raises(CardError):
        prove(Evidence("beta", URL, evidence.roots, evidence.cards, evidence.notes), liar.roots[0])


def test_a_later_card_that_closes_the_log_voids_it() -> None:
    liar = Liar()
    first = liar.signed_card()
    log = liar.card_value()["logs"][0]
    final = {"size": 2, "root": base64.b64encode(bytes(32)).decode()}
    liar.publish(liar.card(logs=[log | {"state": "closed", "final": final}]))
    proven = prove(liar.evidence(first, liar.signed_card()), liar.roots[0])
    assert "closes this log at size 2" in str(proven.void)
    with pytest.raises(VerificationError, match="rising order"):
        prove(liar.evidence(liar.signed_card(), first), liar.roots[0])
    liar.publish(liar.card())  # open again: both were signed, and both count
    assert prove(liar.evidence(first, liar.signed_card()), liar.roots[0]).void is None


def test_keys_that_were_revoked_since_leave_a_doubt() -> None:
    liar = Liar()
    before = liar.signed_card()
    liar.replace_targets()
    proven = prove(liar.evidence(before), liar.roots[0])
    assert "a thief of them could have made it" in proven.doubts[0]
    with pytest.raises(TrustError, match="earlier root"):
        prove(liar.evidence(before), liar.roots[1])


def test_two_cards_of_one_version_are_proven() -> None:
    liar = Liar()
    one, other = liar.signed_card(), liar.resigned(other=True)
    evidence = Evidence("acme", URL, liar.roots, (one, other))
    proven = verify_evidence(encode_evidence(evidence), liar.roots[0])
    assert (proven.charge, proven.fork) == (Charge.CARDS, None)
    assert "two targets metadata of version" in proven.what


def test_one_card_signed_twice_is_no_proof() -> None:
    liar = Liar()
    metadata: Metadata[Targets] = Metadata.from_bytes(liar.newest_targets)
    metadata.sign(new_signer(), append=True)
    again = SignedCard(metadata.to_bytes())
    assert again.targets != liar.newest_targets
    with pytest.raises(VerificationError, match="no two different cards"):
        prove(Evidence("acme", URL, liar.roots, (liar.signed_card(), again)), liar.roots[0])


def test_two_cards_of_different_roots_are_no_proof() -> None:
    """New targets keys may begin again at an old version, which is how a theft is recovered from."""
    liar = Liar()
    one = liar.signed_card()
    liar.replace_targets()
    other = liar.resigned(other=True)
    with pytest.raises(VerificationError, match="different roots"):
        prove(Evidence("acme", URL, liar.roots, (one, other)), liar.roots[0])


def test_what_is_no_evidence_is_refused() -> None:
    with pytest.raises(EvidenceError):
        verify_evidence(b"{}", Liar().roots[0])
