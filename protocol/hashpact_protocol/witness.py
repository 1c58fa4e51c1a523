"""What goes between a log and a witness (C2SP tlog-witness): add-checkpoint's body and its answers.

Nothing is verified here but form; whether a checkpoint may be cosigned is said by ``check_growth`` and by the
signatures on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from hashpact_protocol.base64_text import decode_base64, encode_base64
from hashpact_protocol.errors import ConsistencyError, NoteError, ProofError
from hashpact_protocol.follow import Head
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import HASH_BYTES, verify_consistency
from hashpact_protocol.notes import SIZE_MAX, Checkpoint, Note, NoteSignature, parse_checkpoint, parse_note

PROOF_LINES_MAX = 63
SIZE_MEDIA_TYPE = "text/x.tlog.size"
ADD_CHECKPOINT_MAX_BYTES = LIMITS.note_max_bytes + 64 * 46
ANSWER_MAX_BYTES = LIMITS.note_max_bytes
_DECIMAL = re.compile("0|[1-9][0-9]{0,18}")
_OLD = "old "


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A checkpoint that a witness is asked to cosign: ``old`` is the size that the proof starts from.

    ``note`` are the bytes of the signed checkpoint; ``parsed`` and ``checkpoint`` are what they say.
    """

    old: int
    proof: tuple[bytes, ...]
    note: bytes
    parsed: Note
    checkpoint: Checkpoint


def parse_add_checkpoint(data: bytes) -> AddCheckpoint:
    """Read the body of an add-checkpoint request (tlog-witness, add-checkpoint).

    ProofError when the lines before the checkpoint are not of their form or more than 63, NoteError when the
    checkpoint is not of its own, or when it is all too large.
    """
    if len(data) > ADD_CHECKPOINT_MAX_BYTES:
        raise ProofError(f"an add-checkpoint body of {len(data)} bytes is too large")
    head, separator, note = data.partition(b"\n\n")
    if not separator:
        raise ProofError("there is no empty line before the checkpoint")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ProofError("the lines before the checkpoint are not ASCII") from None
    if not first.startswith(_OLD):
        raise ProofError("the first line is 'old' and a size, parted by a space", where=repr(first[:80]))
    old = _parse_size(first.removeprefix(_OLD))
    if len(lines) > PROOF_LINES_MAX:
        raise ProofError(f"a proof has at most {PROOF_LINES_MAX} lines, not {len(lines)}")
    proof = tuple(_parse_hash(line) for line in lines)
    parsed = parse_note(note)
    return AddCheckpoint(old, proof, note, parsed, parse_checkpoint(parsed.text))


def format_add_checkpoint(old: int, proof: tuple[bytes, ...], note: bytes) -> bytes:
    """Write the body of an add-checkpoint request; errors as ``parse_add_checkpoint``, which reads it back."""
    lines = [f"{_OLD}{old}", *(encode_base64(value) for value in proof), ""]
    data = "".join(f"{line}\n" for line in lines).encode() + note
    parse_add_checkpoint(data)
    return data


def check_growth(request: AddCheckpoint, latest: Head) -> None:
    """Check that the checkpoint continues the latest cosigned one; the old size is that one's.

    ConsistencyError where it does not: a wrong root of the empty tree, another root at the same size, a proof that
    does not hold, or one where there should be none.
    """
    if request.old != latest.size:
        raise ConsistencyError(f"the proof starts at size {request.old}, and {latest.size} are cosigned")
    checkpoint = request.checkpoint
    verify_consistency(latest.size, latest.root, checkpoint.size, checkpoint.root, request.proof)


def format_size(size: int) -> bytes:
    """Write the body of a 409 answer: the size that is cosigned."""
    return b"%d\n" % size


def parse_size_answer(data: bytes) -> int:
    """Read the body of a 409 answer; ProofError when it is not of its form."""
    text = data.decode("ascii", errors="replace")
    if not text.endswith("\n"):
        raise ProofError("a size is a decimal and a newline", where=repr(text[:80]))
    return _parse_size(text[:-1])


def format_signatures(lines: tuple[NoteSignature, ...]) -> bytes:
    """Write the body of a 200 answer: signature lines."""
    return "".join(f"{line}\n" for line in lines).encode()


def parse_signatures(data: bytes, text: bytes) -> tuple[NoteSignature, ...]:
    """Read the body of a 200 answer about the checkpoint ``text``; nothing is verified. NoteError."""
    if not data:
        raise NoteError("a witness answered without a signature line")
    return parse_note(text + b"\n" + data).signatures


def origin_hash(origin: str) -> str:
    """Give the lower-case hex SHA-256 of an origin, under which a witness serves its checkpoint."""
    return sha256(origin.encode()).hexdigest()


def _parse_size(text: str) -> int:
    if not _DECIMAL.fullmatch(text) or int(text) > SIZE_MAX:
        raise ProofError("a size is a decimal below 2**63 without leading zeros", where=repr(text[:80]))
    return int(text)


def _parse_hash(line: str) -> bytes:
    try:
        value = decode_base64(line)
    except ValueError as error:
        raise ProofError(f"a line of the proof {error}", where=repr(line[:80])) from None
    if len(value) != HASH_BYTES:
        raise ProofError(f"a line of the proof is not the base64 of {HASH_BYTES} bytes", where=repr(line[:80]))
    return value
