"""Reads a trust repository from a pinned root to the card, by plain steps (TUF 1.0, section 5)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from tuf.api.metadata import Metadata

from hashpact_conformance.publisher.site import Answer, Site
from hashpact_protocol.limits import LIMITS

NOT_FOUND = 404


@dataclass(frozen=True)
class SignedFile:
    """One file of metadata: where it lay, its bytes, and its parts as plain JSON."""

    path: str
    data: bytes

    @cached_property
    def whole(self) -> dict[str, Any]:
        """The document, read strictly: no name twice, no other numbers than integers of at most 2^53."""
        try:
            value = json.loads(
                self.data, object_pairs_hook=self._object, parse_float=self._number, parse_constant=self._number
            )
        except ValueError as error:
            raise AssertionError(f"{self.path} is no strict JSON: {error}") from error
        assert isinstance(value, dict), f"{self.path} is no JSON object"
        return value

    @property
    def signed(self) -> dict[str, Any]:
        """What is signed."""
        signed = self.whole.get("signed")
        assert isinstance(signed, dict), f"{self.path} has no `signed`"
        return signed

    @property
    def version(self) -> int:
        """Its version."""
        version = self.signed.get("version")
        assert type(version) is int, f"{self.path} has the version {version!r}"
        return version

    def metadata(self) -> Metadata[Any]:
        """Read it as TUF does."""
        try:
            return Metadata.from_bytes(self.data)
        except Exception as error:
            raise AssertionError(f"{self.path} is no TUF metadata: {error}") from error

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(set(names)) == len(names), f"{self.path} names a field twice: {names}"
        wrong = [value for _, value in pairs if type(value) is int and abs(value) > 2**53]
        assert not wrong, f"{self.path} holds the number {wrong}"
        return dict(pairs)

    def _number(self, text: str) -> Any:
        raise AssertionError(f"{self.path} holds the number {text[:40]}")


@dataclass(frozen=True)
class Chain:
    """All of a trust repository that is in force, as it was read; nothing of it is verified yet."""

    pinned: SignedFile
    roots: tuple[SignedFile, ...]
    end: Answer
    timestamp: SignedFile
    snapshot: SignedFile
    targets: SignedFile
    card: bytes
    card_path: str
    answers: dict[str, Answer]

    @property
    def root(self) -> SignedFile:
        """The newest root."""
        return self.roots[-1] if self.roots else self.pinned

    @property
    def files(self) -> list[SignedFile]:
        """All metadata."""
        return [self.pinned, *self.roots, self.timestamp, self.snapshot, self.targets]

    def named(self, by: SignedFile, name: str) -> dict[str, Any]:
        """Give what one file says of another."""
        found = by.signed.get("meta", {}).get(name)
        assert isinstance(found, dict), f"{by.path} does not name {name}"
        return found

    @property
    def target(self) -> dict[str, Any]:
        """What targets say of the card."""
        found = self.targets.signed.get("targets", {}).get("member.json")
        assert isinstance(found, dict), f"{self.targets.path} does not name member.json"
        return found


def read_chain(site: Site, pinned: bytes) -> Chain:
    """Read everything from the pinned root to the card; what cannot be had fails the case."""
    first = SignedFile("the pinned root", pinned)
    roots: list[SignedFile] = []
    answers: dict[str, Answer] = {}
    version = first.version
    while len(roots) <= LIMITS.root_rotations_max:
        end = site.get(f"trust/metadata/{version + 1}.root.json")
        if end.status != 200:
            break
        version += 1
        roots.append(SignedFile(f"trust/metadata/{version}.root.json", end.body))
        answers[roots[-1].path] = end

    def read(path: str) -> SignedFile:
        answers[path] = site.get(path).ok()
        return SignedFile(path, answers[path].body)

    timestamp = read("trust/metadata/timestamp.json")
    snapshot = read(f"trust/metadata/{_version(timestamp, 'snapshot.json')}.snapshot.json")
    targets = read(f"trust/metadata/{_version(snapshot, 'targets.json')}.targets.json")
    digest = targets.signed.get("targets", {}).get("member.json", {}).get("hashes", {}).get("sha256")
    assert digest, f"{targets.path} names no member.json with a SHA-256"
    card_path = f"trust/targets/{digest}.member.json"
    card = read(card_path).data
    return Chain(first, tuple(roots), end, timestamp, snapshot, targets, card, card_path, answers)


def _version(file: SignedFile, name: str) -> int:
    found = file.signed.get("meta", {}).get(name, {}).get("version")
    assert type(found) is int, f"{file.path} names no version of {name}"
    return found


def check_signed(root: SignedFile, role: str, file: SignedFile) -> None:
    """Check that distinct keys which a root gives to a role signed a file, as many as the threshold asks for."""
    trusted = root.metadata().signed
    terms = trusted.get_delegated_role(role)
    metadata = file.metadata()
    signers: set[bytes] = set()
    for key_id in terms.keyids:
        key = trusted.keys.get(key_id)
        signature = metadata.signatures.get(key_id)
        if key is None or signature is None:
            continue
        try:
            key.verify_signature(signature, metadata.signed_bytes)
        except Exception:  # noqa: BLE001, S112  (whatever is wrong with it, it counts as none)
            continue
        signers.add(public_der(key))
    assert len(signers) >= terms.threshold, (
        f"{file.path} is signed by {len(signers)} of the {terms.threshold} keys that {root.path} asks for as {role}"
    )


def public_der(key: Any) -> bytes:
    """Give a key as what it is, whatever its id and spelling: the hash of its DER SubjectPublicKeyInfo."""
    text = key.keyval["public"]
    if key.keytype == "ed25519":
        public: Any = Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
    else:
        public = load_pem_public_key(text.encode())
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
