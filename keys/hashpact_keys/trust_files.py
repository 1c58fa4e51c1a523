"""The files of one trust repository, as they are published and as the database holds them.

A repository is a mapping from (place, name) to bytes. Place ``metadata`` holds ``N.root.json``, ``N.targets.json``,
``N.snapshot.json`` and ``timestamp.json``; place ``targets`` holds ``SHA256.member.json``, or ``SHA256.directory.json``
in that of a consortium's directory (TUF 1.0, section 6.2, consistent snapshots). Own repositories and followed ones are
held alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_form import CARD_PATH, PRODUCTS, check_form

FileId = tuple[str, str]
"""Place and name."""

TrustFiles = dict[FileId, bytes]

METADATA: Final = "metadata"
TARGETS: Final = "targets"
TIMESTAMP_FILE: Final[FileId] = (METADATA, "timestamp.json")

_VERSIONED: Final = re.compile(r"([1-9][0-9]{0,15})\.(root|targets|snapshot)\.json")


def versioned(role: TrustRole, version: int) -> FileId:
    """Where root, targets or snapshot of that version lies."""
    return (METADATA, f"{version}.{role.value}.json")


def card_file(card_sha256: str, path: str = CARD_PATH) -> FileId:
    """Where the card, or the product of another ``path``, with that SHA-256 (lower-case hex) lies."""
    return (TARGETS, f"{card_sha256}.{path}")


def versions(files: Mapping[FileId, bytes], role: TrustRole) -> list[int]:
    """The versions of root, targets or snapshot that are held, in rising order."""
    matches = (_VERSIONED.fullmatch(name) for place, name in files if place == METADATA)
    return sorted(int(match[1]) for match in matches if match and match[2] == role.value)


def newest(files: Mapping[FileId, bytes], role: TrustRole) -> bytes | None:
    """The newest held metadata of a role."""
    if role is TrustRole.TIMESTAMP:
        return files.get(TIMESTAMP_FILE)
    held = versions(files, role)
    return files[versioned(role, held[-1])] if held else None


def roots(files: Mapping[FileId, bytes]) -> TrustFiles:
    """The roots among the files; none is ever dropped, because every reader walks over them."""
    return {versioned(TrustRole.ROOT, v): files[versioned(TrustRole.ROOT, v)] for v in versions(files, TrustRole.ROOT)}


def root_fingerprint(root: bytes) -> str:
    """``N:sha256:HEX`` of a root file, with which a peer can be pinned (docs/protocol.md, Trust).

    Raises:
        TrustError: the bytes are no root.
    """
    return f"{version_of(TrustRole.ROOT, root, where='root.json')}:sha256:{hashlib.sha256(root).hexdigest()}"


def current_chain(files: Mapping[FileId, bytes]) -> TrustFiles:
    """What a reader fetches now: timestamp, and the snapshot, targets and card to which it leads, as far as held.

    Raises:
        TrustError: one of them does not have its form.
    """
    chain: TrustFiles = {}
    file = TIMESTAMP_FILE
    for role in (TrustRole.TIMESTAMP, TrustRole.SNAPSHOT, TrustRole.TARGETS):
        if file not in files:
            return chain
        chain[file] = files[file]
        file = _named_by(role, files[file], where=file[1])
    if file in files:
        chain[file] = files[file]
    return chain


def card_of(targets: bytes, *, where: str) -> FileId:
    """Where the card lies that this targets metadata names, or the directory.

    Raises:
        TrustError: the targets metadata does not have its form.
    """
    return _named_by(TrustRole.TARGETS, targets, where=where)


def version_of(role: TrustRole, data: bytes, *, where: str) -> int:
    """The version of one metadata file.

    Raises:
        TrustError: it does not have its form.
    """
    return int(check_form(role, data, where=where)["version"])


def _named_by(role: TrustRole, data: bytes, *, where: str) -> FileId:
    """The file to which timestamp, snapshot or targets lead."""
    signed: dict[str, Any] = check_form(role, data, where=where)
    if role is TrustRole.TIMESTAMP:
        return versioned(TrustRole.SNAPSHOT, signed["meta"]["snapshot.json"]["version"])
    if role is TrustRole.SNAPSHOT:
        return versioned(TrustRole.TARGETS, signed["meta"]["targets.json"]["version"])
    path = next(one for one in PRODUCTS if one in signed["targets"])
    return card_file(signed["targets"][path]["hashes"]["sha256"], path)
