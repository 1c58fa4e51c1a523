"""Cosignatures of this node: made by its witness key, and found again in what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from hashpact_node.services.keyring import Keyring
from hashpact_node.services.views import own_card
from hashpact_node.store.database import Database
from hashpact_protocol.notes import (
    TIMESTAMP_BYTES,
    Note,
    NoteSignature,
    VerifierKey,
    cosignature,
    cosignature_message,
    format_note,
    parse_note,
)


@dataclass(slots=True)
class Cosigner:
    """Cosigns checkpoints that its caller has found to continue what was cosigned before."""

    database: Database
    keyring: Keyring
    now: Callable[[], datetime]
    may_sign: Callable[[], None] = lambda: None

    def key(self) -> VerifierKey:
        """Give the key of our cosignatures; raises KeyUnavailableError and ConfigurationError."""
        with self.database.read() as connection:
            card = own_card(connection)
        return self.keyring.witness_key(card, self.now())[0]

    def cosign(self, text: bytes) -> NoteSignature:
        """Cosign a checkpoint's text now; raises KeyUnavailableError and ConfigurationError.

        No transaction is open meanwhile: a signer may take its time. ``may_sign`` raises ConflictError while this
        process signs nothing at all.
        """
        self.may_sign()
        with self.database.read() as connection:
            card = own_card(connection)
        now = self.now()
        key, signer = self.keyring.witness_key(card, now)
        timestamp = int(now.timestamp())
        return cosignature(key, timestamp, signer.sign(cosignature_message(text, timestamp)))


def witnessed_note(note: Note, log_keys: Iterable[VerifierKey], line: NoteSignature) -> bytes:
    """Write what a witness keeps of a checkpoint: the log's own signatures, which were verified, and its own."""
    known = {(key.name, key.key_id) for key in log_keys}
    kept = tuple(one for one in note.signatures if (one.name, one.key_id) in known)
    return format_note(Note(note.text, (*kept, line)))


def line_by(note: bytes | None, key: VerifierKey) -> NoteSignature | None:
    """Find the cosignature of a key on a stored note, which is not verified anew."""
    lines = () if note is None else parse_note(note).signatures
    return next((line for line in lines if (line.name, line.key_id) == (key.name, key.key_id)), None)


def made_at(line: NoteSignature) -> int:
    """Give the time of a cosignature, Unix seconds."""
    return int.from_bytes(line.signature[:TIMESTAMP_BYTES], "big")
