from __future__ import annotations

import json
from dataclasses import replace
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.canonical import canonical_bytes
from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.errors import (
    ConsistencyError,
    EvidenceError,
    HashpactError,
    NoteError,
    SignatureError,
    VerificationError,
)
from hashpact_protocol.evidence import (
    CARDS_MAX,
    Divergence,
    Evidence,
    SignedCard,
    encode_evidence,
    find_divergence,
    parse_evidence,
    prove_fork,
    void_reason,
)
from hashpact_protocol.follow import Head
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import CompactRange, leaf_hash
from hashpact_protocol.notes import (
    Checkpoint,
    KeyType,
    Note,
    VerifierKey,
    format_checkpoint,
    format_note,
    log_signature,
    parse_checkpoint,
    parse_note,
)
from hashpact_protocol.tiles import TileReader

ORIGIN = "beta.example/logs/listings-1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VKEY = VerifierKey(ORIGIN, KeyType.ED25519, KEY.public_key().public_bytes_raw())
ENTRIES = 600


def leaves(size: int, *, other_from: int | None = None) -> list[bytes]:
    """Give leaf hashes, those from ``other_from`` on of another story."""
    forked = ENTRIES if other_from is None else other_from
    return [leaf_hash(b"%d %s" % (place, b"other" if place >= forked else b"same")) for place in range(size)]


def root(story: list[bytes]) -> bytes:
    return CompactRange().extend(story).root()


def note(size: int, root: bytes, *, origin: str = ORIGIN, key: Ed25519PrivateKey = KEY, keyed: str = "") -> bytes:
    text = format_checkpoint(Checkpoint(origin, size, root))
    named = VerifierKey(keyed or origin, KeyType.ED25519, key.public_key().public_bytes_raw())
    return format_note(Note(text, (log_signature(named, key.sign(text)),)))


def card(**log: object) -> Card:
    value = {
        "contacts": [],
        "logs": [
            {
                "keys": [str(VKEY)],
                "kind": "listings",
                "name": "listings",
                "origin": ORIGIN,
                "state": "open",
                "url": f"https://{ORIGIN}",
                **log,
            }
        ],
        "member": "beta",
        "name": "Beta",
        "request_keys": [],
        "url": "https://beta.example",
        "witness_keys": [],
    }
    return parse_card(canonical_bytes(value), member="beta", url="https://beta.example")


def closed(size: int) -> Card:
    return card(state="closed", final={"size": size, "root": "A" * 43 + "="})


def tree(story: list[bytes]) -> TileReader:
    """Read the nodes of a tree of at most 65 536 leaves."""

    def read(level: int, number: int, width: int) -> list[bytes]:
        span = 256**level
        first = number * 256
        return [root(story[at * span : (at + 1) * span]) for at in range(first, first + width)]

    return TileReader(len(story), read)


def divergence(smaller: int, story: list[bytes]) -> Divergence:
    return find_divergence(smaller, Head(len(story), root(story)), tree(story).node)


@given(st.data())
def test_two_stories_of_any_sizes_are_proven_and_one_story_never_is(data: st.DataObject) -> None:
    larger = data.draw(st.integers(1, ENTRIES))
    smaller = data.draw(st.integers(1, larger))
    forked = data.draw(st.integers(0, larger))
    ours, theirs = leaves(smaller), leaves(larger, other_from=forked)
    between = divergence(smaller, theirs) if smaller < larger else None
    notes = (note(larger, root(theirs)), note(smaller, root(ours)))  # in whatever order
    if forked < smaller:
        fork = prove_fork(notes, [card()], between)
        assert {fork.smaller, fork.larger} == {Head(smaller, root(ours)), Head(larger, root(theirs))}
        assert fork.keys == (VKEY,)
    else:
        with pytest.raises(VerificationError, match="tell one story"):
            prove_fork(notes, [card()], between)


