"""A simulated log: entries, the tree over them, and checkpoints that can be signed by whoever a scenario wants."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from hashpact_conformance.simulator.keys import Key
from hashpact_protocol.merkle import CompactRange, leaf_hash, subtree_root
from hashpact_protocol.notes import (
    Checkpoint,
    KeyType,
    Note,
    NoteSignature,
    VerifierKey,
    cosignature,
    cosignature_message,
    format_checkpoint,
    log_signature,
)
from hashpact_protocol.tiles import TileId, encode_bundle, encode_tile, tile_width


@dataclass(frozen=True)
class Witness:
    """Who cosigns: a witness key under a name."""

    name: str
    key: Key

    @property
    def verifier(self) -> VerifierKey:
        """The key as a card names it."""
        return VerifierKey(self.name, KeyType.COSIGNATURE, self.key.public)

    def cosign(self, text: bytes, at: datetime) -> NoteSignature:
        """Cosign a checkpoint's text at a time."""
        timestamp = int(at.timestamp())
        return cosignature(self.verifier, timestamp, self.key.sign(cosignature_message(text, timestamp)))


@dataclass
class SimLog:
    """One log below a member's URL. ``shown`` is how many entries a checkpoint covers, all unless it is said."""

    origin: str
    scheme: str = "http"
    name: str = "listings"
    kind: str = "listings"
    keys: list[Key] = field(default_factory=lambda: [Key()])
    entries: list[bytes] = field(default_factory=list)
    shown: int | None = None
    final: tuple[int, bytes] | None = None
    fresh: int | None = None
    erased: bool = False
    blobs: dict[str, bytes] = field(default_factory=dict)
    _hashes: dict[tuple[int, int], bytes] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"{self.scheme}://{self.origin}"

    @property
    def path(self) -> str:
        """Its path below the member's URL."""
        return self.origin.partition("/")[2]

    @property
    def size(self) -> int:
        """How many entries are shown."""
        return len(self.entries) if self.shown is None else self.shown

    def append(self, *entries: bytes) -> None:
        """Add entries."""
        self.entries += entries

    def add_blob(self, data: bytes) -> str:
        """Serve a blob, and give its hash."""
        name = sha256(data).hexdigest()
        self.blobs[name] = data
        return name

    def tell(self, entries: Sequence[bytes]) -> None:
        """Tell another story from now on."""
        self.entries = list(entries)
        self._hashes.clear()

    def close(self, size: int | None = None, root: bytes | None = None) -> None:
        """End at what is shown, or at what is said; the next card says so."""
        size = self.size if size is None else size
        self.final = size, root or self.root(size)

    def root(self, size: int | None = None) -> bytes:
        """Give the root over the first entries, those shown unless it is said."""
        size = self.size if size is None else size
        return CompactRange().extend(leaf_hash(entry) for entry in self.entries[:size]).root()

    def verifier(self, key: Key | None = None, *, name: str | None = None) -> VerifierKey:
        """Give a key as the card names it, its first one unless it is said."""
        return VerifierKey(name or self.origin, KeyType.ED25519, (key or self.keys[0]).public)

    def sign(self, text: bytes, key: Key | None = None, *, name: str | None = None) -> NoteSignature:
        """Sign a checkpoint's text as this log."""
        key = key or self.keys[0]
        return log_signature(self.verifier(key, name=name), key.sign(text))

    def text(
        self,
        size: int | None = None,
        root: bytes | None = None,
        *,
        origin: str | None = None,
        extensions: Sequence[str] = (),
    ) -> bytes:
        """Write a checkpoint's text, of what is shown unless it is said."""
        size = self.size if size is None else size
        return format_checkpoint(Checkpoint(origin or self.origin, size, root or self.root(size), tuple(extensions)))

    def read(self, tile: TileId) -> bytes | None:
        """Give a tile or a bundle, None beyond what is shown or final."""
        size = self.size if self.final is None else max(self.size, min(self.final[0], len(self.entries)))
        level = 0 if tile.level is None else tile.level
        if tile.width > tile_width(level, tile.number, size):
            return None
        first = tile.number * 256
        if tile.level is None:
            return encode_bundle(self.entries[first : first + tile.width])
        return encode_tile([self.hash(level, index) for index in range(first, first + tile.width)])

    def hash(self, level: int, index: int) -> bytes:
        """Give a hash of a tile's level."""
        found = self._hashes.get((level, index))
        if found is None:
            below = range(index * 256, (index + 1) * 256)
            found = (
                leaf_hash(self.entries[index]) if level == 0 else subtree_root([self.hash(level - 1, n) for n in below])
            )
            self._hashes[level, index] = found
        return found


def write_note(text: bytes, signatures: Sequence[NoteSignature | str]) -> bytes:
    """Write a note without any of the checks that an honest writer makes."""
    return text + b"\n" + "".join(f"{line}\n" for line in signatures).encode()


def encoded(data: bytes) -> str:
    """Give canonical base64."""
    return base64.b64encode(data).decode("ascii")


def forged(line: NoteSignature) -> NoteSignature:
    """Flip the last bit of a signature."""
    return NoteSignature(line.name, line.key_id, line.signature[:-1] + bytes([line.signature[-1] ^ 1]))


__all__ = ["Note", "SimLog", "Witness", "encoded", "forged", "write_note"]
