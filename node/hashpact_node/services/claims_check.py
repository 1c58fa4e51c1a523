"""Compare the claims that stand with those that should, in little memory."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hashpact_node.store.signals import SignalChange, SignalRow
from hashpact_protocol.claims import CLAIM_BYTES, Place

PLACE_BYTES = CLAIM_BYTES - 1
LOG_BYTES = 3


class ClaimSet:
    """Which signals are rightly claimed at which places, as 8 bytes a claim, however long the keys are.

    It may take one claim in 2^64 for one that was added, which leaves a wrong one standing, and removes no right one.
    """

    def __init__(self) -> None:
        self._added: array[int] = array("Q")
        self._sorted: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)

    def add(self, key: bytes, place: bytes) -> None:
        """Add a signal's key and the packed place of a claim of it."""
        self._added.append(_fingerprint(key, place))

    def lacks(self, claims: Sequence[tuple[bytes, bytes]]) -> list[int]:
        """Give which of these (key, packed place) were not added, by their index."""
        if len(self._sorted) != len(self._added):
            self._sorted = np.sort(np.array(self._added, dtype=np.uint64))
        asked = np.array([_fingerprint(*claim) for claim in claims], dtype=np.uint64)
        at = np.searchsorted(self._sorted, asked)
        inside = at < len(self._sorted)
        found = np.zeros(len(asked), dtype=bool)
        found[inside] = self._sorted[at[inside]] == asked[inside]
        return [int(index) for index in np.flatnonzero(~found)]


def missing_claims(standing: Mapping[bytes, bytes], right: Mapping[bytes, bytes]) -> dict[bytes, SignalChange]:
    """Give what has to be added, or said otherwise, to the packed claims that stand so that those of ``right`` do."""
    changes: dict[bytes, SignalChange] = {}
    for key, claims in right.items():
        found = standing.get(key, b"")
        if found == claims:
            continue
        others = set(_split(found))
        wrong = [claim for claim in _split(claims) if claim not in others]
        if wrong:
            places = {claim[:PLACE_BYTES] for claim in others}
            new = any(claim[:PLACE_BYTES] not in places for claim in wrong)
            changes[key] = SignalChange(add=b"".join(wrong), relabelled=new)
    return changes


def surplus_claims(rows: Sequence[SignalRow], logs: Collection[int], right: ClaimSet) -> dict[bytes, SignalChange]:
    """Give the removals of those claims of these logs that are not among the right ones."""
    names = {log.to_bytes(LOG_BYTES, "big") for log in logs}
    found = [
        (row.key, claim[:PLACE_BYTES]) for row in rows for claim in _split(row.claims) if claim[:LOG_BYTES] in names
    ]
    changes: dict[bytes, SignalChange] = {}
    for at in right.lacks(found):
        key, place = found[at]
        change = changes.setdefault(key, SignalChange(relabelled=True))
        change.remove.add(Place(int.from_bytes(place[:LOG_BYTES], "big"), int.from_bytes(place[LOG_BYTES:], "big")))
    return changes


def _fingerprint(key: bytes, place: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key + place, digest_size=8).digest(), "little")


def _split(claims: bytes) -> Iterator[bytes]:
    return (claims[at : at + CLAIM_BYTES] for at in range(0, len(claims), CLAIM_BYTES))
