"""Signed notes, checkpoints and cosignatures (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

Two kinds of keys are known: Ed25519 (0x01), with which a log signs, and timestamped Ed25519 cosignatures (0x04).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hashpact_protocol.base64_text import decode_base64, encode_base64
from hashpact_protocol.ed25519 import check_public_key
from hashpact_protocol.errors import NoteError, SignatureError
from hashpact_protocol.limits import LIMITS

HASH_BYTES = 32
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
TIMESTAMP_BYTES = 8
SIZE_MAX = 2**63 - 1
TIMESTAMP_MAX = 2**63 - 1
_CHECKPOINT_LINES = 3
_EM_DASH = "\u2014"
_DECIMAL = re.compile("0|[1-9][0-9]{0,18}")
_KEY_ID_HEX = re.compile("[0-9a-f]{8}")
# All below U+0020 but the newline, which ends lines.
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


class KeyType(IntEnum):
    """The signature type byte of a key (signed-note, Signature types)."""

    ED25519 = 1
    COSIGNATURE = 4


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name that it signs under.

    NoteError when the name is not of its form, or ``check_public_key`` refuses the key.
    """

    name: str
    type: KeyType
    public: bytes

    def __post_init__(self) -> None:
        _check_key_name(self.name)
        check_public_key(self.public)

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a vkey, ``name+key id+base64`` (signed-note, Verifier keys).

        NoteError when it is not of that form, of another type, or when the key id is not that of name and key.
        """
        parts = text.split("+", 2)  # base64 may hold a plus, a name may not
        if len(parts) != 3:  # noqa: PLR2004 - name, key id and key
            raise NoteError("a verifier key has three parts", where=repr(text[:80]), mend="write name+key id+base64")
        name, key_id, encoded = parts
        material = _decode_base64(encoded, "a verifier key")
        if not material or material[0] not in set(KeyType):
            raise NoteError("a verifier key of an unknown type", where=repr(text[:80]), mend="use 0x01 or 0x04")
        key = cls(name, KeyType(material[0]), material[1:])
        if not _KEY_ID_HEX.fullmatch(key_id) or bytes.fromhex(key_id) != key.key_id:
            raise NoteError("the key id is not that of name and key", where=repr(text[:80]))
        return key

    @property
    def key_id(self) -> bytes:
        """The four bytes that name this key in a signature line."""
        return sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        """The vkey text, which ``parse`` reads."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.type]) + self.public)}"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line; ``signature`` is what follows the key id. NoteError when a part is not of its form."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        _check_key_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not self.signature:
            raise NoteError("a signature line holds a key id of four bytes and a signature")

    def __str__(self) -> str:
        """The line without its newline."""
        return f"{_EM_DASH} {self.name} {encode_base64(self.key_id + self.signature)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, its last newline included, and the signatures below it. Nothing is verified yet."""

    text: bytes
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log's note says: ``size`` entries, and their 32-byte root (tlog-checkpoint, Note text)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A verified cosignature; ``timestamp`` in Unix seconds."""

    key: VerifierKey
    timestamp: int


def _decode_base64(text: str, what: str) -> bytes:
    try:
        return decode_base64(text)
    except ValueError as error:
        raise NoteError(f"{what} {error}") from None


def _check_key_name(name: str) -> None:
    if not name or "+" in name or any(letter.isspace() for letter in name) or _CONTROL.search(name):
        raise NoteError("a key name is not empty and has no spaces, plus or control characters", where=repr(name[:80]))
    try:
        name.encode()
    except UnicodeEncodeError:
        raise NoteError("a key name is not Unicode text", where=repr(name[:80])) from None


def _decode_text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise NoteError("a note is not UTF-8") from None
    if _CONTROL.search(text):
        raise NoteError("a note holds a control character other than newline")
    return text


def parse_note(data: bytes) -> Note:
    """Read a signed note; nothing is verified (signed-note, Format).

    NoteError when it is not of that form, has more than 16 signatures, or is larger than 16 KiB.
    """
    if len(data) > LIMITS.note_max_bytes:
        raise NoteError(f"a note of {len(data)} bytes is too large")
    text, separator, lines = _decode_text(data).rpartition("\n\n")
    if not separator:
        raise NoteError("a note has no blank line between text and signatures")
    if not lines.endswith("\n"):
        raise NoteError("a note does not end in a newline")
    signatures = lines[:-1].split("\n")
    if len(signatures) > LIMITS.note_signatures_max:
        raise NoteError(f"a note with {len(signatures)} signatures; at most {LIMITS.note_signatures_max} are read")
    return Note(f"{text}\n".encode(), tuple(_parse_signature(line) for line in signatures))


