"""Read a peer's log over HTTP: its checkpoint, its tiles and its bundles (C2SP tlog-tiles), each under a cap."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from hashpact_node.net.decode import ACCEPT_ENCODING, decode_body
from hashpact_node.net.fetcher import Answer, Fetcher
from hashpact_node.net.peer_status import status_error
from hashpact_node.net.rates import RateLimit
from hashpact_node.net.stopping import Stop, StoppableFetcher
from hashpact_protocol.blobs import blob_path
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.tiles import FULL_WIDTH, TileId

CHECKPOINT_DEADLINE_SECONDS = 15.0
TILE_DEADLINE_SECONDS = 60.0
REQUESTS_PER_SECOND = 1_000.0
REQUESTS_BURST = 500.0
CARD_HEADER = "hashpact-card"

_MEND = "see whether the peer is up and still names this log in its card"
_CARD_VERSION = re.compile(r"[1-9][0-9]{0,15}")
# RFC 9110, section 8.8.3, without what lies beyond ASCII: it is stored, and sent back in a header.
_ETAG = re.compile(r'(?:W/)?"[!#-~]{0,128}"')


@dataclass(frozen=True, slots=True)
class CheckpointAnswer:
    """A checkpoint as served: ``note`` is None when it has not changed; ``card_version`` is a hint, never more.

    ``etag`` is None where the peer sent none, or one that is not ASCII or longer than 128 characters.
    """

    note: bytes | None
    etag: str | None
    card_version: int | None


@dataclass(frozen=True, slots=True)
class BundleAnswer:
    """A bundle as transferred: still in its content encoding; ``width`` is that of what came, 256 for a full one."""

    data: bytes
    encoding: str
    width: int


class PeerLogs:
    """Reads the logs of one peer; may be shared by threads. Counts what it asked and got, for people to see.

    ``sleep`` is told how many seconds to wait when ``rate`` has no place at once. With a ``stop`` all requests end, and
    raise Stopped, when it says so.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        rate: RateLimit | None = None,
        sleep: Callable[[float], None] = time.sleep,
        stop: Stop | None = None,
    ) -> None:
        self._fetcher = fetcher if stop is None else StoppableFetcher(fetcher, stop)
        self.stop = stop or Stop()
        self._rate = rate or peer_rate()
        self._sleep = sleep
        self._counting = threading.Lock()
        self.requests = 0
        self.bytes = 0

    def checkpoint(self, log_url: str, etag: str | None) -> CheckpointAnswer:
        """Ask for the checkpoint, conditionally when an ETag is known.

        Raises FetchStatusError for any status but 200 and 304, and the Fetcher's errors.
        """
        headers = {"if-none-match": etag} if etag else {}
        url = f"{log_url}/checkpoint"
        answer = self._get(url, LIMITS.note_max_bytes, CHECKPOINT_DEADLINE_SECONDS, headers)
        card_version = _card_version(answer)
        if answer.status == HTTPStatus.NOT_MODIFIED and etag:
            return CheckpointAnswer(None, etag, card_version)
        if answer.status != HTTPStatus.OK:
            raise status_error(answer, url, mend=_MEND)
        encoding = answer.headers.get("content-encoding")
        note = decode_body(answer.body, encoding, max_bytes=LIMITS.note_max_bytes, where=url)
        return CheckpointAnswer(note, _etag(answer), card_version)

    def tile(self, log_url: str, tile: TileId) -> bytes:
        """Fetch a tile of hashes, decoded; the full one where a partial one is gone (tlog-tiles, Partial Tiles)."""
        answer, url = self._get_or_full(log_url, tile, LIMITS.tile_max_bytes, "identity")
        encoding = answer.headers.get("content-encoding")
        return decode_body(answer.body, encoding, max_bytes=LIMITS.tile_max_bytes, where=url)

    def bundle(self, log_url: str, number: int, width: int) -> BundleAnswer:
        """Fetch a bundle, not yet decoded; the full one where a partial one is gone."""
        tile = TileId(None, number, width)
        answer, url = self._get_or_full(log_url, tile, LIMITS.bundle_max_bytes, ACCEPT_ENCODING)
        came = width if url.endswith(str(tile)) else FULL_WIDTH
        return BundleAnswer(answer.body, answer.headers.get("content-encoding") or "identity", came)

    def blob(self, log_url: str, sha256: str, max_bytes: int) -> bytes:
        """Fetch a blob of at most so many bytes, decoded; that it is the right one is for the caller to check."""
        url = f"{log_url}/{blob_path(sha256)}"
        answer = self._get(url, max_bytes, TILE_DEADLINE_SECONDS, {"accept-encoding": "identity"})
        if answer.status != HTTPStatus.OK:
            raise status_error(answer, url, mend=_MEND)
        return decode_body(answer.body, answer.headers.get("content-encoding"), max_bytes=max_bytes, where=url)

    def _get_or_full(self, log_url: str, tile: TileId, max_bytes: int, accept: str) -> tuple[Answer, str]:
        url = f"{log_url}/{tile}"
        headers = {"accept-encoding": accept}
        answer = self._get(url, max_bytes, TILE_DEADLINE_SECONDS, headers)
        gone = answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
        if gone and tile.width < FULL_WIDTH:
            url = f"{log_url}/{TileId(tile.level, tile.number)}"
            answer = self._get(url, max_bytes, TILE_DEADLINE_SECONDS, headers)
        if answer.status != HTTPStatus.OK:
            raise status_error(answer, url, mend=_MEND)
        return answer, url

    def _get(self, url: str, max_bytes: int, deadline_seconds: float, headers: dict[str, str]) -> Answer:
        wait = self._rate.take()
        if wait:
            self._sleep(wait)
        answer = self._fetcher.get(url, max_bytes=max_bytes, deadline_seconds=deadline_seconds, headers=headers)
        with self._counting:
            self.requests += 1
            self.bytes += len(answer.body)
        return answer


def peer_rate() -> RateLimit:
    """Give the rate that one peer is asked at."""
    return RateLimit(per_second=REQUESTS_PER_SECOND, burst=REQUESTS_BURST)


def _etag(answer: Answer) -> str | None:
    text = answer.headers.get("etag", "")
    return text if _ETAG.fullmatch(text) else None


def _card_version(answer: Answer) -> int | None:
    text = answer.headers.get(CARD_HEADER, "")
    return parse_card_version(text)


def parse_card_version(text: str) -> int | None:
    """Read what a ``Hashpact-Card`` header says; None for anything but a version of at most 16 digits."""
    return int(text) if _CARD_VERSION.fullmatch(text) else None
