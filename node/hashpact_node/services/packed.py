"""Large sets of packed claims: what they say, and which of them are shown, without unpacking them all.

One publisher can list one signal a hundred thousand times. Whoever asks about that signal is answered all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hashpact_protocol.claims import CLAIM_BYTES, EXPIRED, QUALITY_MIN

SHOWN_MAX: Final = 100
"""How many claims of one signal are shown; its labels are those of the claims shown."""

_FEW: Final = 64 * CLAIM_BYTES


def essence(claims: bytes) -> bytes:
    """Give claims that say the same of who lists a signal and how well, each thing once, and nothing of where.

    A few claims are given as they are, which is quicker.
    """
    if len(claims) <= _FEW:
        return claims
    table = _table(claims)
    faces = table[:, [0, 1, 2, CLAIM_BYTES - 1]].copy().view(">u4").ravel()
    distinct = np.unique(faces).astype(">u4").view(np.uint8).reshape(-1, 4)
    kept = np.zeros((len(distinct), CLAIM_BYTES), dtype=np.uint8)
    kept[:, :3] = distinct[:, :3]
    kept[:, -1] = distinct[:, 3]
    return kept.tobytes()


def matchable(claims: bytes) -> bytes:
    """Give those of the packed claims whose quality is sufficient to be matched."""
    table = _table(claims)
    return table[table[:, -1] & (0xFF ^ EXPIRED) >= QUALITY_MIN].tobytes()


def shown(claims: bytes, members: Mapping[int, int], most: int = SHOWN_MAX) -> bytes:
    """Give the claims that are shown, at most so many: all, or of each member its first and its last, then the rest.

    ``members`` maps logs to members. First and last are by log, then by index, as claims are sorted; what is given is
    sorted, too. So whoever floods a signal with listings takes nobody else's out of sight.
    """
    count = len(claims) // CLAIM_BYTES
    if count <= most:
        return claims
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for log, begins, ends in _runs(claims):
        first.setdefault(members[log], begins)
        last[members[log]] = ends
    picked = dict.fromkeys([*last.values(), *first.values(), *range(min(count, most))])
    places = sorted(list(picked)[:most])
    return b"".join(claims[at * CLAIM_BYTES : (at + 1) * CLAIM_BYTES] for at in places)


def shown_count(claims: bytes, most: int = SHOWN_MAX) -> int:
    """Say how many of the claims are shown."""
    return min(len(claims) // CLAIM_BYTES, most)


def _runs(claims: bytes) -> list[tuple[int, int, int]]:
    """Give (log, number of its first claim, number of its last) of each log, in order."""
    table = _table(claims)
    logs = table[:, 0].astype(np.uint32) << 16 | table[:, 1].astype(np.uint32) << 8 | table[:, 2]
    begins = np.flatnonzero(np.diff(logs, prepend=np.uint32(0xFFFFFFFF)))
    ends = np.append(begins[1:], len(logs)) - 1
    return [(int(logs[begin]), int(begin), int(end)) for begin, end in zip(begins, ends, strict=True)]


def _table(claims: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(claims, dtype=np.uint8).reshape(-1, CLAIM_BYTES)