def _parse_signature(line: str) -> NoteSignature:
    dash, name, encoded = line.split(" ", 2) if line.count(" ") > 1 else ("", "", "")
    if dash != _EM_DASH:
        raise NoteError(
            "a signature line has an em dash, a key name and base64, parted by spaces", where=repr(line[:80])
        )
    data = _decode_base64(encoded, "a signature")
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def format_note(note: Note) -> bytes:
    """Write a signed note; NoteError when ``parse_note`` would not read it back as it is."""
    data = note.text + b"\n" + "".join(f"{signature}\n" for signature in note.signatures).encode()
    if parse_note(data) != note:
        raise NoteError("the text of a note ends in a newline")
    return data


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Read the text of a log's note (tlog-checkpoint, Note text); extension lines are kept, and mean nothing here.

    NoteError when it is not of that form, or when its size is 2**63 or more.
    """
    lines = _decode_text(text).split("\n")
    if lines.pop() or len(lines) < _CHECKPOINT_LINES or not all(lines):
        raise NoteError("a checkpoint has three lines or more, none of them empty, each ending in a newline")
    origin, size, root, *extensions = lines
    if not _DECIMAL.fullmatch(size) or int(size) > SIZE_MAX:
        raise NoteError("a checkpoint's size is a decimal below 2**63 without leading zeros", where=repr(size[:80]))
    return Checkpoint(origin, int(size), _parse_root(root), tuple(extensions))


def _parse_root(text: str) -> bytes:
    root = _decode_base64(text, "a checkpoint's root")
    if len(root) != HASH_BYTES:
        raise NoteError(f"a checkpoint's root has {HASH_BYTES} bytes, not {len(root)}")
    return root


def format_checkpoint(c: Checkpoint) -> bytes:
    """Write the text that a log signs; NoteError when ``parse_checkpoint`` would not read it back as it is."""
    lines = (c.origin, str(c.size), encode_base64(c.root), *c.extensions)
    text = "".join(f"{line}\n" for line in lines).encode()
    if parse_checkpoint(text) != c:
        raise NoteError("a line of a checkpoint holds a newline")
    return text


def cosignature_message(text: bytes, timestamp: int) -> bytes:
    """Give what a witness signs over a checkpoint ``text`` at a Unix second (tlog-cosignature, Ed25519 signed message).

    NoteError when the timestamp is negative or above 2**63 - 1.
    """
    if not 0 <= timestamp <= TIMESTAMP_MAX:
        raise NoteError(f"a cosignature has no timestamp of {timestamp}")
    return b"cosignature/v1\ntime %d\n%b" % (timestamp, text)


def log_signature(key: VerifierKey, signature: bytes) -> NoteSignature:
    """Wrap a raw Ed25519 signature over a note's text; NoteError when it is not 64 bytes or the key cosigns."""
    _check_raw(key, KeyType.ED25519, signature)
    return NoteSignature(key.name, key.key_id, signature)


def cosignature(key: VerifierKey, timestamp: int, signature: bytes) -> NoteSignature:
    """Wrap a raw Ed25519 signature over ``cosignature_message``; NoteError when a part is not of its form."""
    _check_raw(key, KeyType.COSIGNATURE, signature)
    if not 0 <= timestamp <= TIMESTAMP_MAX:
        raise NoteError(f"a cosignature has no timestamp of {timestamp}")
    return NoteSignature(key.name, key.key_id, timestamp.to_bytes(TIMESTAMP_BYTES, "big") + signature)


def _check_raw(key: VerifierKey, wanted: KeyType, signature: bytes) -> None:
    if key.type is not wanted or len(signature) != SIGNATURE_BYTES:
        raise NoteError(f"64 bytes by a key of type {wanted:#04x} are needed", where=key.name)


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Verify the signatures by ``keys``, and give those that signed, each once, in the order of the note.

    Signatures by other keys are ignored. SignatureError when a known key's signature is wrong, which sinks the whole
    note, when no known key signed, or when two of ``keys`` share name and id.
    """
    signers = tuple(dict.fromkeys(key for key, _ in _verified(note, keys)))
    if not signers:
        raise SignatureError("no known key signed the note")
    return signers


def cosignatures(note: Note, keys: Iterable[VerifierKey]) -> tuple[Cosigned, ...]:
    """Verify the cosignatures by those of ``keys`` that cosign, and give them in the order of the note, maybe none.

    A key that cosigned twice is there twice. SignatureError when a known key's cosignature is wrong, or when two of
    ``keys`` share name and id.
    """
    witnesses = [key for key in keys if key.type is KeyType.COSIGNATURE]
    return tuple(Cosigned(key, _timestamp(line)) for key, line in _verified(note, witnesses))


def _verified(note: Note, keys: Iterable[VerifierKey]) -> list[tuple[VerifierKey, NoteSignature]]:
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise SignatureError("two keys share name and key id, so that nobody can tell who signed", where=key.name)
    found = [(known.get((line.name, line.key_id)), line) for line in note.signatures]
    pairs = [(key, line) for key, line in found if key is not None]
    for key, line in pairs:
        _verify_line(note.text, key, line)
    return pairs


def _verify_line(text: bytes, key: VerifierKey, line: NoteSignature) -> None:
    message, signature = text, line.signature
    if key.type is KeyType.COSIGNATURE:
        if len(signature) != TIMESTAMP_BYTES + SIGNATURE_BYTES or _timestamp(line) > TIMESTAMP_MAX:
            raise SignatureError("a cosignature is not of its form", where=key.name)
        message, signature = cosignature_message(text, _timestamp(line)), signature[TIMESTAMP_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except InvalidSignature:
        raise SignatureError("the signature is wrong", where=key.name) from None


def _timestamp(line: NoteSignature) -> int:
    return int.from_bytes(line.signature[:TIMESTAMP_BYTES], "big")
