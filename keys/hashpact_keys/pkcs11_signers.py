"""Keys on tokens: find them, sign with them, make them (PKCS#11 3.0, sections 6.3 and 6.5)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import pkcs11
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pkcs11 import exceptions as failures
from pkcs11 import types
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    Key,
    SecretsHandler,
    Signature,
    Signer,
)

from hashpact_keys.key_forms import PublicKey, check_signature, kind_of, tuf_key
from hashpact_keys.kinds import KeyKind
from hashpact_keys.pkcs11_token import Login, module_of
from hashpact_keys.pkcs11_uri import Pkcs11Uri, parse_pkcs11_uri
from hashpact_protocol.errors import ConflictError, KeyUnavailableError

_P256: Final = bytes.fromhex("06082a8648ce3d030107")
_P384: Final = bytes.fromhex("06052b81040022")
_ED25519: Final = bytes.fromhex("06032b6570")
_ED25519_BY_NAME: Final = b"\x13\x0cedwards25519"
"""CKA_EC_PARAMS: object identifiers of the curves (RFC 5480, RFC 8410), and the name that PKCS#11 also allows."""

_CURVES: Final = {_P256: SECP256R1(), _P384: SECP384R1()}
_PARAMETERS: Final = {
    KeyKind.ED25519: (_ED25519, _ED25519_BY_NAME),
    KeyKind.P256: (_P256,),
    KeyKind.P384: (_P384,),
}
_DIGESTS: Final = {KeyKind.P256: hashes.SHA256(), KeyKind.P384: hashes.SHA384()}
_PUBLIC: Final = pkcs11.ObjectClass.PUBLIC_KEY
_PRIVATE: Final = pkcs11.ObjectClass.PRIVATE_KEY
_KEY_TYPES: Final = (pkcs11.KeyType.EC, pkcs11.KeyType.EC_EDWARDS)
_ID_BYTES: Final = 16
_MAKE: Final = "make an Ed25519, ECDSA P-256 or ECDSA P-384 key: hashpact keys generate URI"


class TokenSigner(Signer):
    """Signs with a private key that stays on its token; ``pin`` is asked when the token first wants it."""

    def __init__(self, uri: Pkcs11Uri, public: Key, pin: Callable[[], str]) -> None:
        self._uri = uri
        self._public = public
        self._kind = kind_of(public, where=uri.text)
        self._pin = pin
        self._module = module_of(uri)
        self._module.signed_in(uri, pin, self._private)  # a wrong PIN, or a key that is not there, is told now

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> TokenSigner:
        """Open a signer as securesystemslib does it; raises ConfigurationError and KeyUnavailableError."""
        uri = parse_pkcs11_uri(priv_key_uri)
        if secrets_handler is None:
            raise KeyUnavailableError("nobody is there to give the PIN", where=uri.token_name)
        return cls(uri, public_key, lambda: secrets_handler("PIN"))

    @property
    def public_key(self) -> Key:
        """The public half."""
        return self._public

    def sign(self, payload: bytes) -> Signature:
        """Sign; what the token gives is verified first.

        Raises:
            KeyUnavailableError: the token is away, wants another PIN, or signs with another key.
        """
        raw = self._module.signed_in(self._uri, self._pin, lambda login: self._raw(login, payload))
        signature = Signature(self._public.keyid, raw.hex())
        check_signature(self._public, signature, payload, where=self._uri.text)
        return signature

    def _raw(self, login: Login, payload: bytes) -> bytes:
        key = self._private(login)
        if self._kind is KeyKind.ED25519:
            return bytes(key.sign(payload, mechanism=pkcs11.Mechanism.EDDSA))
        hasher = hashes.Hash(_DIGESTS[self._kind])
        hasher.update(payload)
        raw = key.sign(hasher.finalize(), mechanism=pkcs11.Mechanism.ECDSA)
        half = len(raw) // 2  # r and s, one after the other (PKCS#11 3.0, section 6.3.1); TUF wants them in DER
        return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))

    def _private(self, login: Login) -> types.SignMixin:
        place = (self._uri.object, self._uri.id)
        if place not in login.keys:
            key = _find(login.session, self._uri, _PRIVATE)
            if not isinstance(key, types.SignMixin):
                raise KeyUnavailableError("the token lets nobody sign with this key", where=self._uri.text, mend=_MAKE)
            login.keys[place] = key
        return login.keys[place]


def open_token_signer(text: str, pin: Callable[[Pkcs11Uri], str]) -> TokenSigner:
    """The signer that a ``pkcs11:`` URI names.

    Raises:
        ConfigurationError: the URI is not understood.
        KeyUnavailableError: no module, no token, a wrong PIN, no key, two keys, or a key of another kind.
    """
    uri = parse_pkcs11_uri(text)
    return TokenSigner(uri, token_public_key(text, pin), lambda: pin(uri))


