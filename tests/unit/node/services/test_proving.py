from __future__ import annotations

import json

import pytest

from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.proving import Prover, verify_proof_file
from hashpact_node.store.logs import move_accepted
from hashpact_node.store.peers import find_own
from hashpact_protocol.errors import (
    CardError,
    ConfigurationError,
    ConflictError,
    HashpactError,
    InclusionError,
    NotFoundError,
    ProofError,
    SignatureError,
    StatementError,
)
from hashpact_protocol.statements import Listing, encode_statement
from members import add_log, listing, sha256, withdrawal
from own_member import ORIGIN, OwnMember


def own_card(acme: OwnMember) -> bytes:
    with acme.database.read() as connection:
        own = find_own(connection)
    assert own is not None
    assert own.card is not None
    return own.card


@pytest.fixture
def published(acme: OwnMember) -> list[str]:
    return [one.id for one in acme.publisher.publish([ListingDraft("image", (sha256(n),)) for n in range(300)])]


def test_a_proof_verifies_with_card_and_with_policy(acme: OwnMember, published: list[str]) -> None:
    policy = f"log {acme.log.keys[0]}\nquorum none\n".encode()
    for index in (0, 255, 256, 299):
        proof = Prover(acme.database).prove(published[index])
        assert (proof.member, proof.origin, proof.index, proof.size, proof.live) == ("acme", ORIGIN, index, 300, True)
        for trusted in (own_card(acme), policy):
            verified = verify_proof_file(proof.proof, proof.entry, trusted)
            assert (verified.origin, verified.index, verified.size) == (ORIGIN, index, 300)
            assert verified.entry == proof.entry
            assert verified.root == acme.log.accepted_root


def test_the_entry_may_come_in_another_layout(acme: OwnMember, published: list[str]) -> None:
    proof = Prover(acme.database).prove(published[7])
    pretty = json.dumps(json.loads(proof.entry), indent=2).encode() + b"\n"
    assert verify_proof_file(proof.proof, pretty, own_card(acme)).entry == proof.entry


def test_the_newest_revision_is_proven(acme: OwnMember, published: list[str]) -> None:
    acme.publisher.publish([ListingDraft("image", (sha256(7),), id=published[3])])
    acme.publisher.withdraw(published[4], "error")
    assert Prover(acme.database).prove(published[3]).index == 300
    withdrawn = Prover(acme.database).prove(published[4], member="acme")
    assert (withdrawn.index, withdrawn.live) == (4, False)


def test_what_is_not_so_does_not_verify(acme: OwnMember, published: list[str]) -> None:
    proof = Prover(acme.database).prove(published[7])
    other = Prover(acme.database).prove(published[8])
    card, policy = own_card(acme), b"log beta.example/logs/listings-1+6d80b5ab+AQ==\nquorum none\n"
    strange = card.replace(b"logs/listings-1", b"logs/listings-9")
    cases: list[tuple[bytes, bytes, bytes, type[HashpactError]]] = [
        (proof.proof, other.entry, card, InclusionError),
        (other.proof, proof.entry, card, InclusionError),
        (proof.proof.replace(b"index 7", b"index 8"), proof.entry, card, InclusionError),
        (b"no proof", proof.entry, card, ProofError),
        (proof.proof, b"no entry", card, StatementError),
        (proof.proof, b"[1.5]", card, StatementError),
        (proof.proof, proof.entry, policy, ConfigurationError),
        (proof.proof, proof.entry, b"", ConfigurationError),
        (proof.proof, proof.entry, b"{}", CardError),
        (proof.proof, proof.entry, b"{", CardError),
        (proof.proof, proof.entry, strange, CardError),
        (proof.proof.replace(b"\n300\n", b"\n301\n"), proof.entry, card, SignatureError),
    ]
    for data, entry, trusted, error in cases:
        with pytest.raises(error):
            verify_proof_file(data, entry, trusted)
    without = json.loads(card)
    without["logs"] = []
    with pytest.raises(SignatureError, match="names no log of this origin"):
        verify_proof_file(proof.proof, proof.entry, json.dumps(without).encode())


def test_what_is_not_held_is_not_proven(acme: OwnMember, published: list[str]) -> None:
    prover = Prover(acme.database)
    for identifier in ("no id", "00000000-0000-4000-8000-000000000000"):
        with pytest.raises(NotFoundError):
            prover.prove(identifier)
    with pytest.raises(NotFoundError):
        prover.prove(published[0], member="beta")


def test_a_peers_listing_needs_its_checkpoint(acme: OwnMember, published: list[str]) -> None:
    beta = add_log(acme.database, "beta")
    theirs = listing(1, sha256(1))
    same = encode_statement(Listing(published[0], theirs.time, "image", (sha256(2),)))
    beta.append(theirs, same, withdrawal(2, of=9))
    prover = Prover(acme.database)
    with pytest.raises(ConflictError, match="no checkpoint"):
        prover.prove(theirs.id)
    with pytest.raises(ConflictError, match="more than one log"):
        prover.prove(published[0])
    assert prover.prove(published[0], member="acme").index == 0
    with acme.database.write() as connection:
        move_accepted(connection, beta.number, old_size=0, new_size=700, root=bytes(32), note=b"note\n")
    with pytest.raises(ConflictError, match="not held whole yet"):
        prover.prove(theirs.id)
    with pytest.raises(NotFoundError):  # the id of a withdrawal is no listing
        prover.prove(withdrawal(2, of=9).id)
