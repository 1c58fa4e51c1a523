"""Near-duplicate search by a plain scan: every PDQ hash in one numpy array, compared with each query.

The index proposes; the database disposes. A key may stand here twice, or be claimed no more: whoever asks looks the
hits up. So the index only ever appends, and is made anew from the database when a node starts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PDQ_BYTES = 32
KEY_BYTES = 1 + PDQ_BYTES
SCAN_ROWS = 65_536
"""How many rows are compared at once: what is between two steps stays in the processor's cache."""


class Hit(NamedTuple):
    """A key that lies within the distance asked for, in bits."""

    key: bytes
    distance: int


class ScanIndex:
    """All PDQ hashes that were ever claimed with a sufficient quality; safe to be used by several threads."""

    def __init__(self, code: int) -> None:
        """Make an empty index; ``code`` is the byte with which the compact keys of PDQ begin."""
        self._code = bytes([code])
        self._words: NDArray[np.uint64] = np.empty((0, PDQ_BYTES // 8), dtype=np.uint64)
        self._size = 0
        self._growing = threading.Lock()

    def __len__(self) -> int:
        return self._size

    def add(self, keys: Iterable[bytes]) -> None:
        """Append the compact keys that are of PDQ; others are passed over."""
        values = [key[1:] for key in keys if key[:1] == self._code and len(key) == KEY_BYTES]
        if not values:
            return
        new = np.frombuffer(b"".join(values), dtype=np.uint64).reshape(-1, PDQ_BYTES // 8)
        with self._growing:
            self._reserve(self._size + len(new))
            self._words[self._size : self._size + len(new)] = new
            self._size += len(new)

    def search(self, value: bytes, max_distance: int) -> list[Hit]:
        """Give the keys within ``max_distance`` bits of a PDQ hash, the nearest first, each once.

        ``value`` is its 32 bytes; raises ValueError if they are more or fewer.
        """
        query = np.frombuffer(value, dtype=np.uint64).reshape(PDQ_BYTES // 8)
        size = self._size  # read first: an array that is replaced meanwhile holds at least as much
        words = self._words
        hits: set[Hit] = set()
        for start in range(0, size, SCAN_ROWS):
            rows = words[start : min(start + SCAN_ROWS, size)]
            distances = np.bitwise_count(rows ^ query).sum(axis=1, dtype=np.uint16)
            for at in np.flatnonzero(distances <= max_distance):
                hits.add(Hit(self._code + rows[at].tobytes(), int(distances[at])))
        return sorted(hits, key=lambda hit: (hit.distance, hit.key))

    def _reserve(self, size: int) -> None:
        if size <= len(self._words):
            return
        grown = np.empty((max(size, len(self._words) * 3 // 2, SCAN_ROWS), PDQ_BYTES // 8), dtype=np.uint64)
        grown[: self._size] = self._words[: self._size]
        self._words = grown
