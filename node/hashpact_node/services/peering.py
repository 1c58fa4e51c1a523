"""Whom this node follows: add, list, show, pause, resume and remove peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from hashpact_keys.trust_checks import check_root
from hashpact_keys.trust_files import root_fingerprint
from hashpact_node.net.trust import FINGERPRINT
from hashpact_node.services.removal import drop_claims_of
from hashpact_node.services.trusting import TRUST_ALARM, Trusting
from hashpact_node.services.views import own_peer
from hashpact_node.store.alarms import Alarm, clear_alarm, list_alarms
from hashpact_node.store.audiences import logs_not_for_us
from hashpact_node.store.blobs import NO_BLOBS, BlobCounts, blob_counts
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.owners import count_live
from hashpact_node.store.peers import (
    ACTIVE,
    PAUSED,
    REMOVED,
    Peer,
    add_peer,
    drop_peer,
    find_peer,
    get_peer,
    list_peers,
    release_names,
    set_state,
)
from hashpact_protocol.errors import ConflictError, RequestError
from hashpact_protocol.follow import is_stale
from hashpact_protocol.names import MemberUrl, collides, parse_member_id

PEER_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LogView:
    """One log of a peer as people look at it; ``live`` counts its live listings.

    One that is not ``for_us`` is of an audience of its member's, and nobody expects news of it.
    """

    log: Log
    live: int
    stale: bool
    for_us: bool = True


@dataclass(frozen=True, slots=True)
class PeerView:
    """One peer as people look at it."""

    peer: Peer
    logs: tuple[LogView, ...]
    alarms: tuple[Alarm, ...]
    blobs: BlobCounts = NO_BLOBS

    @property
    def stale(self) -> bool:
        """Whether the member has not said for too long that one of its open logs is fresh."""
        return any(log.stale for log in self.logs)


@dataclass(slots=True)
class Peering:
    """Keeps the list of peers."""

    database: Database
    locks: Locks
    trusting: Trusting
    now: Callable[[], datetime]

    def add(self, member: str, url: str, *, root: bytes | None = None, fingerprint: str | None = None) -> PeerView:
        """Add a peer under a pin that came out of band, and read its trust repository at once.

        Nothing is added unless that succeeds. Raises RequestError without a pin, MemberNameError, ConflictError for a
        member or an address that collides with another's, TrustError, CardError and FetchError.
        """
        parse_member_id(member)
        parsed = MemberUrl.parse(url)
        if root is None and fingerprint is None:
            raise RequestError(
                "a peer is pinned by its root, which must come to you by another channel than its own address",
                where=member,
                mend="give --root FILE or --fingerprint N:sha256:HEX, as the member's `hashpact keys status` prints it",
            )
        if fingerprint is not None and FINGERPRINT.fullmatch(fingerprint) is None:
            raise RequestError(
                "this is no fingerprint of a root",
                where=fingerprint[:100],
                mend="write N:sha256:HEX, as the member's `hashpact keys status` prints it",
            )
        if root is not None:
            check_root(root, None, where="the root given")
            _check_same(root, fingerprint)
        self._check_free(parsed)
        with self.locks.hold(f"peer/{member}", timeout=PEER_WAIT_SECONDS):
            before = self._make_room(member, parsed)
            with self.database.write() as connection:
                # Followed only once there is a card: whatever ends this before leaves a removed member at most.
                peer = add_peer(
                    connection,
                    member,
                    str(parsed),
                    now=self.now(),
                    state=REMOVED,
                    pinned_root=root,
                    pinned_fingerprint=fingerprint or (root_fingerprint(root) if root else None),
                )
            try:
                self.trusting.refresh(peer)
            except BaseException:
                self._forget(peer, before)
                raise
            with self.database.write() as connection:
                set_state(connection, peer.number, ACTIVE)
        return self.show(member)

    def list(self) -> list[PeerView]:
        """Give all peers, in order of their ids."""
        with self.database.read() as connection:
            return [*self._views(connection, list_peers(connection))]

    def show(self, member: str) -> PeerView:
        """Give one peer; NotFoundError."""
        with self.database.read() as connection:
            return self._views(connection, (get_peer(connection, member),))[0]

    def _views(self, connection: Connection, peers: Sequence[Peer]) -> Sequence[PeerView]:
        """Look at some peers; live listings, of which there may be millions, are counted once for all."""
        now, live, alarms = self.now(), count_live(connection), list_alarms(connection)
        blobs, refused = blob_counts(connection), logs_not_for_us(connection)

        def view(log: Log) -> LogView:
            for_us = log.number not in refused
            stale = for_us and log.state == "open" and is_stale(log.own_cosigned_at, now)
            return LogView(log, live.get(log.number, 0), stale, for_us)

        return [
            PeerView(
                peer,
                tuple(view(log) for log in list_logs(connection, peer=peer.number) if log.named),
                tuple(alarm for alarm in alarms if alarm.peer == peer.number),
                blobs.get(peer.number, NO_BLOBS),
            )
            for peer in peers
        ]

    def pause(self, member: str) -> PeerView:
        """Pull a peer no more until it is resumed; its claims stay in force."""
        return self._set(member, PAUSED)

    def resume(self, member: str) -> PeerView:
        """Pull a paused peer again."""
        return self._set(member, ACTIVE)

    def remove(self, member: str) -> Peer:
        """Remove a peer: its claims leave the blocklist, what it published stays as history.

        It is followed no more at once, which ends a pull that runs; its claims leave within seconds, some thousand at a
        time. What is left when that is cut off, upkeep does. Raises StoreBusyError where the lock cannot be had.
        """
        with self.database.write() as connection:
            peer = self._other(get_peer(connection, member, lock=True))
            set_state(connection, peer.number, REMOVED)
        with self.locks.hold(f"peer/{member}", timeout=PEER_WAIT_SECONDS):
            drop_claims_of(self.database, peer.number, now=self.now())
        with self.database.read() as connection:
            return get_peer(connection, member)

    def _set(self, member: str, state: str) -> PeerView:
        with self.database.write() as connection:
            peer = self._other(get_peer(connection, member, lock=True))
            if peer.state == REMOVED:
                raise ConflictError(f"{member} was removed", mend=f"add it anew: `hashpact peer add {member} URL …`")
            set_state(connection, peer.number, state)
        return self.show(member)

    def _other(self, peer: Peer) -> Peer:
        if peer.own:
            raise ConflictError(f"{peer.member} is this node itself", mend="name one of its peers")
        return peer

    def _check_free(self, url: MemberUrl) -> None:
        with self.database.read() as connection:
            own = own_peer(connection)
            others = list_peers(connection)
        for other in (own, *others):
            if collides(MemberUrl.parse(other.url), url):
                raise ConflictError(
                    f"this URL and that of {other.member} ({other.url}) begin alike, so names below them would collide",
                    where=str(url),
                    mend="the member pinned first stays; ask both members for their right URLs",
                )

    def _make_room(self, member: str, url: MemberUrl) -> Peer | None:
        """Finish what a removal left, and free the names that removed members have; give the member's own row, if any.

        The caller holds the lock of the member.
        """
        with self.database.write() as connection:
            before = find_peer(connection, member)
            for other in list_peers(connection, states=(REMOVED,)):
                taken = "#" not in other.url and collides(MemberUrl.parse(other.url), url)
                if other.member != member and taken:
                    release_names(connection, other.number)
        if before is not None and before.state == REMOVED:
            drop_claims_of(self.database, before.number, now=self.now())
        return before

    def _forget(self, peer: Peer, before: Peer | None) -> None:
        """Take back what was added; a member that had been removed before is that again."""
        with self.database.write() as connection:
            clear_alarm(connection, TRUST_ALARM, now=self.now(), peer=peer.number)  # whoever asked is told
            if before is None and not list_logs(connection, peer=peer.number):
                drop_peer(connection, peer.number)
            else:
                set_state(connection, peer.number, REMOVED)


def _check_same(root: bytes, fingerprint: str | None) -> None:
    if fingerprint is not None and root_fingerprint(root) != fingerprint:
        raise RequestError(
            f"the root given has the fingerprint {root_fingerprint(root)}, and {fingerprint} was given with it",
            mend="ask the member again, by another channel; do not go on before both agree",
        )
