"""Which 32 bytes are taken for an Ed25519 public key (RFC 8032, section 5.1.2; docs/protocol.md, Keys).

For a point of small order there are signatures that hold over many or all messages and that anybody can make, so that
whoever knows that a card lists such a key could sign as its member. And a point that is written in two ways is one key
that looks like two.
"""

from __future__ import annotations

from hashpact_protocol.errors import NoteError

PUBLIC_KEY_BYTES = 32
_PRIME = 2**255 - 19
_SIGN_BIT = 2**255
# Of the points of order 8, where x^2 = -y^2 and so d * y^4 + 2 * y^2 = 1.
_ORDER_8_Y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y = frozenset({0, 1, _PRIME - 1, _ORDER_8_Y, _PRIME - _ORDER_8_Y})


def check_public_key(public: bytes) -> None:
    """Raise NoteError unless ``public`` may be somebody's Ed25519 public key.

    Refused are other lengths than 32 bytes, the eight points of small order in every encoding, and encodings that are
    not canonical: y of p or more, and the sign bit where x is 0, which only points of small order have. Whether the
    point lies on the curve is not asked: with a key that does not, nothing verifies.
    """
    if len(public) != PUBLIC_KEY_BYTES:
        raise NoteError(f"an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, not {len(public)}")
    y = int.from_bytes(public, "little") % _SIGN_BIT
    if y % _PRIME in _SMALL_ORDER_Y:
        raise NoteError("an Ed25519 public key of small order, with which anybody can sign", mend="make a new key")
    if y >= _PRIME:
        raise NoteError("an Ed25519 public key that is not in canonical form", mend="write y below 2**255 - 19")
