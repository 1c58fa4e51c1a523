"""The packed form of claims: who lists a signal, and where it says so.

A claim is 8 bytes, big-endian: the log's local number (3), the entry's index (4), and one byte of which the lower seven
bits are the quality (127 where the type has none) and the highest says that the listing has expired. The claims of one
signal stand sorted and without separators, so that a row of a database holds them all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hashpact_protocol.policy import Decision, decide
from hashpact_protocol.signals import SIGNAL_TYPES

CLAIM_BYTES = 8
NO_QUALITY = 127
EXPIRED = 0x80
QUALITY_MIN = SIGNAL_TYPES["pdq"].quality_min or 0
LOG_NUMBER_MAX = 2**24 - 1

_CLAIM = struct.Struct(">IIB")


class Place(NamedTuple):
    """Where an entry stands: the log's local number and the index in it."""

    log: int
    position: int


class Claim(NamedTuple):
    """One listing's claim of one signal."""

    log: int
    position: int
    quality: int | None
    expired: bool


def pack_claim(log: int, position: int, quality: int | None) -> bytes:
    """Pack one claim into its 8 bytes; raises struct.error for numbers beyond their width."""
    return _CLAIM.pack(log, position, NO_QUALITY if quality is None else quality)[1:]


def unpack_claims(data: bytes) -> list[Claim]:
    """Unpack the claims of one signal, in order of log and index."""
    padded = b"".join(b"\0" + data[at : at + CLAIM_BYTES] for at in range(0, len(data), CLAIM_BYTES))
    return [
        Claim(log, position, None if last & NO_QUALITY == NO_QUALITY else last & NO_QUALITY, bool(last & EXPIRED))
        for log, position, last in _CLAIM.iter_unpack(padded)
    ]


def join_claims(data: bytes, *, add: bytes = b"", remove: Iterable[Place] = (), expire: Iterable[Place] = ()) -> bytes:
    """Give the sorted claims with packed ones added, those of some places removed, and those of others marked expired.

    A place claims a signal once; where a claim is added for a place that stands already, the added one counts.
    """
    stand = _by_place(data)
    for place in remove:
        stand.pop(_place_bytes(place), None)
    stand.update(_by_place(add))
    for place in expire:
        name = _place_bytes(place)
        if name in stand:
            stand[name] = name + bytes([stand[name][-1] | EXPIRED])
    return b"".join(sorted(stand.values()))


def claim_counts(last_byte: int) -> bool:
    """Say by a claim's last byte whether it counts towards an action: not expired, and good enough to be matched."""
    return last_byte >= QUALITY_MIN and not last_byte & EXPIRED


def decide_claims(data: bytes, members: Mapping[int, int], own: int) -> Decision:
    """Give the default action of a signal from its packed claims.

    ``members`` maps logs to their members, both by local number; ``own`` is this company's member number.
    """
    listing: set[int] = set()
    for at in range(0, len(data), CLAIM_BYTES):
        if claim_counts(data[at + CLAIM_BYTES - 1]):
            listing.add(members[int.from_bytes(data[at : at + 3], "big")])
    return decide(own=own in listing, members=len(listing), claimed=bool(data))


def publishers(data: bytes, members: Mapping[int, int]) -> frozenset[int]:
    """Give the members, by local number, that claim a signal, those whose listings have expired included."""
    return frozenset(members[int.from_bytes(data[at : at + 3], "big")] for at in range(0, len(data), CLAIM_BYTES))


def _place_bytes(place: Place) -> bytes:
    return _CLAIM.pack(place.log, place.position, 0)[1:-1]


def _by_place(data: bytes) -> dict[bytes, bytes]:
    steps = range(0, len(data), CLAIM_BYTES)
    return {data[at : at + CLAIM_BYTES - 1]: data[at : at + CLAIM_BYTES] for at in steps}
