"""Public keys in their forms: ``cryptography``'s objects, securesystemslib's keys, PEM files.

Ed25519, ECDSA P-256 and ECDSA P-384 are the kinds that Hashpact signs with; any other is refused here, in words.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    Key,
    Signature,
    SSlibKey,
)

from hashpact_keys.kinds import KeyKind
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey

PEM_MAX_BYTES: Final = 4_096

_CURVES: Final = (SECP256R1, SECP384R1)
_KINDS: Final = "Ed25519, ECDSA P-256 and ECDSA P-384 keys can be used, no others"


def new_private_key(kind: KeyKind) -> PrivateKey:
    """Make a new key of a kind."""
    if kind is KeyKind.ED25519:
        return Ed25519PrivateKey.generate()
    return generate_private_key(SECP256R1() if kind is KeyKind.P256 else SECP384R1())


def check_kind(public: object, *, where: str) -> PublicKey:
    """Give a public key of a kind that can be used; KeyUnavailableError for any other."""
    if isinstance(public, Ed25519PublicKey):
        return public
    if isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, _CURVES):
        return public
    raise KeyUnavailableError("this is a key of another kind", where=where, mend=_KINDS)


def kind_of(key: Key, *, where: str) -> KeyKind:
    """The kind of a securesystemslib key; KeyUnavailableError for one that cannot be used."""
    public = crypto_key(key, where=where)
    if isinstance(public, Ed25519PublicKey):
        return KeyKind.ED25519
    return KeyKind.P256 if isinstance(public.curve, SECP256R1) else KeyKind.P384


def tuf_key(public: PublicKey) -> Key:
    """A public key as TUF metadata name it; the key id follows from the key alone."""
    return SSlibKey.from_crypto(public)


def crypto_key(key: Key, *, where: str) -> PublicKey:
    """The public key in a securesystemslib key, whose form is checked.

    Raises:
        KeyUnavailableError: damaged, or of another kind.
    """
    text = str(key.keyval.get("public"))
    try:
        if key.keytype == "ed25519":
            return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
        return check_kind(load_pem_public_key(text.encode()), where=where)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnavailableError("this public key is damaged", where=where, mend="get it again") from error


def note_public(key: Key, *, where: str) -> bytes:
    """The 32 bytes of an Ed25519 key, which rows of notes and requests need.

    Raises:
        ConfigurationError: a key of another kind.
    """
    public = crypto_key(key, where=where)
    if isinstance(public, Ed25519PublicKey):
        return public.public_bytes_raw()
    raise ConfigurationError(
        f"this is an {kind_of(key, where=where).words} key, and the rows release, crisis, witness and request take "
        "Ed25519 keys only: C2SP signed notes know no other",
        where=where,
        mend="use a key file, or a device or service that has Ed25519, for this row",
    )


def check_signature(key: Key, signature: Signature, payload: bytes, *, where: str) -> None:
    """Raise KeyUnavailableError when what a device or a service signed does not verify with the key that it shows."""
    try:
        key.verify_signature(signature, payload)
    except UnverifiedSignatureError as error:
        raise KeyUnavailableError(
            "what this key signs does not verify with the public key that is shown for it",
            where=where,
            mend="see that both halves belong together: on a token, one label and one id for one pair of keys",
        ) from error


def public_pem(key: Key) -> bytes:
    """A public key in PEM (SubjectPublicKeyInfo, RFC 7468), as ``openssl`` reads it.

    Raises:
        KeyUnavailableError: the key is damaged, or of a kind that cannot be used.
    """
    return crypto_key(key, where=key.keyid).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_from_pem(data: bytes, *, where: str) -> Key:
    """The key in a PEM file (SubjectPublicKeyInfo, RFC 7468); what stands around it in the file is not heeded.

    Raises:
        KeyUnavailableError: no public key in PEM, a private one, or a kind that cannot be used.
    """
    if len(data) > PEM_MAX_BYTES:
        raise KeyUnavailableError(f"longer than {PEM_MAX_BYTES} bytes", where=where, mend=_PEM_MEND)
    if b"PRIVATE KEY" in data:
        raise KeyUnavailableError("this is a private key, which nobody else may have", where=where, mend=_PEM_MEND)
    try:
        public = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnavailableError("this is no public key in PEM", where=where, mend=_PEM_MEND) from error
    return tuf_key(check_kind(public, where=where))


def fingerprint(key: Key) -> str:
    """The SHA-256 of a public key's SubjectPublicKeyInfo in DER, lower-case hex, for people to compare.

    Raises:
        KeyUnavailableError: the key is damaged, or of a kind that cannot be used.
    """
    public = crypto_key(key, where=key.keyid)
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


_PEM_MEND: Final = "give the file that 'hashpact keys public URI --out FILE' wrote"