@given(st.data())
def test_nobody_can_make_one_story_look_like_two(data: st.DataObject) -> None:
    """Honest checkpoints and any proof at all: it must lead to the root that was signed."""
    larger = data.draw(st.integers(2, 40))
    smaller = data.draw(st.integers(1, larger - 1))
    story = leaves(larger)
    honest = divergence(smaller, story)
    hashes = st.one_of(
        st.sampled_from([*honest.proof, honest.prefix_root, root(story)]), st.binary(min_size=32, max_size=32)
    )
    forged = Divergence(data.draw(hashes), tuple(data.draw(st.lists(hashes, max_size=len(honest.proof) + 1))))
    with pytest.raises(VerificationError):
        prove_fork((note(smaller, root(story[:smaller])), note(larger, root(story))), [card()], forged)


def test_sizes_that_differ_need_a_proof() -> None:
    notes = note(3, root(leaves(3))), note(5, root(leaves(5, other_from=0)))
    with pytest.raises(VerificationError, match="no proof"):
        prove_fork(notes, [card()], None)
    with pytest.raises(ConsistencyError):
        prove_fork(notes, [card()], divergence(3, leaves(5, other_from=1)))


def test_two_stories_take_two_checkpoints() -> None:
    one = note(3, root(leaves(3)))
    for notes in ((), (one,), (one, one, one)):
        with pytest.raises(VerificationError, match=f"{len(notes)} checkpoints are no two stories"):
            prove_fork(notes, [card()], None)


def test_a_fork_is_said_to_people() -> None:
    first, second = leaves(3), leaves(3, other_from=2)
    assert (
        "two signed roots at size 3" in prove_fork((note(3, root(first)), note(3, root(second))), [card()], None).what
    )
    longer = leaves(5, other_from=1)
    fork = prove_fork((note(3, root(first)), note(5, root(longer))), [card()], divergence(3, longer))
    assert "of size 5 that does not continue the one of size 3" in fork.what


def test_a_size_of_0_has_one_root() -> None:
    story = leaves(5)
    notes = note(0, root(leaves(1))), note(5, root(story))
    assert prove_fork(notes, [card()], divergence(0, story)).smaller.size == 0


def test_only_what_the_log_signed_counts() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    mine, theirs = note(3, root(leaves(3))), note(3, root(leaves(3, other_from=1)))
    forged = note(3, root(leaves(3, other_from=1)), key=other)
    with pytest.raises(SignatureError, match="proves nothing against this member"):
        prove_fork((mine, forged), [card()], None)
    with pytest.raises(SignatureError, match="proves nothing"):
        prove_fork((mine, theirs[:-6] + b"AAA==\n"), [card()], None)
    stranger = note(3, root(leaves(3, other_from=1)), key=other, keyed="gamma.example/logs/listings-1")
    with pytest.raises(SignatureError):
        prove_fork((mine, stranger), [card()], None)
    elsewhere = note(3, root(leaves(3, other_from=1)), origin="beta.example/logs/crisis-1")
    with pytest.raises(VerificationError, match="different logs"):
        prove_fork((mine, elsewhere), [card()], None)
    with pytest.raises(SignatureError):
        prove_fork((elsewhere, elsewhere), [card()], None)  # its card names no such log
    with pytest.raises(NoteError):
        prove_fork((mine, b"no note"), [card()], None)
    with pytest.raises(VerificationError, match="one story"):
        prove_fork((mine, mine), [card()], None)


def test_each_checkpoint_may_be_signed_by_the_key_of_another_card() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    renewed = VerifierKey(ORIGIN, KeyType.ED25519, other.public_key().public_bytes_raw())
    notes = note(3, root(leaves(3))), note(3, root(leaves(3, other_from=1)), key=other)
    fork = prove_fork(notes, [card(), card(keys=[str(renewed)])], None)
    assert set(fork.keys) == {VKEY, renewed}


