from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol import notes
from hashpact_protocol.errors import HashpactError, NoteError, SignatureError
from hashpact_protocol.notes import (
    Checkpoint,
    KeyType,
    Note,
    NoteSignature,
    VerifierKey,
    cosignature,
    cosignature_message,
    cosignatures,
    format_checkpoint,
    format_note,
    log_signature,
    parse_checkpoint,
    parse_note,
    verify_note,
)
from vectors.cases import cases, facts, on_disk
from vectors.generate_notes import note_family
from vectors.signers import LOG, OTHER, WITNESSES, checkpoint_text

LOG_KEY, WITNESS_KEY = (VerifierKey.parse(signer.vkey) for signer in (LOG, WITNESSES[0]))
NAMES = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="+\x85"), min_size=1, max_size=20)


def read_case(folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    """Read and verify a vector, and say what was in it, in the words of its case.json."""
    if case["read"] == "vkey":
        key = VerifierKey.parse(case["vkey"])
        assert str(key) == case["vkey"]
        return {"name": key.name, "type": key.type, "key_id": key.key_id.hex()}
    data = (folder / "note").read_bytes()
    note = parse_note(data)
    assert format_note(note) == data
    keys = [VerifierKey.parse(text) for text in case["keys"]]
    found: dict[str, Any] = {
        "text": note.text.decode(),
        "lines": [[line.name, line.key_id.hex()] for line in note.signatures],
    }
    if case["read"] != "checkpoint-unsigned":
        found["signers"] = [key.name for key in verify_note(note, keys)]
    if case["read"] == "cosignatures":
        found["timestamps"] = [item.timestamp for item in cosignatures(note, keys)]
    if case["read"].startswith("checkpoint"):
        found |= read_checkpoint(note)
    return found


def read_checkpoint(note: Note) -> dict[str, Any]:
    checkpoint = parse_checkpoint(note.text)
    assert format_checkpoint(checkpoint) == note.text
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "extensions": list(checkpoint.extensions),
        "timestamp": int.from_bytes(note.signatures[-1].signature[:8], "big"),
    }


READS = ("note", "checkpoint", "checkpoint-unsigned", "cosignatures", "vkey")


@pytest.mark.parametrize("folder", cases("notes", *READS), ids=lambda folder: folder.name)
def test_vector(folder: Path) -> None:
    case = facts(folder)
    assert folder.name.endswith("_fail") == ("error" in case)
    if "error" in case:
        with pytest.raises(HashpactError) as caught:
            read_case(folder, case)
        assert caught.value.code == case["error"]
    else:
        found = read_case(folder, case)
        wanted = {name: value for name, value in case.items() if name not in {"read", "keys", "vkey"}}
        assert {name: found[name] for name in wanted} == wanted


def test_vectors_are_what_the_generator_makes() -> None:
    assert on_disk("notes") == note_family().files


def test_there_are_vectors_of_every_kind() -> None:
    assert all(cases("notes", read) for read in READS)


def test_no_signature_by_no_keys() -> None:
    note = Note(b"text\n", (NoteSignature("a.example", b"abcd", b"x"),))
    with pytest.raises(SignatureError, match="no known key"):
        verify_note(note, [])


def test_two_keys_of_one_name_and_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "KEY_ID_BYTES", 0)  # a collision of four bytes takes an afternoon
    twin = VerifierKey(LOG_KEY.name, KeyType.ED25519, b"\2" * 32)
    with pytest.raises(SignatureError, match="share name and key id"):
        verify_note(Note(b"text\n", ()), [LOG_KEY, twin])
    with pytest.raises(SignatureError, match="no known key"):
        verify_note(Note(b"text\n", ()), [LOG_KEY, LOG_KEY])


def test_cosignatures_ignore_log_keys() -> None:
    note = parse_note(f"{checkpoint_text()}\n{LOG.line(bytes(64))}".encode())
    assert cosignatures(note, [LOG_KEY, WITNESS_KEY]) == ()


def test_sign_and_wrap() -> None:
    text = format_checkpoint(Checkpoint(LOG.name, 7, bytes(32)))
    lines = (
        log_signature(LOG_KEY, LOG.private.sign(text)),
        cosignature(WITNESS_KEY, 12, WITNESSES[0].private.sign(cosignature_message(text, 12))),
    )
    data = format_note(Note(text, lines))
    assert data == text + f"\n{LOG.sign(text.decode())}{WITNESSES[0].cosign(text.decode(), 12)}".encode()
    assert verify_note(parse_note(data), [WITNESS_KEY, LOG_KEY]) == (LOG_KEY, WITNESS_KEY)


