"""Build and renew a member's trust repository (TUF 1.0; docs/protocol.md, Trust): bytes and ``now`` in, bytes out.

Versions of all but root are ``max(last + 1, Unix seconds)``, so that a node restored from an old backup never runs
back. What was built is checked like a peer's before it is given out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from securesystemslib.signer import Key  # type: ignore[attr-defined]  # it has no __all__; a documented name
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from hashpact_keys.rows import ROLE_VALIDITY, TrustRole
from hashpact_keys.signers import TrustSigner
from hashpact_keys.trust_checks import check_role, check_root, check_rows, load_root
from hashpact_keys.trust_files import (
    TIMESTAMP_FILE,
    FileId,
    TrustFiles,
    card_file,
    card_of,
    current_chain,
    newest,
    root_fingerprint,
    roots,
    version_of,
    versioned,
    versions,
)
from hashpact_keys.trust_form import CARD_PATH, VERSION_MAX, check_form, parse_expires
from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.directory import DIRECTORY_PATH, parse_directory
from hashpact_protocol.errors import CardError, KeyUnavailableError, TrustError

_HASHES: Final = ["sha256"]
_OWN: Final = "own trust repository"
_RENEWED: Final = (TrustRole.SNAPSHOT, TrustRole.TIMESTAMP)


@dataclass(frozen=True, slots=True)
class TrustSigners:
    """Who signs: online and targets keys, one or more each, and, to create a repository, the root keys.

    While a key is replaced, the old one and the new one sign; a signature by a key that the root does not name counts
    for nothing and hurts nobody.
    """

    online: tuple[TrustSigner, ...]
    targets: tuple[TrustSigner, ...]
    targets_threshold: int = 1
    root: tuple[TrustSigner, ...] = ()
    root_threshold: int = 1


@dataclass(frozen=True, slots=True)
class RoleState:
    """One role as people look at it: version, expiry (aware UTC), who may sign it and how many must."""

    role: TrustRole
    version: int
    expires: datetime
    threshold: int
    key_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrustState:
    """A trust repository as people look at it; ``card_version`` is the version of targets."""

    fingerprint: str
    roles: tuple[RoleState, ...]
    card_version: int
    card: bytes


def create_trust(signers: TrustSigners, card: bytes, now: datetime, *, path: str = CARD_PATH) -> TrustFiles:
    """The first root, and targets, snapshot and timestamp over ``card``, or over the product of another ``path``.

    Raises:
        CardError, DirectoryError: the card, or the directory, breaks a rule.
        TrustError: one key serves two rows, or a threshold cannot be met.
        KeyUnavailableError: a signer fails.
    """
    roles = {
        TrustRole.ROOT: (signers.root, signers.root_threshold),
        TrustRole.TARGETS: (signers.targets, signers.targets_threshold),
        TrustRole.SNAPSHOT: (signers.online, 1),
        TrustRole.TIMESTAMP: (signers.online, 1),
    }
    root = Root(
        version=1,
        expires=_expiry(TrustRole.ROOT, now),
        keys={key.keyid: key for members, _ in roles.values() for key in _public_keys(members)},
        roles={role.value: Role([k.keyid for k in _public_keys(who)], least) for role, (who, least) in roles.items()},
        consistent_snapshot=True,
    )
    data = _sign(root, signers.root)
    check_root(data, None, where=_OWN)
    return publish_card({versioned(TrustRole.ROOT, 1): data}, card, signers, now, path=path)


def publish_card(
    files: Mapping[FileId, bytes], card: bytes, signers: TrustSigners, now: datetime, *, path: str = CARD_PATH
) -> TrustFiles:
    """All files with a new card: new targets, snapshot and timestamp; the generation before stays for slow readers.

    Raises:
        CardError, DirectoryError: the card, or the directory, breaks a rule.
        TrustError: a key serves two rows, or a signer is not one that the root names.
        KeyUnavailableError: a signer fails.
    """
    root = _root_of(files)
    unsigned: Metadata[Any] = Metadata.from_bytes(draft_targets(files, card, now, path=path))
    data = sign_metadata(unsigned, signers.targets, TrustRole.TARGETS.value)
    check_role(root, TrustRole.TARGETS, data, where=_OWN)
    return renew_online({**files, **with_card(data, card)}, signers.online, now)


def draft_targets(files: Mapping[FileId, bytes], card: bytes, now: datetime, *, path: str = CARD_PATH) -> bytes:
    """Targets metadata for a new card, or the product of another ``path``, which nobody has signed yet.

    Raises:
        CardError, DirectoryError: the card, or the directory, breaks a rule.
        TrustError: a key serves two rows, no version is left, or the files are incomplete.
    """
    _check_product(_root_of(files), card, path)
    version = _next_version(versions(files, TrustRole.TARGETS)[-1:], now)
    target = TargetFile.from_data(path, card, _HASHES)
    targets = Targets(version=version, expires=_expiry(TrustRole.TARGETS, now), targets={path: target})
    return Metadata(targets).to_bytes()


def with_card(targets: bytes, card: bytes) -> TrustFiles:
    """Targets metadata and the card that they name, where they are published; TrustError for metadata without form."""
    version = version_of(TrustRole.TARGETS, targets, where=_OWN)
    _, name = card_of(targets, where=_OWN)
    path = name.partition(".")[2]
    return {versioned(TrustRole.TARGETS, version): targets, card_file(hashlib.sha256(card).hexdigest(), path): card}


def renew_online(files: Mapping[FileId, bytes], signers: Iterable[TrustSigner], now: datetime) -> TrustFiles:
    """All files with a new snapshot and timestamp over the newest targets.

    The generation before stays, for readers who are just walking through it; older ones are dropped.

    Raises:
        TrustError: the files are incomplete, or the root names none of the signers as online key.
        KeyUnavailableError: the signer fails.
    """
    root, targets = _root_of(files), _targets_of(files)
    signing = tuple(signers)
    targets_version = version_of(TrustRole.TARGETS, targets, where=_OWN)
    snapshot_version = _next_version(versions(files, TrustRole.SNAPSHOT)[-1:], now)
    snapshot = _sign(
        Snapshot(
            version=snapshot_version,
            expires=_expiry(TrustRole.SNAPSHOT, now),
            meta={"targets.json": MetaFile.from_data(targets_version, targets, _HASHES)},
        ),
        signing,
    )
    timestamp = _sign(
        Timestamp(
            version=_next_version(_timestamp_versions(files), now),
            expires=_expiry(TrustRole.TIMESTAMP, now),
            snapshot_meta=MetaFile.from_data(snapshot_version, snapshot, _HASHES),
        ),
        signing,
    )
    check_role(root, TrustRole.SNAPSHOT, snapshot, where=_OWN)
    check_role(root, TrustRole.TIMESTAMP, timestamp, where=_OWN)
    added = {versioned(TrustRole.SNAPSHOT, snapshot_version): snapshot, TIMESTAMP_FILE: timestamp}
    return roots(files) | current_chain(files) | current_chain({**files, **added})


def needs_renewal(files: Mapping[FileId, bytes], now: datetime) -> bool:
    """Whether snapshot or timestamp has passed half of its life, or is missing.

    Raises:
        TrustError: one of them does not have its form.
    """
    for role in _RENEWED:
        data = newest(files, role)
        if data is None:
            return True
        left = parse_expires(check_form(role, data, where=_OWN)["expires"]) - now
        if left < ROLE_VALIDITY[role] / 2:
            return True
    return False


def describe(files: Mapping[FileId, bytes]) -> TrustState:
    """Versions, expiries, key ids and thresholds of a repository, own or followed.

    Raises:
        TrustError: the files are incomplete or do not have their form.
    """
    root_data = _root_of(files)
    root = load_root(root_data, where=_OWN).signed
    states = []
    for role in TrustRole:
        data = newest(files, role)
        if data is None:
            raise _incomplete(role.value)
        signed = check_form(role, data, where=_OWN)
        rule = root.roles[role.value]
        expires = parse_expires(signed["expires"])
        states.append(RoleState(role, signed["version"], expires, rule.threshold, tuple(rule.keyids)))
    version, card = current_card(files)
    return TrustState(root_fingerprint(root_data), tuple(states), version, card)


def current_card(files: Mapping[FileId, bytes]) -> tuple[int, bytes]:
    """The newest card in the files and its version, which is that of targets.

    Raises:
        TrustError: the files are incomplete or do not have their form.
    """
    targets = _targets_of(files)
    card = files.get(card_of(targets, where=_OWN))
    if card is None:
        raise _incomplete("the card")
    return version_of(TrustRole.TARGETS, targets, where=_OWN), card


def _check_product(root: bytes, data: bytes, path: str) -> None:
    """Check what is to be signed by all rules that its readers have."""
    if path == DIRECTORY_PATH:
        parse_directory(data)
    else:
        check_rows(root, _own_card(data), where=_OWN)


def _own_card(card: bytes) -> Card:
    """Check a card of our own by all rules, under the id and URL that it names itself."""
    try:
        claimed = json.loads(card)
        member, url = str(claimed["member"]), str(claimed["url"])
    except (ValueError, KeyError, TypeError) as error:
        raise CardError("the card is no JSON object that names member and url", where="member.json") from error
    return parse_card(card, member=member, url=url)


def _public_keys(signers: Iterable[TrustSigner]) -> list[Key]:
    return [signer.public_key for signer in signers]


def _expiry(role: TrustRole, now: datetime) -> datetime:
    # TUF accepts this one time zone object and no other, and would read the clock if it were given no time.
    return now.astimezone(UTC) + ROLE_VALIDITY[role]


def _next_version(last: Iterable[int], now: datetime) -> int:
    version = max([*(number + 1 for number in last), int(now.timestamp())])
    if version > VERSION_MAX:
        raise TrustError(
            "no version number is left below 2^53",
            where=_OWN,
            mend="replace the online and targets keys by a new root, which lets versions start again",
        )
    return version


def _timestamp_versions(files: Mapping[FileId, bytes]) -> list[int]:
    data = files.get(TIMESTAMP_FILE)
    return [] if data is None else [version_of(TrustRole.TIMESTAMP, data, where=_OWN)]


def _sign(signed: Root | Targets | Snapshot | Timestamp, signers: Iterable[TrustSigner]) -> bytes:
    return sign_metadata(Metadata(signed), signers, signed.type)


def sign_metadata(metadata: Metadata[Any], signers: Iterable[TrustSigner], what: str) -> bytes:
    """Add a signature by each signer to those that metadata carry; ``what`` is what an error calls them.

    Raises:
        KeyUnavailableError: a signer fails.
    """
    for signer in signers:
        try:
            metadata.sign(signer, append=True)
        except UnsignedMetadataError as error:
            if isinstance(error.__cause__, KeyUnavailableError):
                raise error.__cause__ from error
            raise KeyUnavailableError(
                f"signing {what} failed: {error.__cause__}",
                where=signer.public_key.keyid,
                mend="check that the key's device or service is reachable",
            ) from error
    return metadata.to_bytes()


def _root_of(files: Mapping[FileId, bytes]) -> bytes:
    root = newest(files, TrustRole.ROOT)
    if root is None:
        raise _incomplete("a root")
    return root


def _targets_of(files: Mapping[FileId, bytes]) -> bytes:
    targets = newest(files, TrustRole.TARGETS)
    if targets is None:
        raise _incomplete("targets")
    return targets


def _incomplete(what: str) -> TrustError:
    return TrustError(
        f"the trust repository lacks {what}", where=_OWN, mend="restore the database, or fetch the repository again"
    )
