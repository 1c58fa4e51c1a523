"""A home whose key files are those of a member's own trust repository and card, for tests of findings about keys."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    CryptoSigner,
)
from tuf.api.metadata import Root  # type: ignore[attr-defined]  # it has no __all__; documented names

from hashpact_keys.health import Health, Surroundings, examine
from hashpact_keys.keystore import KeyStore
from hashpact_keys.rows import RowName
from hashpact_keys.seen_files import scan_folder
from hashpact_keys.trust import create_trust
from hashpact_protocol.card import Card, parse_card
from unit.keys.trust_simulator import NOW, Member

Found = set[tuple[str, str | None]]

TRIAL: Found = {("offline-key-here", "root"), ("offline-key-here", "targets"), ("root-threshold", "root")}
"""What is wrong with every trial home."""


def new_uris() -> dict[RowName, tuple[str, ...]]:
    return {row: (f"file:keys/{row.value}.key",) for row in reversed(RowName)}


@dataclass
class KeyHome:
    """Key files of every row in ``path``, an hour old; ``uris`` names them."""

    path: Path
    uris: dict[RowName, tuple[str, ...]] = field(default_factory=new_uris)
    changes: dict[str, Any] = field(default_factory=dict)
    around: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = KeyStore(self.path, lambda: b"secret", kdf_rounds=1)
        self.public = {row: self.create(f"keys/{row.value}.key") for row in RowName}
        self.member = Member()
        self.member.root = [self.signer("keys/root.key")]
        self.member.targets, self.member.online = self.signer("keys/targets.key"), self.signer("keys/online.key")
        self.member.release, self.member.witness, self.member.request = (
            self.public[row] for row in (RowName.RELEASE, RowName.WITNESS, RowName.REQUEST)
        )
        self.member.files = create_trust(self.member.signers, self.member.card(), NOW)

    def create(self, name: str, *, age: timedelta = timedelta(hours=1)) -> bytes:
        """Make a key file."""
        public = self.store.create(name)
        self.touch(name, age)
        return public

    def touch(self, name: str, age: timedelta) -> None:
        """Let a file be of that age."""
        os.utime(self.path / name, ((NOW - age).timestamp(),) * 2)

    def signer(self, name: str) -> CryptoSigner:
        """Open a key file."""
        return CryptoSigner(self.store.unlock(name))

    def go_into_production(self) -> None:
        """Let three root keys, two of which must sign, take over; root and targets keys leave the home."""
        old, others = self.member.root, [CryptoSigner.generate_ed25519() for _ in range(3)]

        def change(root: Root) -> None:
            root.revoke_key(old[0].public_key.keyid, "root")
            root.revoke_key(self.member.targets.public_key.keyid, "targets")
            self.member.targets = CryptoSigner.generate_ed25519()
            root.add_key(self.member.targets.public_key, "targets")
            for one in others:
                root.add_key(one.public_key, "root")
            root.roles["root"].threshold = 2

        self.member.rotate(change, signers=[*old, *others])
        self.member.root = others
        self.member.publish(self.card_bytes)
        (self.path / "keys/root.key").unlink()
        (self.path / "keys/targets.key").unlink()

    @property
    def card_bytes(self) -> bytes:
        return self.member.card(**self.changes)

    @property
    def card(self) -> Card:
        return parse_card(self.card_bytes, member="acme", url=self.member.url)

    def look(self, after: timedelta = timedelta(0)) -> Health:
        """Examine it all."""
        around = Surroundings(self.path, **{"scan": scan_folder(self.path), **self.around})
        return examine(self.uris, self.member.files, self.card, around, NOW + after)

    def found(self, after: timedelta = timedelta(0)) -> Found:
        """What is wrong, by code and row, but for few rounds of bcrypt, which tests write everywhere."""
        return {
            (one.code, None if one.row is None else one.row.value)
            for one in self.look(after).findings
            if one.code != "file-weak"
        }

    def value(self, **changes: Any) -> Mapping[str, Any]:
        """Change the card."""
        self.changes |= changes
        return self.changes
