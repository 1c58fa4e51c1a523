"""The digest that members compare to know that they merged alike (docs/protocol.md, Digest)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from hashpact_protocol.errors import ConflictError


class BlocklistDigest:
    """Takes logs in order of their origin's bytes, and in each its winning listings in order of index."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._origin = b""
        self._index = -1
        self._size = 0

    def add_log(self, origin: str, size: int, root: bytes) -> None:
        """Begin a log: its origin, and the size and root of the prefix from which claims are taken.

        Raises ConflictError when the origins do not come in order.
        """
        name = origin.encode()
        if name <= self._origin:
            raise ConflictError("the logs of a digest come in order of their origins", where=origin)
        self._origin, self._index, self._size = name, -1, size
        self._hash.update(b"%s %d %s\n" % (name, size, base64.b64encode(root)))

    def add_listing(self, index: int, identifier: str, claims: Iterable[tuple[str, str]]) -> None:
        """Add a live listing whose winning entry stands at ``index`` of the log begun last, with (type, value) claims.

        Raises ConflictError when the indices do not come in order, or lie beyond the log's size.
        """
        if index >= self._size:
            raise ConflictError(f"claims are taken from the first {self._size} entries only", where=f"index {index}")
        if index <= self._index:
            raise ConflictError("the listings of a log come in order of their index", where=f"index {index}")
        self._index = index
        lines = sorted({f"{kind} {value}".encode() for kind, value in claims})
        self._hash.update(b"\n".join([b"%d %s" % (index, identifier.encode()), *lines, b""]))

    def hexdigest(self) -> str:
        """Give the digest, lower-case hex."""
        return self._hash.hexdigest()
