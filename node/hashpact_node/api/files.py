"""What serving files takes: conditional requests, encodings by choice, and paths that mean exactly one thing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from hashpact_protocol.errors import NotFoundError

IMMUTABLE: Final = "max-age=31536000, immutable"

_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_QVALUE: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def check_raw_path(request: Request) -> None:
    """Raise NotFoundError for a path that was not sent exactly as it is meant: nothing here needs a percent sign."""
    if b"%" in request.scope.get("raw_path", b""):
        raise NotFoundError("there is nothing at this path", mend="write the path as the card and the protocol do")


def is_unchanged(if_none_match: str | None, etag: str) -> bool:
    """Say whether a client has what it asks for (RFC 9110, section 13.1.2)."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    # The comparison is the weak one: W/"x" and "x" are the same.
    return etag in {tag.removeprefix("W/") for tag in _TAG.findall(if_none_match)}


def unchanged(headers: Mapping[str, str]) -> Response:
    """Answer 304, with the headers that 200 would have."""
    return Response(status_code=304, headers=dict(headers))


def choose_encoding(accept_encoding: str | None, offered: Sequence[str]) -> str | None:
    """Choose a content coding (RFC 9110, section 12.5.3): of those that the client likes best the first offered.

    ``identity`` counts as offered last. None where the client accepts nothing that there is.
    """
    if accept_encoding is None:
        return "identity"
    weights = _weights(accept_encoding.split(","))
    others = weights.get("*", 0.0)
    liked = {coding: weights.get(coding, others) for coding in offered}
    # Without a word about it identity is acceptable, and liked least.
    liked["identity"] = weights.get("identity", weights.get("*", 0.0001))
    best = max(liked, key=liked.__getitem__)
    return best if liked[best] > 0 else None


def _weights(parts: Iterable[str]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for part in parts:
        coding, _, parameter = part.partition(";")
        name, _, value = parameter.partition("=")
        weight = 1.0
        if name.strip().lower() == "q":
            weight = float(value) if _QVALUE.fullmatch(value := value.strip()) else 0.0
        weights[coding.strip().lower()] = weight
    return weights
