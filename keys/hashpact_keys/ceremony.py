"""Ceremonies: make a draft of a new root or card, sign it key by key on any machine, and publish it when all is there.

Bytes and ``now`` in, values out (TUF 1.0, sections 5.3 and 6; docs/keys.md). The order in which readers meet things is
kept: everything that a new root asks for is signed so that it passes under the old one as well, as far as the old keys
are at hand, and then both are published at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from securesystemslib.signer import Key  # type: ignore[attr-defined]  # it has no __all__; a documented name
from tuf.api.metadata import Metadata, Role, Root  # type: ignore[attr-defined]  # it has no __all__; documented names

from hashpact_keys.ceremony_draft import DRAFT, HOLDER, Draft, Requirement, requirements
from hashpact_keys.rows import ROLE_VALIDITY, ROWS, TRUST_ROWS, RowName, TrustRole
from hashpact_keys.signers import TrustSigner
from hashpact_keys.trust import current_card, draft_targets, renew_online, sign_metadata, with_card
from hashpact_keys.trust_checks import check_role, check_root, check_rows, key_identity, load, load_root
from hashpact_keys.trust_files import (
    FileId,
    TrustFiles,
    newest,
    version_of,
    versioned,
    versions,
)
from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.errors import RequestError, TrustError

ROOT_EXPIRES: Final = ROLE_VALIDITY[TrustRole.ROOT]
_STALE: Final = "start a new ceremony; what was signed for the old one is void"


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A public key for a role, and who holds it, for people; the holder may be empty."""

    key: Key
    holder: str = ""


@dataclass(frozen=True, slots=True)
class RowChange:
    """New keys of a row and how many of them must sign; ``keys`` replace all that were there."""

    keys: tuple[NamedKey, ...]
    threshold: int


def start_ceremony(
    files: Mapping[FileId, bytes],
    card: Card,
    changes: Mapping[RowName, RowChange],
    now: datetime,
    *,
    expires: timedelta = ROOT_EXPIRES,
    with_card: bool = False,
) -> Draft:
    """A draft of the next root: valid for ``expires`` from now, with the rows that change, and the rest as it is.

    Where the targets keys change, or with ``with_card``, the card in force is signed anew with it; a new version of the
    card is what makes peers look at once.

    Raises:
        RequestError: a row without keys, a threshold that they cannot meet, or a row that no root governs.
        TrustError: one key would serve two rows; the files are incomplete.
    """
    base = _newest_root(files)
    old = load_root(base, where=DRAFT).signed
    rows = {row: changes.get(row) or _row_of(old, row) for row in TRUST_ROWS}
    for row, change in changes.items():
        _check_change(row, change)
    root = Root(
        version=old.version + 1,
        expires=now.astimezone(UTC) + expires,
        keys={one.key.keyid: _with_holder(one) for change in rows.values() for one in change.keys},
        roles={
            role.value: Role([one.key.keyid for one in change.keys], change.threshold)
            for row, change in rows.items()
            for role in ROWS[row].roles
        },
        consistent_snapshot=True,
    )
    unsigned = Metadata(root).to_bytes()
    check_rows(unsigned, card, where=DRAFT)
    _, card_bytes = current_card(files)
    draft = Draft(card.member, card.url, _seconds(now), base, unsigned, card_before=card_bytes)
    if with_card or RowName.TARGETS in changes:
        draft = replace(draft, targets=draft_targets(files, card_bytes, now), card=card_bytes)
    return draft


def start_card(files: Mapping[FileId, bytes], card: bytes, member: Card, now: datetime) -> Draft:
    """A draft of a new card, or of the one in force for another year, for targets keys that are elsewhere.

    Raises:
        TrustError: the files are incomplete.
    """
    _, before = current_card(files)
    return Draft(
        member.member,
        member.url,
        _seconds(now),
        _newest_root(files),
        targets=draft_targets(files, card, now),
        card=card,
        card_before=before,
    )


def sign_draft(draft: Draft, signer: TrustSigner) -> Draft:
    """The draft with whatever this key may sign of it signed; what it has signed already is signed anew.

    Raises:
        TrustError: the key may sign nothing of it.
        KeyUnavailableError: the signer fails.
    """
    parts: dict[TrustRole, bytes] = {}
    for role in {requirement.role for requirement in requirements(draft)}:
        data = draft.root if role is TrustRole.ROOT else draft.targets
        key_id = _known_as(draft, role, signer.public_key)
        if data is not None and key_id is not None:
            parts[role] = sign_metadata(load(data, where=DRAFT), (_Named(signer, key_id),), role.value)
    if not parts:
        names = sorted({holder.name or holder.key_id[:16] for one in requirements(draft) for holder in one.missing})
        raise TrustError(
            "this key may sign nothing in this draft: it is in none of the rows that have to sign",
            where=signer.public_key.keyid[:16],
            mend=f"signatures are missing of: {', '.join(names) or 'nobody'}",
        )
    return replace(
        draft, root=parts.get(TrustRole.ROOT, draft.root), targets=parts.get(TrustRole.TARGETS, draft.targets)
    )


def merge_drafts(drafts: Sequence[Draft]) -> Draft:
    """One draft with the signatures of all: whoever signs may sign a copy. At least one draft.

    Raises:
        TrustError: they are not drafts of the same ceremony.
    """
    merged = drafts[0]
    for other in drafts[1:]:
        if other.digest != merged.digest:
            raise TrustError(
                "these are drafts of different ceremonies",
                where=DRAFT,
                mend="give the copies that were signed of one of them; the digest tells which belong together",
            )
        merged = replace(merged, root=_merged(merged.root, other.root), targets=_merged(merged.targets, other.targets))
    return merged


