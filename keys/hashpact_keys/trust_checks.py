"""What must hold of a trust repository beyond what TUF's own client checks (docs/protocol.md, Trust).

python-tuf counts key ids, so that one key under two ids, or one P-256 key in two PEM spellings, meets a threshold of
two; and it does not know that one key serves one row. Keys are compared here by what they are, never by their names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.signer import Key  # type: ignore[attr-defined]  # it has no __all__; a documented name
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root  # type: ignore[attr-defined]  # it has no __all__; documented names

from hashpact_keys.rows import TrustRole, row_of_role
from hashpact_keys.trust_form import check_form
from hashpact_protocol.card import Card
from hashpact_protocol.errors import TrustError

_MEND: Final = "ask the member what happened; until it is mended the last verified state stays in force"


def check_root(data: bytes, previous: bytes | None, *, where: str) -> None:
    """Check a root: its form, its version, distinct signers by its own and the previous root's word, and its rows.

    ``previous`` is the trusted root before it, or ``None`` for a root that was pinned out of band.

    Raises:
        TrustError: it must not be trusted.
    """
    root = load_root(data, where=where)
    if previous is not None:
        trusted = load_root(previous, where=where)
        if root.signed.version != trusted.signed.version + 1:
            _refuse(f"root {root.signed.version} cannot follow root {trusted.signed.version}", where)
        check_signers(trusted, TrustRole.ROOT, root, where=where)
    check_signers(root, TrustRole.ROOT, root, where=where)
    _check_disjoint(root_rows(root.signed, where), where)


def check_role(root: bytes, role: TrustRole, data: bytes, *, where: str) -> None:
    """Check timestamp, snapshot or targets: the form, and distinct signers by the word of ``root``.

    Raises:
        TrustError: it must not be trusted.
    """
    check_form(role, data, where=where)
    check_signers(load_root(root, where=where), role, load(data, where=where), where=where)


def check_snapshot(timestamp: bytes, snapshot: bytes, *, where: str) -> None:
    """The snapshot is the one that the timestamp names, byte for byte; both have their form.

    python-tuf does not compare the hash of a snapshot that it holds already, so that a second one of the same version
    would pass unseen.

    Raises:
        TrustError: it is another one.
    """
    named = check_form(TrustRole.TIMESTAMP, timestamp, where=where)["meta"]["snapshot.json"]
    if named["hashes"]["sha256"] != hashlib.sha256(snapshot).hexdigest():
        _refuse("the timestamp names another snapshot of the same version than the one that was shown before", where)


def check_signers(root: Metadata[Root], role: TrustRole, metadata: Metadata[Any], *, where: str) -> None:
    """As many distinct public keys as the threshold says have signed ``metadata`` for ``role``.

    Raises:
        TrustError: too few have.
    """
    try:
        payload = metadata.signed_bytes
    except RepositoryError as error:
        raise TrustError("TUF cannot write this metadata as it is signed", where=where, mend=_MEND) from error
    result = root.signed.get_verification_result(role.value, payload, metadata.signatures)
    signers = {key_identity(key, where=where) for key in result.signed.values()}
    if len(signers) < result.threshold:
        _refuse(f"{role.value} is signed by {len(signers)} different keys of the {result.threshold} it needs", where)


def check_rows(root: bytes, card: Card, *, where: str) -> None:
    """No key serves two rows, across the trust repository and the card (docs/protocol.md, Trust: rows of keys).

    Raises:
        TrustError: one does.
    """
    rows = root_rows(load_root(root, where=where).signed, where)
    card_rows = ((row, ed25519_identity(public, where)) for row, public in card.public_keys())
    _check_disjoint(chain(rows, card_rows), where)


def key_identity(key: Key, *, where: str) -> bytes:
    """What a public key is, however it is spelled: its SubjectPublicKeyInfo (RFC 5280) in DER.

    Raises:
        TrustError: it is no key of its type.
    """
    text = str(key.keyval.get("public"))
    if key.keytype == "ed25519":
        try:
            return ed25519_identity(bytes.fromhex(text), where)
        except ValueError as error:
            raise TrustError("a key is no Ed25519 key", where=where, mend=_MEND) from error
    try:
        public = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError("a key is no ECDSA key", where=where, mend=_MEND) from error
    if not isinstance(public, EllipticCurvePublicKey):
        _refuse("a key is no ECDSA key", where)
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def load_root(data: bytes, *, where: str) -> Metadata[Root]:
    """Parse a root whose form is checked first.

    Raises:
        TrustError: it is none.
    """
    check_form(TrustRole.ROOT, data, where=where)
    root: Metadata[Root] = load(data, where=where)
    return root


def load(data: bytes, *, where: str) -> Metadata[Any]:
    """Parse metadata of any role.

    Raises:
        TrustError: TUF cannot read it.
    """
    try:
        return Metadata.from_bytes(data)
    except RepositoryError as error:
        # What it quotes is the peer's, so it is shown escaped and short.
        reason = ascii(str(error.__cause__))[:120]
        raise TrustError(f"TUF cannot read this metadata: {reason}", where=where, mend=_MEND) from error


def ed25519_identity(public: bytes, where: str) -> bytes:
    """What a key of a card, 32 bytes, is by :func:`key_identity`'s measure.

    Raises:
        TrustError: it is no Ed25519 key.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(public)
    except ValueError as error:
        raise TrustError("a key is no Ed25519 key", where=where, mend=_MEND) from error
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def root_rows(root: Root, where: str) -> Iterator[tuple[str, bytes]]:
    """Each key that a root gives to a role, with its row; a key id without a key can never sign and is passed over.

    Raises:
        TrustError: a key is none of its type.
    """
    for role in TrustRole:
        for key_id in root.roles[role.value].keyids:
            if key_id in root.keys:
                yield row_of_role(role).value, key_identity(root.keys[key_id], where=where)


def _check_disjoint(rows: Iterable[tuple[str, bytes]], where: str) -> None:
    seen: dict[bytes, str] = {}
    for row, identity in rows:
        if seen.setdefault(identity, row) != row:
            _refuse(f"one key serves as {seen[identity]} key and as {row} key", where)


def _refuse(what: str, where: str) -> NoReturn:
    raise TrustError(what, where=where, mend=_MEND)
