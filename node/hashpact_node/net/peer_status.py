"""What an answer of a peer with an error status means, and what to do about it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from hashpact_node.net.fetcher import Answer
from hashpact_protocol.errors import FetchStatusError

DETAIL_MAX: Final = 200
"""Characters of a peer's own words that are shown."""

_UNKNOWN: Final = "ask its operator whether it follows this member (`hashpact peer add`), and compare clocks"


def status_error(answer: Answer, url: str, *, who: str = "peer", mend: str | None = None) -> FetchStatusError:
    """Give the error for an answer, with the detail of its problem body where there is one.

    A 401 is told apart: the peer is up, and does not know who asks. For anything else ``mend`` says what helps.
    """
    detail = _detail(answer)
    refused = answer.status == HTTPStatus.UNAUTHORIZED
    what = f"the {who} answered with status {answer.status}"
    return FetchStatusError(
        f"{what}: {detail}" if detail else what, status=answer.status, where=url, mend=_UNKNOWN if refused else mend
    )


def _detail(answer: Answer) -> str:
    """Give a problem's detail (RFC 9457) on one line, in characters that can be seen; nothing where there is none."""
    try:
        found = json.loads(answer.body)["detail"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    if not isinstance(found, str):
        return ""
    text = " ".join(found[: 4 * DETAIL_MAX].split())
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return shown if len(shown) <= DETAIL_MAX else f"{shown[: DETAIL_MAX - 1]}…"