def lacking(draft: Draft) -> list[Requirement]:
    """The thresholds that are not met yet and must be."""
    return [one for one in requirements(draft) if one.needed and not one.is_met]


def finish_ceremony(
    draft: Draft, files: Mapping[FileId, bytes], online: Iterable[TrustSigner], now: datetime
) -> TrustFiles:
    """All files of the trust repository with what was signed; snapshot and timestamp are signed by ``online``.

    Raises:
        TrustError: the draft is stale, below a threshold, expired, or of another member; or ``online`` are not the keys
            that the new root names.
        KeyUnavailableError: an online signer fails.
    """
    base = _newest_root(files)
    if draft.base != base:
        stands = version_of(TrustRole.ROOT, base, where=DRAFT)
        raise TrustError(
            f"this draft is stale: it was made for another root than root {stands}, which is in force",
            where=DRAFT,
            mend=_STALE,
        )
    for one in lacking(draft):
        missing = ", ".join(holder.name or holder.key_id[:16] for holder in one.missing)
        raise TrustError(
            f"{one.what}: {len(one.signed)} of the {one.threshold} signatures that it needs are there",
            where=DRAFT,
            mend=f"let these sign: {missing}",
        )
    added: TrustFiles = {}
    if draft.root is not None:
        check_root(draft.root, base, where=DRAFT)
        _check_ahead(load_root(draft.root, where=DRAFT).signed.expires, now)
        added[versioned(TrustRole.ROOT, version_of(TrustRole.ROOT, draft.root, where=DRAFT))] = draft.root
    version, card = current_card(files)
    in_force = parse_card(draft.card or card, member=draft.member, url=draft.url)
    check_rows(draft.governing_root, in_force, where=DRAFT)
    if draft.targets is not None and draft.card is not None:
        if draft.card_before != card or version_of(TrustRole.TARGETS, draft.targets, where=DRAFT) <= version:
            raise TrustError(
                "this draft is stale: another card has been signed since it was made", where=DRAFT, mend=_STALE
            )
        check_role(draft.governing_root, TrustRole.TARGETS, draft.targets, where=DRAFT)
        _check_ahead(load(draft.targets, where=DRAFT).signed.expires, now)
        held = versions(files, TrustRole.TARGETS)
        number = version_of(TrustRole.TARGETS, draft.targets, where=DRAFT)
        if number <= max(held, default=0):
            raise TrustError("this draft is stale: newer targets metadata are there", where=DRAFT, mend=_STALE)
        added |= with_card(draft.targets, draft.card)
    return renew_online({**files, **added}, online, now)


class _Named(TrustSigner):
    """A signer under the id that a root gives its key, which another program may have chosen otherwise than we do."""

    def __init__(self, inner: TrustSigner, key_id: str) -> None:
        self._inner = inner
        self._key_id = key_id

    @property
    def public_key(self) -> Key:
        return self._inner.public_key

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, secrets_handler: Any = None) -> TrustSigner:
        raise NotImplementedError

    def sign(self, payload: bytes) -> Any:
        signature = self._inner.sign(payload)
        signature.keyid = self._key_id
        return signature


def _known_as(draft: Draft, role: TrustRole, key: Key) -> str | None:
    """The id under which a root of the draft names this key for a role, compared by what the key is."""
    identity = key_identity(key, where=DRAFT)
    for data in (draft.governing_root, draft.base):
        root = load_root(data, where=DRAFT).signed
        for key_id in root.roles[role.value].keyids:
            if key_id in root.keys and key_identity(root.keys[key_id], where=DRAFT) == identity:
                return key_id
    return None


def _merged(data: bytes | None, other: bytes | None) -> bytes | None:
    if data is None or other is None:
        return data
    metadata = load(data, where=DRAFT)
    metadata.signatures = {**metadata.signatures, **load(other, where=DRAFT).signatures}
    return metadata.to_bytes()


def _row_of(root: Root, row: RowName) -> RowChange:
    role = root.roles[ROWS[row].roles[0].value]
    keys = tuple(
        NamedKey(root.keys[one], str(root.keys[one].unrecognized_fields.get(HOLDER, ""))) for one in role.keyids
    )
    return RowChange(keys, role.threshold)


def _with_holder(named: NamedKey) -> Key:
    fields = {HOLDER: named.holder} if named.holder else {}
    key = named.key
    return type(key)(key.keyid, key.keytype, key.scheme, dict(key.keyval), fields)


def _check_change(row: RowName, change: RowChange) -> None:
    if row not in TRUST_ROWS:
        raise RequestError(
            f"no root governs the row {row.value}", mend="rotate it by a new card: `hashpact keys rotate`"
        )
    distinct = {key_identity(one.key, where=DRAFT) for one in change.keys}
    if len(distinct) < len(change.keys):
        raise RequestError(
            f"one key stands twice among the {row.value} keys", mend="give each holder a key of their own"
        )
    if not 1 <= change.threshold <= len(change.keys):
        raise RequestError(
            f"{len(change.keys)} {row.value} keys cannot meet a threshold of {change.threshold}",
            mend="give more keys, or a threshold from 1 to their number",
        )


def _check_ahead(expires: datetime, now: datetime) -> None:
    if expires <= now:
        raise TrustError(f"this draft is stale: what it signs expired at {expires:%Y-%m-%d}", where=DRAFT, mend=_STALE)


def _newest_root(files: Mapping[FileId, bytes]) -> bytes:
    root = newest(files, TrustRole.ROOT)
    if root is None:
        raise TrustError("the trust repository lacks a root", where=DRAFT, mend="restore the database")
    return root


def _seconds(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(microsecond=0)
