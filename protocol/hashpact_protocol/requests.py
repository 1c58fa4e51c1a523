"""Signed requests between nodes: what a signature covers, and when one counts (RFC 9421; docs/protocol.md, Requests).

Form and signature base are those of RFC 9421, read and built by ``http-message-signatures``. What it leaves open is
closed here: one signature a request, exactly these components, all of these parameters, times within a minute.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver
from http_message_signatures.algorithms import ED25519
from http_message_signatures.digests import ContentDigest
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from hashpact_protocol.errors import HashpactError, RequestError, SignatureError

LIFETIME_SECONDS: Final = 60
"""How long after its creation a signature expires, at most."""

SKEW_SECONDS: Final = 60
"""How far the clocks of two nodes may differ."""

TAG: Final = "hashpact"
LABEL: Final = "hashpact"
SIGNATURE_FIELDS: Final = ("signature-input", "signature", "content-digest")
"""The header fields of a signed request, in lower case; each of them occurs once at most."""

FIELD_MAX_BYTES: Final = 1_024
_BARE: Final = ("@method", "@authority", "@path", "@query")
_WITH_BODY: Final = (*_BARE, "content-digest")
_SAFE: Final = frozenset({"GET", "HEAD"})
_KEY_ID = re.compile(r"([a-z0-9][a-z0-9-]{1,62})/([!#-\[\]-~]{1,128})")
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_NOBODYS_KEY: Final = hashlib.sha256(b"hashpact: nobody's request key 0").digest()
"""A public key whose private key nobody knows: it is the hash of these words, and happens to be a point."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """Who signed a request: a member, by the id of a request key of its card.

    ``nonce`` is None for GET and HEAD; any other must be refused where this member's was seen before, and remembered
    until ``forget_at`` (Unix seconds), when the signature has expired even by a clock that is slow.
    """

    member: str
    key_id: str
    nonce: str | None
    forget_at: int


PublicKeys = Callable[[str, str], bytes | None]
"""Gives the public key (Ed25519, 32 bytes) of a member's request key that is valid now, by member and id; or None."""


