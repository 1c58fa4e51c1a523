"""Whom this node follows: add, list, show, pause, suspend, resume and remove peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

from hashpact_node.services.digests import counting_logs
from hashpact_node.services.introducing import check_introduction
from hashpact_node.services.release import merge_stored
from hashpact_node.services.removal import drop_claims_of, drop_if_out
from hashpact_node.services.trusting import TRUST_ALARM, Trusting
from hashpact_node.store.alarms import Alarm, clear_alarm, list_alarms
from hashpact_node.store.audiences import drop_reader, logs_not_for_us
from hashpact_node.store.blobs import NO_BLOBS, BlobCounts, blob_counts
from hashpact_node.store.bundles import count_entries
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.decisions import LOCAL, Decision, find_decision, list_decisions, put_decision
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.owners import count_live
from hashpact_node.store.peers import (
    ACTIVE,
    OUT,
    PAUSED,
    REMOVED,
    SHOWN,
    SUSPENDED,
    Peer,
    add_peer,
    drop_peer,
    find_peer,
    get_peer,
    list_peers,
    release_names,
    set_state,
)
from hashpact_protocol.errors import ConflictError
from hashpact_protocol.follow import is_stale
from hashpact_protocol.names import MemberUrl, collides

PEER_WAIT_SECONDS = 60.0

Check = Callable[[Connection], None]
"""Looks, in the transaction in which a change begins, whether it is wanted still; raises ConflictError if not.

The member's row is locked, except where a resumption begins, which looks at its end that nobody decided since.
"""


def anyway(_connection: Connection) -> None:
    """Want a change whatever else changed: a person asks for it now."""


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
    """One peer as people look at it; ``decision`` says who last decided whether it is followed, and why."""

    peer: Peer
    logs: tuple[LogView, ...]
    alarms: tuple[Alarm, ...]
    blobs: BlobCounts = NO_BLOBS
    decision: Decision | None = None

    @property
    def stale(self) -> bool:
        """Whether the member has not said for too long that one of its open logs is fresh."""
        return any(log.stale for log in self.logs)


@dataclass(frozen=True, slots=True)
class Removal:
    """A member that was removed, and the names of the audiences that it left."""

    peer: Peer
    audiences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a member stands here, and by which decision: two that are equal saw no decision between them."""

    state: str
    decision: Decision | None


