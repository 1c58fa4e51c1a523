"""A member whose trust repository tests can turn and twist as an owner or a thief of its keys could."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    CryptoSigner,
    Signer,
)
from tuf.api.metadata import Metadata, Root, Timestamp  # type: ignore[attr-defined]  # it has no __all__; documented names

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust import TrustSigners, create_trust, describe, publish_card, renew_online
from hashpact_keys.trust_files import TIMESTAMP_FILE, TrustFiles, newest, versioned, versions
from hashpact_protocol.notes import KeyType, VerifierKey

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def new_signer() -> CryptoSigner:
    return CryptoSigner.generate_ed25519()


def new_public() -> bytes:
    return Ed25519PrivateKey.generate().public_key().public_bytes_raw()


def raw_public(signer: Signer) -> bytes:
    return bytes.fromhex(signer.public_key.keyval["public"])


class Member:
    """The owner of a trust repository; ``files`` is what is published."""

    def __init__(self, url: str = "https://acme.example", *, now: datetime = NOW, roots: int = 1) -> None:
        self.url = url
        self.prefix = url.partition("://")[2]
        self.now = now
        self.root = [new_signer() for _ in range(roots)]
        self.targets, self.online = new_signer(), new_signer()
        self.release, self.witness, self.request = new_public(), new_public(), new_public()
        self.files: TrustFiles = create_trust(self.signers, self.card(), now)

    @property
    def signers(self) -> TrustSigners:
        return TrustSigners(
            online=(self.online,),
            targets=(self.targets,),
            root=tuple(self.root),
            root_threshold=max(1, len(self.root) - 1),
        )

    def card_value(self) -> dict[str, Any]:
        origin = f"{self.prefix}/logs/listings-1"
        period = {"from": "2026-11-24T00:00:00Z", "until": "2027-11-24T00:00:00Z"}
        witness = VerifierKey(f"{self.prefix}/witness-1", KeyType.COSIGNATURE, self.witness)
        return {
            "contacts": ["mailto:trust@acme.example"],
            "logs": [
                {
                    "keys": [str(VerifierKey(origin, KeyType.ED25519, self.release))],
                    "kind": "listings",
                    "name": "listings",
                    "origin": origin,
                    "state": "open",
                    "url": f"{self.url}/logs/listings-1",
                }
            ],
            "member": "acme",
            "name": "Acme Video Inc.",
            "request_keys": [{"id": "acme-request-1", "key": base64.b64encode(self.request).decode(), **period}],
            "url": self.url,
            "witness_keys": [{"key": str(witness), **period}],
        }

    def card(self, **changes: object) -> bytes:
        return json.dumps(self.card_value() | changes, sort_keys=True).encode()

    @property
    def root_bytes(self) -> bytes:
        root = newest(self.files, TrustRole.ROOT)
        assert root is not None
        return root

    def publish(self, card: bytes) -> None:
        self.files = publish_card(self.files, card, self.signers, self.now)

    def renew(self) -> None:
        self.files = renew_online(self.files, (self.online,), self.now)

    def rotate(
        self, change: Callable[[Root], None] = lambda _root: None, *, signers: list[Signer] | None = None
    ) -> None:
        """Publish the next root, with ``change`` made to it, signed by ``signers`` (all present root keys)."""
        root: Metadata[Root] = Metadata.from_bytes(self.root_bytes)
        root.signed.version += 1
        change(root.signed)
        root.signatures.clear()
        for signer in self.root if signers is None else signers:
            root.sign(signer, append=True)
        self.files[versioned(TrustRole.ROOT, root.signed.version)] = root.to_bytes()

    def replace_online(self) -> None:
        """Recover from a theft of the online key."""
        stolen, self.online = self.online, new_signer()

        def swap(root: Root) -> None:
            for role in ("snapshot", "timestamp"):
                root.revoke_key(stolen.public_key.keyid, role)
                root.add_key(self.online.public_key, role)

        self.rotate(swap)
        self.renew()

    def edit(self, role: TrustRole, change: Callable[[Any], None], *, signers: list[Signer], sign: bool = True) -> None:
        """Rewrite the newest metadata of a role in place (``change`` gets TUF's object), and sign it anew."""
        file = TIMESTAMP_FILE if role is TrustRole.TIMESTAMP else versioned(role, versions(self.files, role)[-1])
        metadata: Metadata[Any] = Metadata.from_bytes(self.files[file])
        change(metadata.signed)
        if sign:
            metadata.signatures.clear()
        for signer in signers:
            metadata.sign(signer, append=True)
        if role is not TrustRole.TIMESTAMP:
            del self.files[file]
            file = versioned(role, metadata.signed.version)
        self.files[file] = metadata.to_bytes()


def with_raw(data: bytes, old: bytes, new: bytes) -> bytes:
    """Change a file's bytes; the old ones must be there exactly once."""
    assert data.count(old) == 1
    return data.replace(old, new)


def nothing(_signed: object) -> None:
    """Change nothing."""


def relink(member: Member, role: TrustRole) -> None:
    """Let snapshot and timestamp name what ``role`` now is, as the holder of the online key can."""
    if role is TrustRole.TARGETS:
        targets = newest(member.files, TrustRole.TARGETS)
        assert targets is not None

        def name_targets(snapshot: Any) -> None:
            snapshot.meta["targets.json"] = meta_of(snapshot.meta["targets.json"], targets)
            snapshot.version += 1

        member.edit(TrustRole.SNAPSHOT, name_targets, signers=[member.online])
    if role in {TrustRole.TARGETS, TrustRole.SNAPSHOT}:
        snapshot_bytes = newest(member.files, TrustRole.SNAPSHOT)
        assert snapshot_bytes is not None

        def name_snapshot(timestamp: Timestamp) -> None:
            timestamp.snapshot_meta = meta_of(timestamp.snapshot_meta, snapshot_bytes)

        member.edit(TrustRole.TIMESTAMP, name_snapshot, signers=[member.online])


def meta_of(meta: Any, data: bytes) -> Any:
    version = json.loads(data)["signed"]["version"]
    return type(meta).from_data(version, data, ["sha256"])


def later(signed: Any) -> None:
    signed.version += 10


def put_card(member: Member, card: bytes) -> None:
    """Publish a card as a careless or hostile officer could, without any of our checks."""
    member.now += timedelta(hours=1)
    member.publish(member.card())
    state = describe(member.files)

    def name_card(targets: Any) -> None:
        targets.targets["member.json"] = type(targets.targets["member.json"]).from_data("member.json", card, ["sha256"])
        targets.version = state.card_version + 1

    member.edit(TrustRole.TARGETS, name_card, signers=[member.targets])
    relink(member, TrustRole.TARGETS)
    targets = newest(member.files, TrustRole.TARGETS)
    assert targets is not None
    sha256 = json.loads(targets)["signed"]["targets"]["member.json"]["hashes"]["sha256"]
    member.files["targets", f"{sha256}.member.json"] = card
