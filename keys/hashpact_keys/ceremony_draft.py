"""The draft that a ceremony passes from hand to hand: what is to be signed, by whom, and who has signed so far.

A draft is one JSON file. It holds the root in force, and the next root, a card with its targets metadata, or both. It
carries no secret, and nothing in it is believed: what it changes is always told from the metadata that is signed, and
the digest, which its author reads aloud to the signers, covers all of it but the signatures.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from securesystemslib.signer import Key  # type: ignore[attr-defined]  # it has no __all__; a documented name
from tuf.api.metadata import Metadata

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_checks import check_rows, key_identity, load, load_root
from hashpact_keys.trust_files import card_file, card_of, root_fingerprint, version_of
from hashpact_keys.trust_form import parse_strict
from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.errors import TrustError

FORM: Final = 1
DRAFT: Final = "ceremony draft"
HOLDER: Final = "x-hashpact-holder"
"""The field of a key in a root that says, for people, who holds it; it is no part of the key's id."""

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_PARTS: Final = ("base", "root", "targets", "card", "card_before")
_MEND: Final = "ask whoever started the ceremony for the draft again, by another way, and compare the digest"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be signed; all bytes are files as they are published.

    ``base`` is the root in force. ``root`` is the next one, with the signatures so far, or ``None`` where only a card
    is signed. ``targets`` is the metadata of ``card``, with the signatures so far, ``card_before`` the card in force.
    """

    member: str
    url: str
    started_at: datetime
    base: bytes
    root: bytes | None = None
    targets: bytes | None = None
    card: bytes | None = None
    card_before: bytes | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over everything but the signatures, 64 lower-case hex digits."""
        lines = [f"hashpact ceremony {FORM}", self.member, self.url, self.started_at.strftime(_TIME)]
        for name in _PARTS:
            data = _signed_part(getattr(self, name), name)
            lines.append(f"{name} {'-' if data is None else hashlib.sha256(data).hexdigest()}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def governing_root(self) -> bytes:
        """The root that is in force once this is published."""
        return self.base if self.root is None else self.root


@dataclass(frozen=True, slots=True)
class Holder:
    """A key as people know it: its id in the root, who holds it, and the SHA-256 of what it is, in hex."""

    key_id: str
    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """One threshold: ``role`` signed as ``what`` says; ``needed`` is false where it only spares readers a hiccup."""

    role: TrustRole
    what: str
    threshold: int
    signed: tuple[Holder, ...]
    missing: tuple[Holder, ...]
    needed: bool = True

    @property
    def is_met(self) -> bool:
        """Whether as many distinct keys have signed as must."""
        return len(self.signed) >= self.threshold


def encode_draft(draft: Draft) -> bytes:
    """The bytes of a draft's file: JSON, in which people can see who it is about."""
    parts = {name: getattr(draft, name) for name in _PARTS}
    value = {
        "hashpact_ceremony": FORM,
        "member": draft.member,
        "url": draft.url,
        "started_at": draft.started_at.strftime(_TIME),
        "digest": draft.digest,
        **{name: base64.b64encode(data).decode() for name, data in parts.items() if data is not None},
    }
    return (json.dumps(value, indent=1) + "\n").encode()


def parse_draft(data: bytes, *, where: str) -> Draft:
    """Read a draft, and check all that can be checked without the node: forms, hashes, rows, signatures so far.

    Raises:
        TrustError: it is no draft, was changed on its way, or breaks a rule.
        CardError: its card breaks a rule.
    """
    value = parse_strict(data, where=where)
    if not isinstance(value, dict) or value.get("hashpact_ceremony") != FORM:
        _refuse("this is no draft of a ceremony, or one of another version of Hashpact", where)
    parts = {name: _bytes(value[name], name, where) for name in _PARTS if name in value}
    if "base" not in parts:
        _refuse("the root in force is missing", where)
    try:
        started_at = datetime.strptime(str(value["started_at"]), _TIME).replace(tzinfo=UTC)
        draft = Draft(str(value["member"]), str(value["url"]), started_at, **parts)
    except (KeyError, ValueError) as error:
        raise TrustError("member, url or started_at are missing or wrong", where=where, mend=_MEND) from error
    _check(draft, where)
    if value.get("digest") != draft.digest:
        _refuse("the digest does not fit what is in the draft: it was changed", where)
    return draft


def requirements(draft: Draft) -> list[Requirement]:
    """Every threshold that counts for this draft, with who has signed and who has not."""
    base = load_root(draft.base, where=DRAFT).signed
    found = []
    if draft.root is not None:
        new = load_root(draft.root, where=DRAFT)
        for root in (base, new.signed):
            what = f"root {new.signed.version}, by the root keys of root {root.version}"
            found.append(_requirement(root, TrustRole.ROOT, new, what, needed=True))
    if draft.targets is not None:
        targets = load(draft.targets, where=DRAFT)
        governing = load_root(draft.governing_root, where=DRAFT).signed
        what = f"the card, by the targets keys of root {governing.version}"
        found.append(_requirement(governing, TrustRole.TARGETS, targets, what, needed=True))
        if set(base.roles["targets"].keyids) != set(governing.roles["targets"].keyids):
            what = f"the card, by the targets keys of root {base.version}, for readers who come just then"
            found.append(_requirement(base, TrustRole.TARGETS, targets, what, needed=False))
    return found


def holder_of(key: Key) -> Holder:
    """How people know a key of a root."""
    name = str(key.unrecognized_fields.get(HOLDER, ""))[:80]
    identity = key_identity(key, where=DRAFT)
    return Holder(key.keyid, name if name.isprintable() else ascii(name), hashlib.sha256(identity).hexdigest())


def card_of_draft(draft: Draft, data: bytes | None) -> Card | None:
    """Parse one of the cards of a draft; CardError."""
    return None if data is None else parse_card(data, member=draft.member, url=draft.url)


def _requirement(root: Any, role: TrustRole, metadata: Metadata[Any], what: str, *, needed: bool) -> Requirement:
    result = root.get_verification_result(role.value, metadata.signed_bytes, metadata.signatures)
    # Distinct keys, whatever their ids: as readers count them.
    signed = {holder.fingerprint: holder for holder in map(holder_of, result.signed.values())}
    missing = {holder.fingerprint: holder for holder in map(holder_of, result.unsigned.values())}
    return Requirement(
        role,
        what,
        result.threshold,
        tuple(signed.values()),
        tuple(holder for fingerprint, holder in missing.items() if fingerprint not in signed),
        needed,
    )


def _check(draft: Draft, where: str) -> None:
    base = load_root(draft.base, where=f"{where}: base").signed
    if draft.root is None and draft.targets is None:
        _refuse("there is nothing to sign in it", where)
    if draft.root is not None:
        root = load_root(draft.root, where=f"{where}: root")
        if root.signed.version != base.version + 1:
            _refuse(f"root {root.signed.version} cannot follow root {base.version}", where)
        _check_signatures(root, (base, root.signed), TrustRole.ROOT, where)
    if (draft.targets is None) != (draft.card is None):
        _refuse("a card and its targets metadata belong together, and one of them is missing", where)
    if draft.targets is not None and draft.card is not None:
        version_of(TrustRole.TARGETS, draft.targets, where=f"{where}: targets")
        if card_of(draft.targets, where=where) != card_file(hashlib.sha256(draft.card).hexdigest()):
            _refuse("the targets metadata name another card than the one in the draft", where)
        governing = load_root(draft.governing_root, where=where).signed
        _check_signatures(load(draft.targets, where=where), (base, governing), TrustRole.TARGETS, where)
    card_of_draft(draft, draft.card_before)
    card = card_of_draft(draft, draft.card or draft.card_before)
    if card is not None:
        check_rows(draft.governing_root, card, where=where)


def _check_signatures(metadata: Metadata[Any], roots: tuple[Any, ...], role: TrustRole, where: str) -> None:
    """Every signature in a draft is by a key that may sign, and right: whatever else is there was put in on the way."""
    valid: set[str] = set()
    for root in roots:
        valid |= set(root.get_verification_result(role.value, metadata.signed_bytes, metadata.signatures).signed)
    known = {key_id for root in roots for key_id in root.roles[role.value].keyids}
    for key_id in metadata.signatures:
        if key_id not in known:
            _refuse(f"a stranger's key has signed {role.value} ({key_id[:16]!a})", where)
        if key_id not in valid:
            _refuse(f"the signature of key {key_id[:16]} does not fit {role.value}: one of the two was changed", where)


def _signed_part(data: bytes | None, name: str) -> bytes | None:
    """What signatures cover of metadata that is being signed; other parts are taken as they are."""
    if data is None or name not in {"root", "targets"}:
        return data
    return load(data, where=DRAFT).signed_bytes


def _bytes(value: object, name: str, where: str) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except binascii.Error as error:
        raise TrustError(f"{name} is no base64", where=where, mend=_MEND) from error


def _refuse(what: str, where: str) -> NoReturn:
    raise TrustError(what, where=where, mend=_MEND)


def fingerprint_of(draft: Draft) -> str:
    """``N:sha256:HEX`` of the root in force, as peers have pinned it or could."""
    return root_fingerprint(draft.base)
