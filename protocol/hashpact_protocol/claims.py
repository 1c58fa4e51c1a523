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
from hashpact_protocol.signals import QUALITY_MAX, SIGNAL_TYPES

CLAIM_BYTES = 8
NO_QUALITY = 127
EXPIRED = 0x80
QUALITY_MIN = SIGNAL_TYPES["pdq"].quality_min or 0
LOG_NUMBER_MAX = 2**24 - 1

QUALITY_BYTE: Mapping[int | None, bytes] = {
    None: bytes([NO_QUALITY]),
    **{quality: bytes([quality]) for quality in range(QUALITY_MAX + 1)},
}
"""The last byte of a claim that has not expired, by its quality."""

_PLACE = struct.Struct(">BHI")
_CLAIM = struct.Struct(">BHIB")


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


def pack_place(log: int, position: int) -> bytes:
    """Give the 7 bytes with which the claims of one entry begin; raises struct.error for numbers beyond their width."""
    return _PLACE.pack(log >> 16, log & 0xFFFF, position)


def pack_claim(log: int, position: int, quality: int | None) -> bytes:
    """Pack one claim into its 8 bytes; raises struct.error for numbers beyond their width, KeyError for a quality."""
    return pack_place(log, position) + QUALITY_BYTE[quality]


def unpack_claims(data: bytes) -> list[Claim]:
    """Unpack the claims of one signal, in order of log and index; raises struct.error unless they are 8 bytes each."""
    return [
        Claim(
            high << 16 | low,
            position,
            None if last & NO_QUALITY == NO_QUALITY else last & NO_QUALITY,
            bool(last & EXPIRED),
        )
        for high, low, position, last in _CLAIM.iter_unpack(data)
    ]


def join_claims(data: bytes, *, add: bytes = b"", remove: Iterable[Place] = (), expire: Iterable[Place] = ()) -> bytes:
    """Give the sorted claims with packed ones added, those of some places removed, and those of others marked expired.

    A place claims a signal once; where a claim is added for a place that stands already, the added one counts.
    """
    stand = _by_place(data)
    for place in remove:
        stand.pop(pack_place(*place), None)
    stand.update(_by_place(add))
    for place in expire:
        name = pack_place(*place)
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


def _by_place(data: bytes) -> dict[bytes, bytes]:
    steps = range(0, len(data), CLAIM_BYTES)
    return {data[at : at + CLAIM_BYTES - 1]: data[at : at + CLAIM_BYTES] for at in steps}
