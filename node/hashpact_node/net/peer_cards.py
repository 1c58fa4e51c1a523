"""Ask a peer which cards of other members it trusts (docs/protocol.md, Comparing). Nothing is verified here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from hashpact_node.net.decode import decode_body
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_status import status_error
from hashpact_node.net.stopping import StoppableFetcher
from hashpact_protocol.errors import FetchStatusError, MalformedError
from hashpact_protocol.limits import LIMITS

DEADLINE_SECONDS = 15.0
LIST_MAX_BYTES = 256 * 1024
CARDS_MAX = 1_024

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class CardSeen:
    """What a peer says that it trusts: the version of a member's targets metadata, and their SHA-256.

    ``root`` is the version of that member's newest root, None where the peer does not say.
    """

    member: str
    url: str
    version: int
    sha256: str
    root: int | None = None


class PeerCards:
    """Asks one peer, found at ``{member url}/witness``."""

    def __init__(self, fetcher: Fetcher | StoppableFetcher, member_url: str) -> None:
        self._fetcher = fetcher
        self._url = f"{member_url}/witness/cards"

    def list(self) -> list[CardSeen]:
        """Give what the peer lists; none where it has no such list (404).

        Raises MalformedError for a list not of its form, and the errors of ``targets``.
        """
        try:
            data = self._get(self._url, LIST_MAX_BYTES)
        except FetchStatusError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return []
            raise
        try:
            cards = json.loads(data)["cards"]
            return [_read(card) for card in cards[:CARDS_MAX]]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise MalformedError("this is no list of cards", where=self._url) from None

    def targets(self, member: str, version: int) -> bytes:
        """Give the targets metadata that it has of a member's card of that version.

        Raises FetchStatusError for any status but 200, and the Fetcher's errors.
        """
        return self._get(f"{self._url}/{member}/{version}", LIMITS.trust_metadata_max_bytes)

    def card(self, member: str, version: int) -> bytes:
        """Give a member's card in force there; raises what ``targets`` raises."""
        return self._get(f"{self._url}/{member}/{version}/card", LIMITS.card_max_bytes)

    def root(self, member: str, version: int) -> bytes:
        """Give a root that it trusts of a member; raises what ``targets`` raises."""
        return self._get(f"{self._url}/{member}/roots/{version}", LIMITS.trust_metadata_max_bytes)

    def _get(self, url: str, max_bytes: int) -> bytes:
        headers = {"accept-encoding": "identity"}
        answer = self._fetcher.get(url, max_bytes=max_bytes, deadline_seconds=DEADLINE_SECONDS, headers=headers)
        if answer.status != HTTPStatus.OK:
            raise status_error(answer, url)
        return decode_body(answer.body, answer.headers.get("content-encoding"), max_bytes=max_bytes, where=url)


def _read(card: Any) -> CardSeen:
    """Read one item; ValueError, KeyError or TypeError when it is not of its form."""
    member, url, version, sha256 = (card[name] for name in ("member", "url", "version", "sha256"))
    texts = all(isinstance(one, str) for one in (member, url, sha256))
    if not texts or type(version) is not int or not 0 < version <= LIMITS.integer_max or not _SHA256.fullmatch(sha256):
        raise ValueError("not of its form")
    root = card.get("root")
    return CardSeen(member, url, version, sha256, root if type(root) is int and root > 0 else None)
