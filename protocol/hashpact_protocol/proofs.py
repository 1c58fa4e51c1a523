"""Proofs of inclusion that verify offline (C2SP tlog-proof)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hashpact_protocol.base64_text import decode_base64, encode_base64
from hashpact_protocol.errors import ProofError
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import HASH_BYTES, verify_inclusion
from hashpact_protocol.notes import Checkpoint, parse_note
from hashpact_protocol.tlog_policy import TlogPolicy

INDEX_MAX = 2**63 - 1
HASHES_MAX = 63
EXTRA_MAX_BYTES = 1024 * 1024
_HEADER = "c2sp.org/tlog-proof@v1"
_DECIMAL = re.compile("0|[1-9][0-9]{0,18}")
# Index line, hashes of 44 letters, and the header, with room to spare beside the extra data.
_MAX_BYTES = LIMITS.note_max_bytes + EXTRA_MAX_BYTES * 4 // 3 + 4_096


@dataclass(frozen=True, slots=True)
class TlogProof:
    """The audit path of the entry at ``index`` in the tree of the checkpoint in ``note``; nothing is verified yet.

    ``hashes`` run from the leaf's sibling to the root's child. ``extra`` is never authenticated.
    """

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None


def parse_proof(data: bytes) -> TlogProof:
    """Read a proof; the note in it is read on verification (tlog-proof, Format).

    ProofError when it is not of that form, or too large.
    """
    if len(data) > _MAX_BYTES:
        raise ProofError(f"a proof of {len(data)} bytes is too large")
    head, separator, note = data.partition(b"\n\n")
    if not separator:
        raise ProofError("a proof has no empty line before its checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ProofError("the lines before the checkpoint are not ASCII") from None
    if lines.pop(0) != _HEADER:
        raise ProofError(f"a proof begins with the line {_HEADER}")
    extra = _parse_extra(lines)
    index = _parse_index(lines)
    if len(lines) > HASHES_MAX:
        raise ProofError(f"a proof has at most {HASHES_MAX} hashes, not {len(lines)}")
    return TlogProof(index, tuple(_parse_hash(line) for line in lines), note, extra)


def _parse_extra(lines: list[str]) -> bytes | None:
    if not lines or not lines[0].startswith("extra "):
        return None
    extra = _decode_base64(lines.pop(0).removeprefix("extra "))
    if not extra:
        raise ProofError("an extra line without data", mend="leave it out")
    return extra


def _parse_index(lines: list[str]) -> int:
    word, _, number = lines.pop(0).partition(" ") if lines else ("", "", "")
    if word != "index" or not _DECIMAL.fullmatch(number) or int(number) > INDEX_MAX:
        raise ProofError("a proof has an index line, with a decimal below 2**63 without leading zeros")
    return int(number)


def _parse_hash(line: str) -> bytes:
    value = _decode_base64(line)
    if len(value) != HASH_BYTES:
        raise ProofError(f"a proof's hash has {HASH_BYTES} bytes, not {len(value)}")
    return value


def _decode_base64(text: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as error:
        raise ProofError(f"a line of the proof {error}") from None


def format_proof(proof: TlogProof) -> bytes:
    """Write a proof; ProofError when ``parse_proof`` would not read it back as it is."""
    lines = [_HEADER]
    if proof.extra is not None:
        lines.append(f"extra {encode_base64(proof.extra)}")
    lines.append(f"index {proof.index}")
    lines += [encode_base64(value) for value in proof.hashes]
    data = "".join(f"{line}\n" for line in (*lines, "")).encode() + proof.note
    if parse_proof(data) != proof:
        raise ProofError(f"a proof's hashes have {HASH_BYTES} bytes, not none")
    return data


def verify_proof(proof: TlogProof, leaf: bytes, policy: TlogPolicy) -> Checkpoint:
    """Verify that the leaf hash ``leaf`` is in a log that ``policy`` accepts, and give the checkpoint that says so.

    The four steps of tlog-proof, Verifying a tlog proof; the first, the leaf hash, is the caller's. Timestamps of
    cosignatures do not matter here. NoteError when there is no checkpoint in it, SignatureError when log or witnesses
    did not sign it as the policy asks, InclusionError when the entry is not there.
    """
    checkpoint = policy.check(parse_note(proof.note))
    verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return checkpoint
