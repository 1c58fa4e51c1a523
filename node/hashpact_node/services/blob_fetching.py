"""Blobs of peers: what their listings name is found by its claims, fetched, checked, and kept within a quota each.

Nothing that goes wrong here touches a claim: a signal whose blob is missing is not matched, and shown.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_logs import PeerLogs
from hashpact_node.net.stopping import Stop, Stopped
from hashpact_node.services.blobs import UNLISTED_KEPT, drop_unreferenced_blobs
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.views import logs_by_number, members_of_logs, own_number
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.blobs import (
    Want,
    WantCount,
    blob_lengths,
    bytes_brought,
    count_wants,
    due_peers,
    due_wants,
    put_blob,
    record_held,
    record_missing,
    seen_change,
    set_seen_change,
    set_wanted,
)
from hashpact_node.store.changes import last_change
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.feed import find_claims, stream_range
from hashpact_node.store.peers import ACTIVE, Peer, list_peers
from hashpact_protocol.blobs import check_blob
from hashpact_protocol.claims import Claim, Place, unpack_claims
from hashpact_protocol.errors import FetchStatusError, FetchTooLargeError, HashpactError, SignalError
from hashpact_protocol.signals import SIGNAL_TYPES, parse_signal_key


class Trouble(StrEnum):
    """Why a blob is not here; the codes of alarms."""

    MISSING = "blob-missing"
    WRONG = "blob-wrong"
    QUOTA = "blob-quota"


MENDS: Final = {
    Trouble.MISSING: "ask the member to serve it, or to withdraw the listing; it is asked for again by itself",
    Trouble.WRONG: "ask the member to withdraw the listing, and to publish it again with the right blob",
    Trouble.QUOTA: "raise blob_quota_mib if you want more of this member; the others are not touched by it",
}

PEERS_AT_ONCE: Final = 8
FETCHED_AT_ONCE: Final = 64
RUN_SECONDS: Final = 90.0
"""How long one run may take for one peer, more than one blob does; the next one goes on."""

LISTINGS_LOOKED_AT: Final = 16
"""Of how many listings of one member that name a blob the length is read; the greatest counts."""

FIRST_PAUSE: Final = timedelta(seconds=15)
LONGEST_PAUSE: Final = timedelta(days=1)
FAILURES_SEEN: Final = 2
"""A blob that is just being published may be asked for too early; that it is missing is told from the second time."""

_CODES: Final = sorted(known.code for known in SIGNAL_TYPES.values() if known.blob)


@dataclass(frozen=True, slots=True)
class _Named:
    """What listings of one member say of a blob: below which log it is served, and how long it is at most."""

    log_url: str
    max_bytes: int


class _NotHereError(Exception):
    """A blob could not be had."""

    def __init__(self, trouble: Trouble, reason: str) -> None:
        super().__init__(reason)
        self.trouble = trouble
        self.reason = reason


class _NotNamedError(Exception):
    """No listing of that member names the blob any more."""


@dataclass(slots=True)
class BlobFetcher:
    """Fetches blobs; one process at a time calls it, that which runs the jobs."""

    database: Database
    fetcher: Fetcher
    quota_bytes: int
    now: Callable[[], datetime]
    is_due: Callable[[Peer], bool]
    _dropped_at: datetime | None = field(default=None, init=False, repr=False)

    def run(self, stop: threading.Event | None = None) -> int:
        """Find what is named, fetch what is due, drop what nobody names; how many blobs came. StoreError.

        Peers are read side by side, so that one that is slow keeps none of the others waiting for long.
        """
        self.find_named()
        self._drop()
        with self.database.read() as connection:
            due = set(due_peers(connection, now=self.now()))
            peers = [peer for peer in list_peers(connection, states=(ACTIVE,)) if peer.number in due]
        peers = [peer for peer in peers if self.is_due(peer)]
        if not peers:
            return 0
        with ThreadPoolExecutor(min(PEERS_AT_ONCE, len(peers)), thread_name_prefix="blobs") as threads:
            came = list(threads.map(lambda peer: self.fetch_of(peer, stop), peers))
        return sum(came)

    def find_named(self) -> int:
        """Follow the changes of claims up to the newest, and note whose listings name which blob; how many changed."""
        with self.database.read() as connection:
            since, last = seen_change(connection), last_change(connection)
        if since == last:
            return 0
        changed = 0
        first, end = bytes([_CODES[0]]), bytes([_CODES[-1] + 1])
        with self.database.read() as connection:
            for rows in stream_range(connection, since, first=first, end=end):
                with self.database.write() as writing:
                    members, own = members_of_logs(writing), own_number(writing)
                    for row in rows:
                        peers = {members[claim.log] for claim in unpack_claims(row.claims)} - {own}
                        set_wanted(writing, row.key, peers, now=self.now())
                    set_seen_change(writing, rows[-1].number)
                changed += len(rows)
        with self.database.write() as writing:
            set_seen_change(writing, max(last, seen_change(writing)))
        return changed

    def fetch_of(self, peer: Peer, stop: threading.Event | None = None) -> int:
        """Fetch what is due of one peer, and raise or clear its alarms; how many blobs came."""
        source = PeerLogs(self.fetcher, stop=Stop(seconds=RUN_SECONDS, event=stop))
        with self.database.read() as connection:
            wants = due_wants(connection, peer.number, now=self.now(), limit=FETCHED_AT_ONCE)
        came = 0
        try:
            for want in wants:
                came += self._settle(want, source)
        except Stopped:
            pass  # the next run goes on
        self._tell(peer)
        return came

    def _settle(self, want: Want, source: PeerLogs) -> bool:
        """Fetch one blob, and store it or why it is not here; whether it came."""
        try:
            data = self._get(want, source)
        except _NotNamedError:
            return False  # the next look at the claims forgets it
        except _NotHereError as missing:
            pause = min(FIRST_PAUSE * 2 ** min(want.failures, 20), LONGEST_PAUSE)
            with self.database.write() as connection:
                record_missing(
                    connection, want, code=missing.trouble.value, reason=missing.reason, next_try_at=self.now() + pause
                )
            return False
        with self.database.write() as connection:
            # Claims may have gone meanwhile: then nothing is wanted, and nothing is stored.
            if record_held(connection, want.peer, want.key) and data is not None:
                sha256 = hashlib.sha256(data).digest()
                put_blob(connection, want.key, sha256, data, peer=want.peer, now=self.now())
        return data is not None

    def _get(self, want: Want, source: PeerLogs) -> bytes | None:
        """Give the bytes, checked; None where they are here already. _NotNamedError, _NotHereError."""
        type_name, sha256 = parse_signal_key(want.key)
        with self.database.read() as connection:
            named = _named(connection, want)
            stored = blob_lengths(connection, [want.key]).get(want.key)
            room = self.quota_bytes - bytes_brought(connection, want.peer)
        if named is None:
            raise _NotNamedError
        if stored is not None:
            if stored > named.max_bytes:
                raise _NotHereError(
                    Trouble.WRONG, _about(sha256, f"it is longer than the {named.max_bytes:,} bytes said")
                )
            return None
        if room < named.max_bytes:
            raise _NotHereError(Trouble.QUOTA, _about(sha256, "the member's quota of bytes is used up"))
        return _fetch(source, named, type_name, sha256)

    def _tell(self, peer: Peer) -> None:
        """Raise an alarm for each kind of trouble that there is, and clear those that are over."""
        now = self.now()
        with self.database.write() as connection:
            counts = {one.code: one for one in count_wants(connection) if one.peer == peer.number and not one.held}
            for trouble in Trouble:
                count = counts.get(trouble.value)
                seen = FAILURES_SEEN if trouble is Trouble.MISSING else 1
                if count is None:
                    clear_alarm(connection, trouble.value, now=now, peer=peer.number)
                elif count.most_failures >= seen:
                    raise_alarm(
                        connection, trouble.value, _words(count), now=now, mend=MENDS[trouble], peer=peer.number
                    )

    def _drop(self) -> None:
        """Drop what nobody names, once an hour."""
        now = self.now()
        if self._dropped_at is None or not timedelta(0) <= now - self._dropped_at < timedelta(hours=1):
            with self.database.write() as connection:
                drop_unreferenced_blobs(connection, used_before=now - UNLISTED_KEPT)
            self._dropped_at = now


def _named(connection: Connection, want: Want) -> _Named | None:
    """Look up in the listings that name a blob now where it is served and how long it is; None where none does."""
    logs, reader = logs_by_number(connection), EntryReader(connection)
    claims = unpack_claims(find_claims(connection, [want.key]).get(want.key, b""))
    mine = [claim for claim in claims if claim.log in logs and logs[claim.log].peer == want.peer]
    if not mine:
        return None
    newest = mine[-LISTINGS_LOOKED_AT:]
    length = max(_lengths(reader, newest, want.key, logs[newest[-1].log].kind), default=0)
    return _Named(logs[newest[-1].log].url, length)


def _lengths(reader: EntryReader, claims: list[Claim], key: bytes, kind: str) -> Iterator[int]:
    for claim in claims:
        listing = reader.listing(Place(claim.log, claim.position), kind)
        for signal in listing.signals:
            if signal.key == key and signal.blob_length is not None:
                yield signal.blob_length


def _fetch(source: PeerLogs, named: _Named, type_name: str, sha256: str) -> bytes:
    try:
        data = source.blob(named.log_url, sha256, named.max_bytes)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise _NotHereError(Trouble.WRONG, _about(sha256, "what the member serves has another hash"))
        check_blob(type_name, data)
    except FetchTooLargeError:
        raise _NotHereError(
            Trouble.WRONG, _about(sha256, f"it is longer than the {named.max_bytes:,} bytes said")
        ) from None
    except SignalError as error:
        raise _NotHereError(
            Trouble.WRONG, _about(sha256, f"it does not have the form of {type_name}: {error}")
        ) from None
    except FetchStatusError as error:
        raise _NotHereError(Trouble.MISSING, _about(sha256, f"the member answers with status {error.status}")) from None
    except HashpactError as error:
        raise _NotHereError(Trouble.MISSING, _about(sha256, error.what)) from None
    return data


def _about(sha256: str, what: str) -> str:
    return f"{sha256}: {what}"


def _words(count: WantCount) -> str:
    blobs = "a blob" if count.count == 1 else f"{count.count:,} blobs"
    return f"{blobs} that live listings name cannot be matched, among them {count.reason}"
