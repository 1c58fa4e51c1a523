"""Fuzz targets of what witnesses and accusers send: add-checkpoint, its answers, evidence, blobs."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final

from fuzz.target import KEYS, Target, files
from hashpact_protocol.blobs import blob_signal, check_blob
from hashpact_protocol.errors import (
    ConsistencyError,
    EvidenceError,
    NoteError,
    ProofError,
    SignalError,
    SignatureError,
    VerificationError,
)
from hashpact_protocol.evidence import Divergence, Evidence, SignedCard, encode_evidence, parse_evidence, prove_fork
from hashpact_protocol.follow import Head
from hashpact_protocol.merkle import EMPTY_ROOT
from hashpact_protocol.notes import verify_note
from hashpact_protocol.witness import (
    check_growth,
    format_add_checkpoint,
    format_signatures,
    format_size,
    parse_add_checkpoint,
    parse_signatures,
    parse_size_answer,
)
from vectors.signers import LOG, WITNESSES, checkpoint_text

TEXT: Final = checkpoint_text().encode()


def check_add_checkpoint(data: bytes) -> None:
    """The body of an add-checkpoint request: read, written alike, and judged against an empty log."""
    try:
        request = parse_add_checkpoint(data)
    except (ProofError, NoteError):
        return
    assert format_add_checkpoint(request.old, request.proof, request.note) == data
    try:
        verify_note(request.parsed, KEYS)
        check_growth(request, Head(0, EMPTY_ROOT))
    except (SignatureError, ConsistencyError):
        return
    assert request.old == 0


def check_witness_answer(data: bytes) -> None:
    """The answers to add-checkpoint: signature lines, or a size."""
    try:
        lines = parse_signatures(data, TEXT)
    except NoteError:
        pass
    else:
        assert data.endswith(format_signatures(lines))
    try:
        assert format_size(parse_size_answer(data)) == data
    except ProofError:
        return


def check_evidence(data: bytes) -> None:
    """Evidence of two stories: read back as itself, and proving nothing where no card is believed."""
    try:
        evidence = parse_evidence(data)
    except EvidenceError:
        return
    assert parse_evidence(encode_evidence(evidence)) == evidence
    try:
        prove_fork(evidence.notes, (), evidence.divergence)
    except (NoteError, VerificationError):
        return
    raise AssertionError("a fork was proven without a key")


def check_blob_form(data: bytes) -> None:
    """The bytes of a blob: what has its form makes a signal."""
    try:
        check_blob("vpdq", data)
    except SignalError:
        return
    assert blob_signal("vpdq", data).blob_length == len(data)


def _requests() -> Iterator[bytes]:
    line = base64.b64encode(bytes(32)) + b"\n"
    for note in (*files("notes", "note"), *files("follow", "note")):
        yield b"old 0\n\n" + note
    signed = TEXT + b"\n" + LOG.sign(TEXT.decode()).encode()
    yield b"old 0\n\n" + signed
    yield b"old 1\n" + line * 3 + b"\n" + signed
    yield b"old 9223372036854775807\n" + line * 63 + b"\n" + signed


def _answers() -> Iterator[bytes]:
    text = TEXT.decode()
    yield from (signer.cosign(text).encode() for signer in WITNESSES)
    yield "".join(signer.cosign(text) for signer in WITNESSES).encode()
    yield from (b"0\n", b"1234\n", b"9223372036854775807\n")


def _evidence() -> Iterator[bytes]:
    notes = tuple(f"{text}\n{LOG.sign(text)}".encode() for text in (checkpoint_text(), checkpoint_text("2")))
    cards = (SignedCard(b"{}", b"{}"), SignedCard(b"{}"))
    root = b'{"signatures":[]}'
    yield encode_evidence(Evidence("acme", "https://acme.example", (root,), cards))
    yield encode_evidence(Evidence("acme", "https://acme.example", (root,), cards[:1], notes))
    divergence = Divergence(bytes(32), (bytes(32), EMPTY_ROOT))
    yield encode_evidence(Evidence("acme", "https://acme.example", (root, root), cards[:1], notes, divergence))


def _blobs() -> Iterator[bytes]:
    frame = b"ab" * 32 + b",100,0.000\n"
    yield from (frame, frame * 3, frame.replace(b"100", b"7").replace(b"0.000", b"123456789.999"), b"\x00")


WITNESS_TARGETS: Final = (
    Target("add-checkpoint", check_add_checkpoint, _requests),
    Target("witness-answer", check_witness_answer, _answers),
    Target("evidence", check_evidence, _evidence),
    Target("blob", check_blob_form, _blobs),
)