def test_a_later_card_voids_what_lies_beyond_its_final_size() -> None:
    fork = prove_fork((note(3, root(leaves(3))), note(5, root(leaves(5, other_from=1)))), [card()],
                      divergence(3, leaves(5, other_from=1)))  # fmt: skip
    assert "closes this log at size 4" in str(void_reason(fork, closed(4)))
    assert void_reason(fork, closed(2)) is not None
    assert void_reason(fork, closed(5)) is None
    assert void_reason(fork, card()) is None  # open, or open again
    assert void_reason(fork, replace(card(), logs=())) is None


FULL = Evidence(
    "beta",
    "https://beta.example",
    (b'{"a root":1}', b"another"),
    (SignedCard(b"targets", b"card"), SignedCard(b"later targets")),
    (b"a note\n\n\xe2\x80\x94 x\n", b"another\n"),
    Divergence(bytes(32), (b"\1" * 32,)),
)


def test_evidence_is_read_as_it_was_written() -> None:
    for evidence in (
        FULL,
        replace(FULL, divergence=Divergence(bytes(32), ())),
        replace(FULL, notes=(), divergence=None),
    ):
        data = encode_evidence(evidence)
        assert data.endswith(b"}\n")
        assert parse_evidence(data) == parse_evidence(data[:-1]) == evidence


def test_evidence_that_would_not_be_read_back_is_not_written() -> None:
    for evidence in (
        replace(FULL, notes=(b"one",)),
        replace(FULL, roots=()),
        replace(FULL, cards=FULL.cards * CARDS_MAX),
        replace(FULL, roots=(b"\xff",)),
        replace(FULL, divergence=Divergence(b"short", ())),
        replace(FULL, member=""),
        replace(FULL, cards=cast("tuple[SignedCard, ...]", list(FULL.cards))),
    ):
        with pytest.raises(EvidenceError):
            encode_evidence(evidence)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"notes": ["one"]},
        {"notes": "one"},
        {"notes": [1, 2]},
        {"roots": []},
        {"roots": [""]},
        {"cards": ["x"]},
        {"cards": [{}]},
        {"member": 1},
        {"prefix_root": "AAAA"},
        {"prefix_root": "A" * 42 + "B="},
        {"prefix_root": "A" * 44},
        {"proof": "x"},
        {"proof": ["!"]},
        {"proof": ["A" * 43 + "="] * 65},
    ],
)
def test_evidence_not_of_its_form(change: dict[str, object]) -> None:
    value = json.loads(encode_evidence(FULL)) | change
    with pytest.raises(EvidenceError):
        parse_evidence(canonical_bytes(value))


def test_evidence_is_canonical_and_bounded() -> None:
    data = encode_evidence(FULL)
    for wrong in (
        b"",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        data.replace(b":", b": ", 1),
        data + b"\n",
        b"{" + data[1:-2] + b',"url":"x"}',
    ):
        with pytest.raises(EvidenceError):
            parse_evidence(wrong)
    with pytest.raises(EvidenceError, match="too large"):
        parse_evidence(b" " * (LIMITS.evidence_max_bytes + 1))


@given(st.binary(max_size=200))
def test_whatever_comes_is_evidence_or_an_error(data: bytes) -> None:
    try:
        evidence = parse_evidence(data)
    except EvidenceError:
        return
    raise AssertionError(evidence)


@given(st.integers(0, 1_000_000), st.integers(0, 255))
def test_one_changed_byte_proves_nothing_else(place: int, byte: int) -> None:
    """What is signed stays what it says, however the file is changed."""
    theirs = leaves(5, other_from=1)
    notes = note(3, root(leaves(3))), note(5, root(theirs))
    whole = Evidence(
        "beta", "https://beta.example", (b"root",), (SignedCard(b"t", b"c"),), notes, divergence(3, theirs)
    )
    data = bytearray(encode_evidence(whole))
    data[place % len(data)] = byte
    try:
        read = parse_evidence(bytes(data))
        fork = prove_fork(read.notes, [card()], read.divergence)
    except HashpactError:
        return
    assert {parse_checkpoint(parse_note(one).text).root for one in notes} == {fork.smaller.root, fork.larger.root}
