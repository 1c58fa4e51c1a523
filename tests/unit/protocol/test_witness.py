from __future__ import annotations

import base64
import hashlib

import pytest

from hashpact_protocol.errors import ConsistencyError, NoteError, ProofError
from hashpact_protocol.follow import Head
from hashpact_protocol.merkle import EMPTY_ROOT, CompactRange, consistency_proof, leaf_hash, subtree_root
from hashpact_protocol.notes import Checkpoint, Note, NoteSignature, format_checkpoint, format_note
from hashpact_protocol.witness import (
    ADD_CHECKPOINT_MAX_BYTES,
    PROOF_LINES_MAX,
    AddCheckpoint,
    check_growth,
    format_add_checkpoint,
    format_signatures,
    format_size,
    origin_hash,
    parse_add_checkpoint,
    parse_signatures,
    parse_size_answer,
)

LEAVES = [leaf_hash(b"%d" % number) for number in range(11)]
HASH = base64.b64encode(bytes(32)).decode()
LINE = NoteSignature("acme.example/logs/listings-1", b"1234", bytes(64))
# The example of C2SP tlog-witness, as it is published; its signature lines share their beginning.
SIGNED = "\u2014 example.com/behind-the-sofa "
PUBLISHED = f"""\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

{SIGNED}Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
{SIGNED}opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
""".encode()


def read(level: int, index: int) -> bytes:
    return subtree_root(LEAVES[index << level : (index + 1) << level])


def root(size: int) -> bytes:
    return CompactRange().extend(LEAVES[:size]).root()


def note(size: int, of: bytes | None = None) -> bytes:
    checkpoint = Checkpoint("acme.example/logs/listings-1", size, of or root(size))
    return format_note(Note(format_checkpoint(checkpoint), (LINE,)))


def ask(old: int, size: int, proof: tuple[bytes, ...] | None = None, of: bytes | None = None) -> AddCheckpoint:
    if proof is None:
        proof = tuple(consistency_proof(old, size, read))
    return parse_add_checkpoint(format_add_checkpoint(old, proof, note(size, of)))


def test_the_published_example_is_read() -> None:
    request = parse_add_checkpoint(PUBLISHED)
    assert (request.old, len(request.proof)) == (20852014, 4)
    assert (request.checkpoint.origin, request.checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert len(request.parsed.signatures) == 2
    assert format_add_checkpoint(request.old, request.proof, request.note) == PUBLISHED


@pytest.mark.parametrize(
    ("before", "fault"),
    [
        ("", "first line"),
        ("old", "first line"),
        ("Old 0", "first line"),
        ("old  0", "a size is"),
        ("old 00", "a size is"),
        ("old 01", "a size is"),
        ("old -1", "a size is"),
        ("old +1", "a size is"),
        ("old 1 ", "a size is"),
        ("old 9223372036854775808", "a size is"),
        ("old 1\r", "a size is"),
        ("old \u0661", "ASCII"),
        (f"old 1\n{HASH} ", "base64"),
        (f"old 1\n{HASH[:-1]}", "base64"),
        ("old 1\n" + HASH.replace("A=", "B="), "canonical base64"),
        (f"old 1\n{base64.b64encode(bytes(31)).decode()}", "base64 of 32"),
        ("\n".join(["old 1", *[HASH] * (PROOF_LINES_MAX + 1)]), "at most 63"),
    ],
)
def test_malformed_lines_before_the_checkpoint(before: str, fault: str) -> None:
    with pytest.raises(ProofError, match=fault):
        parse_add_checkpoint(before.encode() + b"\n\n" + note(1))


def test_sixty_three_proof_lines_are_read() -> None:
    body = "\n".join(["old 1", *[HASH] * PROOF_LINES_MAX]).encode() + b"\n\n" + note(2)
    assert len(parse_add_checkpoint(body).proof) == PROOF_LINES_MAX


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"old 0\n", ProofError),
        (b"old 0\n" + note(1), ProofError),  # no empty line: the checkpoint's own is taken for it
        (b"old 0\n\n", NoteError),
        (b"old 0\n\n" + note(1)[:-1], NoteError),
        (b"old 0\n\n" + note(1).replace(b"\n1\n", b"\n01\n"), NoteError),
        (bytes(ADD_CHECKPOINT_MAX_BYTES + 1), ProofError),
    ],
)
def test_other_malformed_bodies(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_add_checkpoint(body)


def test_every_growth_is_proven() -> None:
    for old in range(len(LEAVES) + 1):
        for size in range(old, len(LEAVES) + 1):
            check_growth(ask(old, size), Head(old, root(old)))


@pytest.mark.parametrize(
    "request_",
    [
        ask(0, 0, of=bytes(32)),
        ask(0, 5, (bytes(32),)),
        ask(3, 7, ()),
        ask(3, 7, of=bytes(32)),
        ask(4, 7, tuple(consistency_proof(3, 7, read))),
        ask(7, 7, of=bytes(32)),
        ask(7, 7, (bytes(32),)),
    ],
    ids=range(7),
)
def test_what_is_not_proven(request_: AddCheckpoint) -> None:
    with pytest.raises(ConsistencyError):
        check_growth(request_, Head(request_.old, root(request_.old)))


def test_a_proof_from_another_size_is_none() -> None:
    with pytest.raises(ConsistencyError, match="starts at size 3"):
        check_growth(ask(3, 7), Head(4, root(4)))


def test_the_answers_are_read_back() -> None:
    assert format_size(12) == b"12\n"
    assert parse_size_answer(b"12\n") == 12
    text = format_checkpoint(Checkpoint("acme.example/logs/listings-1", 0, EMPTY_ROOT))
    assert parse_signatures(format_signatures((LINE, LINE)), text) == (LINE, LINE)


@pytest.mark.parametrize("answer", [b"", b"12", b"012\n", b"-1\n", b"12\n\n", b"\xd9\xa1\n", b"<html>\n"])
def test_a_size_that_is_none(answer: bytes) -> None:
    with pytest.raises(ProofError):
        parse_size_answer(answer)


@pytest.mark.parametrize("answer", [b"", b"ok\n", f"{LINE}".encode(), f"{LINE}\n\n".encode()])
def test_signature_lines_that_are_none(answer: bytes) -> None:
    with pytest.raises(NoteError):
        parse_signatures(answer, format_checkpoint(Checkpoint("acme.example/logs/listings-1", 0, EMPTY_ROOT)))


def test_an_origin_is_named_by_its_hash() -> None:
    assert origin_hash("example.com/behind-the-sofa") == hashlib.sha256(b"example.com/behind-the-sofa").hexdigest()