def token_public_key(text: str, pin: Callable[[Pkcs11Uri], str]) -> Key:
    """The public key that a ``pkcs11:`` URI names; a PIN is asked only where the token hides public keys without.

    Raises what ``open_token_signer`` raises.
    """
    uri = parse_pkcs11_uri(text)
    module = module_of(uri)

    def look(session: types.Session) -> PublicKey:
        return _public(_find(session, uri, _PUBLIC), uri)

    seen = module.looking(uri, lambda session: look(session) if _objects(session, uri, _PUBLIC) else None)
    return tuf_key(seen or module.signed_in(uri, lambda: pin(uri), lambda login: look(login.session)))


def generate_on_token(text: str, pin: Callable[[Pkcs11Uri], str], kind: KeyKind) -> Key:
    """Make a key pair on a token, whose private half cannot leave it, and give its public half.

    Raises:
        ConfigurationError: the URI is not understood.
        ConflictError: there is a key of this label or id already.
        KeyUnavailableError: no module, no token, a wrong PIN, or a token that cannot make such keys.
    """
    uri = parse_pkcs11_uri(text)
    return tuf_key(module_of(uri).changing(uri, lambda: pin(uri), lambda session: _generate(session, uri, kind)))


def _generate(session: types.Session, uri: Pkcs11Uri, kind: KeyKind) -> PublicKey:
    if _objects(session, uri, _PUBLIC) or _objects(session, uri, _PRIVATE):
        raise ConflictError(
            "there is a key here already, and a key is never overwritten",
            where=uri.text,
            mend="use it, or give another object= or id=",
        )
    edwards = kind is KeyKind.ED25519
    key_type = pkcs11.KeyType.EC_EDWARDS if edwards else pkcs11.KeyType.EC
    mechanism = pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN if edwards else pkcs11.Mechanism.EC_KEY_PAIR_GEN
    *others, last = _PARAMETERS[kind]
    for parameters in (*others, last):
        domain = session.create_domain_parameters(key_type, {pkcs11.Attribute.EC_PARAMS: parameters}, local=True)
        try:
            public, _private = domain.generate_keypair(
                id=uri.id or secrets.token_bytes(_ID_BYTES),
                label=uri.object,
                store=True,
                capabilities=pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
                mechanism=mechanism,
                public_template={pkcs11.Attribute.PRIVATE: False},
                private_template={
                    pkcs11.Attribute.PRIVATE: True,
                    pkcs11.Attribute.SENSITIVE: True,
                    pkcs11.Attribute.EXTRACTABLE: False,
                },
            )
        except (failures.DomainParamsInvalid, failures.AttributeValueInvalid, failures.TemplateInconsistent):
            if parameters is last:
                raise
        else:
            return _public(public, uri)
    raise AssertionError(kind)


def _objects(session: types.Session, uri: Pkcs11Uri, kind: pkcs11.ObjectClass) -> list[types.Object]:
    wanted = {pkcs11.Attribute.CLASS: kind, pkcs11.Attribute.LABEL: uri.object, pkcs11.Attribute.ID: uri.id}
    return list(session.get_objects({name: value for name, value in wanted.items() if value is not None}))


def _find(session: types.Session, uri: Pkcs11Uri, kind: pkcs11.ObjectClass) -> types.Key:
    half = "private" if kind is _PRIVATE else "public"
    found = _objects(session, uri, kind)
    if not found:
        raise KeyUnavailableError(
            f"this {half} key is not on the token",
            where=uri.text,
            mend="check object and id, or make it: hashpact keys generate URI",
        )
    if len(found) > 1:
        raise KeyUnavailableError(
            f"{len(found)} {half} keys match", where=uri.text, mend="say which: add id= or object= to the URI"
        )
    key = found[0]
    if not isinstance(key, types.Key) or key.key_type not in _KEY_TYPES:
        raise KeyUnavailableError("this is a key of another kind", where=uri.text, mend=_MAKE)
    return key


def _public(key: types.Key, uri: Pkcs11Uri) -> PublicKey:
    """A public object as a key; its point is an OCTET STRING in DER, or bare where a token keeps to older rules."""
    parameters, point = bytes(key[pkcs11.Attribute.EC_PARAMS]), bytes(key[pkcs11.Attribute.EC_POINT])
    try:
        if parameters in {_ED25519, _ED25519_BY_NAME}:
            return Ed25519PublicKey.from_public_bytes(_unwrapped(point, 32))
        if parameters in _CURVES:
            curve = _CURVES[parameters]
            return EllipticCurvePublicKey.from_encoded_point(curve, _unwrapped(point, 1 + 2 * curve.key_size // 8))
    except ValueError as error:
        raise KeyUnavailableError("the token shows a public key that is none", where=uri.text, mend=_MAKE) from error
    raise KeyUnavailableError("this is a key on another curve", where=uri.text, mend=_MAKE)


def _unwrapped(point: bytes, length: int) -> bytes:
    return point[2:] if len(point) == length + 2 and point[:2] == bytes([4, length]) else point
