"""How far our clock is from our peers', by what they said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from hashpact_keys.health import ClockOffset
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.store.connection import Connection
from hashpact_node.store.key_watch import Reading, list_readings
from hashpact_node.store.logs import list_logs
from hashpact_node.store.peers import ACTIVE, Peer, find_own, list_peers
from hashpact_protocol.errors import FetchError
from hashpact_protocol.limits import LIMITS

READING_KEPT: Final = timedelta(hours=3)
"""How long a reading of a peer's clock counts; the job that takes them runs hourly."""

ASK_MAX: Final = 8
ASK_SECONDS: Final = 5.0

_MILLISECOND: Final = timedelta(milliseconds=1)


def clock_offset(connection: Connection, now: datetime) -> ClockOffset | None:
    """Give by how much our clock is ahead of others', and how that is known; None where nobody said anything.

    The median of the dates of our active peers' answers; without any, the newest cosignature of a peer: one that is
    dated later than now shows that our clock is behind its signer's. One that is earlier shows nothing: it may be old.
    """
    members = {peer.member for peer in list_peers(connection, states=(ACTIVE,))}
    oldest = (now - READING_KEPT).timestamp()
    readings = [one for one in list_readings(connection) if one.member in members and one.read_at >= oldest]
    if not readings:
        return _by_cosignatures(connection, now)
    seconds = median(one.offset_ms for one in readings) / 1_000
    each = ", ".join(f"{one.member} {one.offset_ms / 1_000:+.0f} s" for one in readings[:ASK_MAX])
    return ClockOffset(seconds, f"by the median of the dates of {len(readings)} peers' answers ({each})")


def heard(fetcher: Fetcher, peers: Iterable[Peer]) -> list[Reading]:
    """Give what the last answers of these peers to this process said about their clocks."""
    found = ((peer.member, fetcher.clocks.of(peer.url)) for peer in peers)
    return [
        Reading(member, one.offset // _MILLISECOND, int(one.at.timestamp())) for member, one in found if one is not None
    ]


def ask_clocks(fetcher: Fetcher, peers: Sequence[Peer]) -> None:
    """Ask a few peers for something, only to hear what time it is there; who does not answer says nothing."""

    def ask(peer: Peer) -> None:
        url = f"{peer.url}/trust/metadata/timestamp.json"
        with suppress(FetchError):  # its health is the puller's business
            fetcher.get(url, max_bytes=LIMITS.trust_metadata_max_bytes, deadline_seconds=ASK_SECONDS)

    asked = peers[:ASK_MAX]
    if asked:
        with ThreadPoolExecutor(len(asked)) as threads:
            list(threads.map(ask, asked))


def _by_cosignatures(connection: Connection, now: datetime) -> ClockOffset | None:
    own = find_own(connection)
    others = [log for log in list_logs(connection) if own is None or log.peer != own.number]
    newest = max(((log.own_cosigned_at or 0, log.member) for log in others), default=(0, ""))
    if newest[0] <= now.timestamp():
        return None
    return ClockOffset(now.timestamp() - newest[0], f"by the newest cosignature of {newest[1]}")
