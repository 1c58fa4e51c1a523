"""Whoever signed is found, and no bit of a signed checkpoint can be changed without a word about it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.errors import NoteError, SignatureError
from hashpact_protocol.notes import (
    Checkpoint,
    KeyType,
    Note,
    VerifierKey,
    cosignatures,
    format_checkpoint,
    format_note,
    parse_checkpoint,
    parse_note,
    verify_note,
)
from vectors.signers import Signer

LOGS = [Signer(f"member{number}.example/logs/listings-1", seed=f"log {number}") for number in range(3)]
WITNESSES = [Signer(f"member{number}.example/witness-1", 4, f"witness {number}") for number in range(4)]
SIGNERS = [*LOGS, *WITNESSES]
KEYS = {signer: VerifierKey.parse(signer.vkey) for signer in SIGNERS}
CHECKPOINTS = st.builds(
    Checkpoint, st.just(LOGS[0].name), st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32)
)
SOME = st.lists(st.sampled_from(SIGNERS), min_size=1, max_size=7)
TIMES = st.integers(0, 2**63 - 1)


def signed(checkpoint: Checkpoint, signers: list[Signer], time: int) -> bytes:
    """Sign with the vectors' own code, which knows nothing of ours."""
    text = format_checkpoint(checkpoint).decode()
    lines = [
        signer.cosign(text, time) if signer.type == KeyType.COSIGNATURE else signer.sign(text) for signer in signers
    ]
    return f"{text}\n{''.join(lines)}".encode()


@given(CHECKPOINTS, SOME, st.sets(st.sampled_from(SIGNERS)), TIMES)
def test_those_who_signed_and_are_known_are_found(
    checkpoint: Checkpoint, signers: list[Signer], known: set[Signer], time: int
) -> None:
    data = signed(checkpoint, signers, time)
    note = parse_note(data)
    assert format_note(note) == data
    assert parse_checkpoint(note.text) == checkpoint
    wanted = [KEYS[signer] for signer in dict.fromkeys(signers) if signer in known]
    keys = [KEYS[signer] for signer in known]
    try:
        found = verify_note(note, keys)
    except SignatureError:
        found = ()
    assert list(found) == wanted
    cosigned = cosignatures(note, keys)
    assert [one.key for one in cosigned] == [KEYS[one] for one in signers if one in known and one in WITNESSES]
    assert {one.timestamp for one in cosigned} <= {time}


@given(CHECKPOINTS, SOME, TIMES, st.integers(0, 2**20), st.integers(0, 7))
def test_no_bit_can_be_changed(checkpoint: Checkpoint, signers: list[Signer], time: int, place: int, bit: int) -> None:
    data = bytearray(signed(checkpoint, signers, time))
    data[place % len(data)] ^= 1 << bit
    honest = parse_note(signed(checkpoint, signers, time))
    try:
        note = parse_note(bytes(data))
        found = verify_note(note, KEYS.values())
    except (NoteError, SignatureError):
        return
    # A name or key id was hit: that line is by a stranger now, and the others still say the same of the same text.
    assert note.text == honest.text
    assert len(found) <= len(set(signers))
    changed = [(old, new) for old, new in zip(honest.signatures, note.signatures, strict=True) if old != new]
    assert [(new.name, new.key_id) == (old.name, old.key_id) for old, new in changed] == [False]


@given(CHECKPOINTS, CHECKPOINTS, st.sampled_from(SIGNERS), TIMES)
def test_a_signature_is_of_one_text(one: Checkpoint, other: Checkpoint, signer: Signer, time: int) -> None:
    note = parse_note(signed(one, [signer], time))
    moved = Note(format_checkpoint(other), note.signatures)
    try:
        verify_note(moved, [KEYS[signer]])
    except SignatureError:
        assert one != other
    else:
        assert one == other