@dataclass(slots=True)
class _Message:
    """A request as ``http-message-signatures`` wants one: ``url`` is the whole one, as both sides know it."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


def sign_request(
    method: str,
    url: str,
    body: bytes,
    *,
    member: str,
    key_id: str,
    created: int,
    nonce: str,
    sign: Callable[[bytes], bytes],
) -> dict[str, str]:
    """Give the header fields that sign a request: ``Signature-Input``, ``Signature``, and ``Content-Digest``.

    ``created`` is in Unix seconds; ``nonce`` (16 to 64 of ``A-Za-z0-9_-``) and ``body`` count for anything but GET and
    HEAD; ``sign`` gives the Ed25519 signature, 64 bytes, over the signature base. Raises RequestError for a URL that is
    none, such as one with a broken escape.
    """
    safe = method in _SAFE
    message = _Message(method, url)
    signer = HTTPMessageSigner(signature_algorithm=ED25519)
    try:
        prepared = signer.prepare(
            message,
            key_id=f"{member}/{key_id}",
            created=datetime.fromtimestamp(created, UTC),
            expires=datetime.fromtimestamp(created + LIFETIME_SECONDS, UTC),
            nonce=None if safe else nonce,
            label=LABEL,
            tag=TAG,
            covered_component_ids=_BARE,
            body=None if safe else body,
        )
    except HTTPMessageSignaturesException as error:
        raise RequestError(f"such a request cannot be signed: {error}", where=url[:200]) from None
    signer.apply(message, prepared, sign(prepared.signature_base))
    return message.headers


def check_request(
    method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes, *, keys: PublicKeys, now: int
) -> SignedRequest:
    """Check who signed a request that came with these header fields; names in lower case, ``now`` in Unix seconds.

    ``url`` is made of the public URL of whoever was asked, never of what the request says of it.

    Raises SignatureError when nobody did, or not as docs/protocol.md has it. That a nonce was seen before is for the
    caller to find out.
    """
    fields = _fields(headers)
    safe = method in _SAFE
    resolver = _Keys(keys)
    try:
        verifier = _Verifier(resolver, _BARE if safe else _WITH_BODY, now)
        (found,) = verifier.verify(_Message(method, url, fields))
        if not safe:
            ContentDigest.verify(fields["content-digest"], body)
    except HTTPMessageSignaturesException as error:
        if resolver.failed is not None:
            raise resolver.failed from None
        if isinstance(error.__cause__, InvalidSignature):
            raise _nobodys() from None
        raise SignatureError(f"the request is not signed as it should be: {error}") from None
    if resolver.is_unknown:
        raise _nobodys()
    return SignedRequest(*resolver.named, _nonce(found.parameters, safe=safe), verifier.forget_at)


def _fields(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Pick the fields that a signature is made of; each must be there once at most, and short."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name in SIGNATURE_FIELDS:
            bare = value.strip(" \t")  # what stands around a value is no part of it (RFC 9110, section 5.5)
            if name in found or len(bare) > FIELD_MAX_BYTES:
                raise SignatureError(f"there is more than one {name}, or it is too long")
            found[name] = bare
    if "signature-input" not in found or "signature" not in found:
        raise SignatureError("the request is not signed", mend="sign it with a request key of your member card")
    return found


class _Verifier(HTTPMessageVerifier):
    """Looks at what costs nothing before any key is looked up: what is covered, the tag, and times."""

    def __init__(self, keys: _Keys, components: tuple[str, ...], now: int) -> None:
        super().__init__(signature_algorithm=ED25519, key_resolver=keys)
        self._components = components
        self._now = now
        self.forget_at = 0

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:  # noqa: ARG002  as the library has it
        """Check what is signed; the library asks for it first of all."""
        if sorted(map(str, sig_input)) != sorted(f'"{name}"' for name in self._components):
            raise SignatureError(
                "the signature covers something else than what is signed of such a request",
                mend=f"cover {', '.join(self._components)}",
            )
        self.forget_at = _check_times(sig_input.params, self._now)


def _nobodys() -> SignatureError:
    """Give the error of a forgery and of an unknown key alike: who is known here is told to nobody."""
    return SignatureError(
        "no request key that counts here made this signature",
        mend="see whether the member that is asked follows yours, whether your card names the key, and whether what is "
        "signed is as docs/protocol.md has it (Requests)",
    )


class _Keys(HTTPSignatureKeyResolver):
    """Remembers whose key was asked for, and why it could not be looked up, which the verifier takes for a forgery."""

    def __init__(self, keys: PublicKeys) -> None:
        self._keys = keys
        self.named = ("", "")
        self.is_unknown = False
        self.failed: HashpactError | None = None

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        """Give the key that a signature names; nobody's where it is not known, so that a refusal takes as long."""
        self.named = _key_name(key_id)
        try:
            public = self._keys(*self.named)
        except HashpactError as error:
            self.failed = error
            raise
        self.is_unknown = public is None
        return Ed25519PublicKey.from_public_bytes(_NOBODYS_KEY if public is None else public)


def _key_name(key_id: str) -> tuple[str, str]:
    """Read ``member/id``; a member id holds no slash."""
    found = _KEY_ID.fullmatch(key_id)
    if found is None:
        raise HTTPMessageSignaturesException("the keyid is not a member's id, a slash, and the id of a request key")
    return found[1], found[2]


def _check_times(parameters: Mapping[str, int | str], now: int) -> int:
    """Check tag and times; give when the signature is over by any clock that differs no more than allowed."""
    if parameters.get("tag") != TAG:
        raise SignatureError("the signature was made for something else", mend=f'its tag must be "{TAG}"')
    created, expires = parameters.get("created"), parameters.get("expires")
    if not isinstance(created, int) or not isinstance(expires, int) or not 0 < expires - created <= LIFETIME_SECONDS:
        raise SignatureError(
            "the signature does not say when it was created, or that it expires within a minute",
            mend=f"give created, and expires at most {LIFETIME_SECONDS} s later",
        )
    if not created - SKEW_SECONDS <= now <= expires + SKEW_SECONDS:
        raise SignatureError(
            f"the signature was created at {created} and expires at {expires}, and here it is {now} (Unix seconds)",
            mend="set the clock right, on the side where it is wrong",
        )
    return expires + SKEW_SECONDS


def _nonce(parameters: Mapping[str, int | str], *, safe: bool) -> str | None:
    if safe:
        return None
    nonce = str(parameters.get("nonce", ""))
    if _NONCE.fullmatch(nonce) is None:
        raise SignatureError(
            "the signature has no nonce that such a request needs", mend="give 16 to 64 characters of A-Za-z0-9_-"
        )
    return nonce