def test_cosignature_message() -> None:
    assert cosignature_message(b"a\n1\nb\n", 9) == b"cosignature/v1\ntime 9\na\n1\nb\n"


@pytest.mark.parametrize("timestamp", [-1, 2**63])
def test_no_cosignature_outside_of_time(timestamp: int) -> None:
    with pytest.raises(NoteError, match="timestamp"):
        cosignature_message(b"text\n", timestamp)
    with pytest.raises(NoteError, match="timestamp"):
        cosignature(WITNESS_KEY, timestamp, bytes(64))


def test_no_line_by_a_key_of_the_other_type() -> None:
    with pytest.raises(NoteError, match="0x01"):
        log_signature(WITNESS_KEY, bytes(64))
    with pytest.raises(NoteError, match="0x04"):
        cosignature(LOG_KEY, 1, bytes(64))


@pytest.mark.parametrize("length", [0, 63, 65])
def test_no_line_with_a_signature_of_another_length(length: int) -> None:
    with pytest.raises(NoteError, match="64 bytes"):
        log_signature(LOG_KEY, bytes(length))
    with pytest.raises(NoteError, match="64 bytes"):
        cosignature(WITNESS_KEY, 1, bytes(length))


@pytest.mark.parametrize("text", [b"", b"no newline", b"\xff\n", b"a\r\n"])
def test_no_note_is_written_that_would_not_be_read(text: bytes) -> None:
    with pytest.raises(NoteError):
        format_note(Note(text, (log_signature(LOG_KEY, bytes(64)),)))


def test_no_note_is_written_whose_text_would_be_read_as_signatures() -> None:
    text = f"text\n\n{OTHER.sign('text')}".rstrip("\n").encode()
    with pytest.raises(NoteError, match="ends in a newline"):
        format_note(Note(text, (log_signature(LOG_KEY, bytes(64)),)))


@pytest.mark.parametrize("count", [0, 17])
def test_no_note_is_written_with_too_few_or_too_many_signatures(count: int) -> None:
    with pytest.raises(NoteError):
        format_note(Note(b"text\n", (log_signature(LOG_KEY, bytes(64)),) * count))


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 1, bytes(32)),
        Checkpoint("a\nb", 1, bytes(32)),
        Checkpoint("a\n1\n" + "A" * 43 + "=", 1, bytes(32)),
        Checkpoint("a", -1, bytes(32)),
        Checkpoint("a", 2**63, bytes(32)),
        Checkpoint("a", 1, bytes(31)),
        Checkpoint("a", 1, bytes(32), ("",)),
        Checkpoint("a", 1, bytes(32), ("b\nc",)),
    ],
)
def test_no_checkpoint_is_written_that_would_not_be_read(checkpoint: Checkpoint) -> None:
    with pytest.raises(NoteError):
        format_checkpoint(checkpoint)


@pytest.mark.parametrize("text", [b"a\n1\n", b"a\n1\n" + b"A" * 43 + b"=", b"", b"\n\n\n"])
def test_no_checkpoint_of_other_lines(text: bytes) -> None:
    with pytest.raises(NoteError):
        parse_checkpoint(text)


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), NAMES, st.lists(NAMES, max_size=2))
def test_checkpoints_come_back(size: int, root: bytes, origin: str, extensions: list[str]) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint


@given(NAMES, st.sampled_from(KeyType), st.binary(min_size=32, max_size=32))
def test_keys_come_back(name: str, kind: KeyType, seed: bytes) -> None:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    key = VerifierKey(name, kind, public)
    assert VerifierKey.parse(str(key)) == key


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=60), st.data())
def test_notes_come_back(text: str, data: st.DataObject) -> None:
    lines = st.builds(NoteSignature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=72))
    note = Note(f"{text}\n".encode(), tuple(data.draw(st.lists(lines, min_size=1, max_size=16))))
    assert parse_note(format_note(note)) == note


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (parse_note, parse_checkpoint):
        try:
            read(data)
        except NoteError:
            continue
