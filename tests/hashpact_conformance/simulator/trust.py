"""A trust repository (TUF 1.0), written from plain values, so that every part can be falsified and signed anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from securesystemslib.formats import encode_canonical

from hashpact_conformance.simulator.keys import Key, TrustKey, key_id

Signed = dict[str, Any]
ROLES = ("root", "targets", "snapshot", "timestamp")
LIFE = {
    "root": timedelta(days=365),
    "targets": timedelta(days=365),
    "snapshot": timedelta(days=7),
    "timestamp": timedelta(days=1),
}


def unchanged(_signed: Signed) -> None:
    """Change nothing."""


def as_it_is(data: bytes) -> bytes:
    """Write the file as it is."""
    return data


@dataclass(frozen=True)
class Edit:
    """What is falsified of one file: its signed part, who signs it, the file's bytes after signing.

    Files above it name the bytes that come out, so that a fault stands alone.
    """

    change: Callable[[Signed], None] = unchanged
    signers: Sequence[TrustKey] | None = None
    write: Callable[[bytes], bytes] = as_it_is


HONEST = Edit()


@dataclass
class TrustRepository:
    """The files below ``/trust``, and the keys that sign them; ``now`` dates what is signed next."""

    now: datetime
    root_keys: list[TrustKey] = field(default_factory=lambda: [Key()])
    targets_keys: list[TrustKey] = field(default_factory=lambda: [Key()])
    online_keys: list[TrustKey] = field(default_factory=lambda: [Key()])
    thresholds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 1))
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    files: dict[str, bytes] = field(default_factory=dict)

    def keys(self, role: str) -> list[TrustKey]:
        """Give the keys of a role."""
        return {"root": self.root_keys, "targets": self.targets_keys}.get(role, self.online_keys)

    def file(self, role: str) -> str:
        """Give the path of a role's newest file."""
        return "metadata/timestamp.json" if role == "timestamp" else f"metadata/{self.versions[role]}.{role}.json"

    @property
    def root(self) -> bytes:
        """The newest root."""
        return self.files[self.file("root")]

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the newest root."""
        return f"{self.versions['root']}:sha256:{sha256(self.root).hexdigest()}"

    def signed(self, role: str) -> Signed:
        """Give the signed part of a role's newest file."""
        found: Signed = json.loads(self.files[self.file(role)])["signed"]
        return found

    def write_root(self, edit: Edit = HONEST, *, signed_by_old: Sequence[TrustKey] = ()) -> None:
        """Write the next root, signed by its keys and ``signed_by_old``."""
        self._next("root")
        every = [*self.root_keys, *self.targets_keys, *self.online_keys]
        signed = self._common("root") | {
            "consistent_snapshot": True,
            "keys": {key_id(key): key.named for key in every},
            "roles": {
                role: {"keyids": [key_id(key) for key in self.keys(role)], "threshold": self.thresholds[role]}
                for role in ROLES
            },
        }
        signers = [*self.root_keys, *(key for key in signed_by_old if key not in self.root_keys)]
        self._write("root", signed, edit, signers)

    def forget_root(self) -> None:
        """Take the newest root back, as if it had never been."""
        del self.files[self.file("root")]
        self.versions["root"] -= 1

    def publish(
        self, card: bytes, *, targets: Edit = HONEST, snapshot: Edit = HONEST, timestamp: Edit = HONEST
    ) -> None:
        """Publish a card: targets, snapshot and timestamp are written anew."""
        self._next("targets")
        named = {"length": len(card), "hashes": {"sha256": sha256(card).hexdigest()}}
        signed = self._common("targets") | {"targets": {"member.json": named}}
        self._write("targets", signed, targets, self.targets_keys)
        self.files[f"targets/{sha256(card).hexdigest()}.member.json"] = card
        self.renew(snapshot=snapshot, timestamp=timestamp)

    def renew(self, *, snapshot: Edit = HONEST, timestamp: Edit = HONEST) -> None:
        """Write snapshot and timestamp anew."""
        self._next("snapshot")
        signed = self._common("snapshot") | {"meta": {"targets.json": self._meta("targets")}}
        self._write("snapshot", signed, snapshot, self.online_keys)
        self.stamp(timestamp)

    def stamp(self, edit: Edit = HONEST) -> None:
        """Write the timestamp anew."""
        self._next("timestamp")
        signed = self._common("timestamp") | {"meta": {"snapshot.json": self._meta("snapshot")}}
        self._write("timestamp", signed, edit, self.online_keys)

    def rotate_online(self) -> None:
        """Replace the online key by a new one in a new root; what it signed is signed anew by ``renew``."""
        self.online_keys = [Key()]
        self.write_root()

    def _next(self, role: str) -> None:
        self.versions[role] += 1

    def _common(self, role: str) -> Signed:
        return {
            "_type": role,
            "spec_version": "1.0.31",
            "version": self.versions[role],
            "expires": f"{self.now + LIFE[role]:%Y-%m-%dT%H:%M:%SZ}",
        }

    def _meta(self, role: str) -> dict[str, Any]:
        data = self.files[self.file(role)]
        return {"version": self.versions[role], "length": len(data), "hashes": {"sha256": sha256(data).hexdigest()}}

    def _write(self, role: str, signed: Signed, edit: Edit, signers: Sequence[TrustKey]) -> None:
        edit.change(signed)
        data = edit.write(sign(signed, signers if edit.signers is None else edit.signers))
        self.files[self.file(role)] = data


def sign(signed: Signed, signers: Sequence[TrustKey]) -> bytes:
    """Write metadata with one signature a signer, in TUF's canonical form."""
    message = canonical(signed)
    signatures = [{"keyid": key_id(key), "sig": key.sign(message).hex()} for key in signers]
    return json.dumps({"signatures": signatures, "signed": signed}, separators=(",", ":"), sort_keys=True).encode()


def canonical(signed: Signed) -> bytes:
    """Give the bytes over which TUF's signatures go (OLPC canonical JSON)."""
    return encode_canonical(signed).encode()  # type: ignore[union-attr]  # text when no writer is given


def resigned(data: bytes, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> bytes:
    """Rewrite the list of signatures of a file."""
    document = json.loads(data)
    document["signatures"] = change(document["signatures"])
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