@dataclass(slots=True)
class Peering:
    """Keeps the list of peers."""

    database: Database
    locks: Locks
    trusting: Trusting
    now: Callable[[], datetime]

    def add(
        self,
        member: str,
        url: str,
        *,
        root: bytes | None = None,
        fingerprint: str | None = None,
        by: str = LOCAL,
        check: Check = anyway,
    ) -> PeerView:
        """Add a peer under a pin that came out of band, and read its trust repository at once.

        ``by`` says who decided it, here and below: a person, or the directory that is followed. Nothing is added unless
        all of it succeeds. Raises RequestError without a pin, MemberNameError, ConflictError for a
        member or an address that collides with another's and where somebody decides otherwise meanwhile, TrustError,
        CardError and FetchError.
        """
        pinned = check_introduction(self.database, member, url, root=root, fingerprint=fingerprint)
        parsed = MemberUrl.parse(url)
        with self.locks.hold(f"peer/{member}", timeout=PEER_WAIT_SECONDS):
            before = self._make_room(member, parsed)
            with self.database.write() as connection:
                find_peer(connection, member, lock=True)
                check(connection)
                if before is not None and before.state == REMOVED:
                    drop_reader(connection, member)  # whoever has the id now is not whom an audience was opened to
                # Followed only once there is a card: whatever ends this before leaves a removed member at most.
                peer = add_peer(
                    connection,
                    member,
                    str(parsed),
                    now=self.now(),
                    state=REMOVED,
                    pinned_root=root,
                    pinned_fingerprint=pinned,
                )
                begun = _standing(connection, member)
            try:
                self.trusting.refresh(peer)
                with self.database.write() as connection:
                    _must_stand(connection, member, begun)
                    set_state(connection, peer.number, ACTIVE)
                    put_decision(connection, member, by, now=self.now())
            except BaseException:
                self._forget(peer, before, begun)
                raise
        return self.show(member)

    def list(self) -> list[PeerView]:
        """Give all peers, in order of their ids."""
        with self.database.read() as connection:
            return [*self._views(connection, list_peers(connection, states=SHOWN))]

    def show(self, member: str) -> PeerView:
        """Give one peer; NotFoundError."""
        with self.database.read() as connection:
            return self._views(connection, (get_peer(connection, member),))[0]

    def _views(self, connection: Connection, peers: Sequence[Peer]) -> Sequence[PeerView]:
        """Look at some peers; live listings, of which there may be millions, are counted once for all."""
        now, live, alarms = self.now(), count_live(connection), list_alarms(connection)
        blobs, refused, decisions = blob_counts(connection), logs_not_for_us(connection), list_decisions(connection)

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
                decisions.get(peer.member),
            )
            for peer in peers
        ]

    def pause(self, member: str) -> PeerView:
        """Pull a peer no more until it is resumed; its claims stay in force. A suspended one stays suspended."""
        with self.database.write() as connection:
            peer = self._not_removed(connection, member)
            if peer.state == SUSPENDED:
                raise ConflictError(f"{member} is suspended", mend=f"`hashpact peer resume {member}` first")
            set_state(connection, peer.number, PAUSED)
            put_decision(connection, member, LOCAL, now=self.now())
        return self.show(member)

    def suspend(self, member: str, *, reason: str | None = None, by: str = LOCAL, check: Check = anyway) -> PeerView:
        """Suspend a peer: it may ask nothing any more, at once, and its claims leave the blocklist in one transaction.

        What it published stays stored, and ``resume`` brings it back. What is cut off upkeep finishes. Raises
        StoreBusyError where the lock cannot be had, ConflictError where somebody takes it up again meanwhile.
        """
        with self.database.write() as connection:
            peer = self._not_removed(connection, member)
            check(connection)
            set_state(connection, peer.number, SUSPENDED)
            put_decision(connection, member, by, now=self.now(), reason=reason)
        self._take_out(member)
        return self.show(member)

    def resume(self, member: str, *, by: str = LOCAL, check: Check = anyway) -> PeerView:
        """Pull a paused or suspended peer again; of a suspended one what is stored counts again at once, unasked.

        Raises StoreBusyError where the lock cannot be had, ConflictError where somebody decides otherwise meanwhile:
        a suspension or removal that comes while it is merged stands.
        """
        with self.database.read() as connection:
            suspended = self._not_removed(connection, member, lock=False).state == SUSPENDED
            check(connection)
            begun = _standing(connection, member)
        with self.locks.hold(f"peer/{member}", timeout=PEER_WAIT_SECONDS) if suspended else nullcontext():
            if suspended:
                self._merge_again(member)
            try:
                with self.database.write() as connection:
                    peer = self._not_removed(connection, member)
                    _must_stand(connection, member, begun)
                    set_state(connection, peer.number, ACTIVE)
                    put_decision(connection, member, by, now=self.now())
            except ConflictError:
                drop_if_out(self.database, member, now=self.now())  # whoever decided may not wait for our lock
                raise
        return self.show(member)

    def remove(self, member: str, *, check: Check = anyway) -> Removal:
        """Remove a peer: its claims leave the blocklist in one transaction, what it published stays as history.

        It is followed no more, and may ask nothing any more, at once, which ends a pull that runs. It leaves every
        audience, so that nobody who takes its id under another root reads there. What is cut off upkeep finishes.
        Raises StoreBusyError where the lock cannot be had, ConflictError where somebody takes it up again meanwhile.
        """
        with self.database.write() as connection:
            peer = self._other(get_peer(connection, member, lock=True))
            check(connection)
            set_state(connection, peer.number, REMOVED)
            audiences = drop_reader(connection, member)
            put_decision(connection, member, LOCAL, now=self.now())
        self._take_out(member)
        with self.database.read() as connection:
            return Removal(get_peer(connection, member), audiences)

    def _take_out(self, member: str) -> None:
        """Take the claims of a member that was just suspended or removed out of the blocklist; ConflictError."""
        with self.locks.hold(f"peer/{member}", timeout=PEER_WAIT_SECONDS):
            drop_if_out(self.database, member, now=self.now())
            with self.database.read() as connection:
                state = get_peer(connection, member).state
        if state not in OUT:
            raise ConflictError(f"somebody took {member} up again meanwhile", mend=f"see `hashpact peer show {member}`")

    def _merge_again(self, member: str) -> None:
        """Let count what is stored of a suspended member's logs; the caller holds its lock."""
        with self.database.read() as connection:
            logs = counting_logs(list_logs(connection, peer=get_peer(connection, member).number))
            stored = {log.number: count_entries(connection, log.number) for log in logs}
        for log in logs:
            merge_stored(self.database, log, min(stored[log.number], log.accepted_size), now=self.now)

    def _not_removed(self, connection: Connection, member: str, *, lock: bool = True) -> Peer:
        """Find a peer to be changed; its row stays locked until the transaction ends, unless that is not wanted."""
        peer = self._other(get_peer(connection, member, lock=lock))
        if peer.state == REMOVED:
            raise ConflictError(f"{member} was removed", mend=f"add it anew: `hashpact peer add {member} URL …`")
        return peer

    def _other(self, peer: Peer) -> Peer:
        if peer.own:
            raise ConflictError(f"{peer.member} is this node itself", mend="name one of its peers")
        return peer

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

    def _forget(self, peer: Peer, before: Peer | None, begun: Standing) -> None:
        """Take back what was added; a member that had been removed before, or was meanwhile, is that."""
        with self.database.write() as connection:
            clear_alarm(connection, TRUST_ALARM, now=self.now(), peer=peer.number)  # whoever asked is told
            moved = _standing(connection, peer.member, lock=True) != begun
            if before is None and not moved and not list_logs(connection, peer=peer.number):
                drop_peer(connection, peer.number)
            else:
                set_state(connection, peer.number, REMOVED)


def _standing(connection: Connection, member: str, *, lock: bool = False) -> Standing:
    return Standing(get_peer(connection, member, lock=lock).state, find_decision(connection, member))


def _must_stand(connection: Connection, member: str, begun: Standing) -> None:
    """Refuse to overwrite what somebody decided since a change began; its row stays locked. ConflictError."""
    if _standing(connection, member, lock=True) != begun:
        raise ConflictError(
            f"somebody decided about {member} meanwhile, and that stands",
            mend=f"see `hashpact peer show {member}`, and decide again if you mean otherwise",
        )
