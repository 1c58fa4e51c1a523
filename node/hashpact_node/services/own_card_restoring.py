"""Take our own newer card back from our peers, when a database turns out to be an old copy.

A peer showed targets metadata that our own targets key signed, and roots that prove it (``services.own_newer_card``).
The card is fetched by its hash, and put into force with a snapshot and a timestamp that the online key signs anew. In
the same transaction everything is written down that keeps a log from being signed before it is read back: what peers
hold of the logs that only the newer card names, and where it ended those that it closed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from hashpact_keys.rows import RowName, TrustRole
from hashpact_keys.trust import renew_online
from hashpact_keys.trust_checks import check_role, check_rows
from hashpact_keys.trust_files import TIMESTAMP_FILE, TrustFiles, card_of, newest, versioned
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_cards import PeerCards
from hashpact_node.net.peer_logs import PeerLogs
from hashpact_node.net.stopping import OutOfTimeError, Stop, StoppableFetcher
from hashpact_node.services.awakening import witnessed
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.own_heads import learn, tell_forked
from hashpact_node.services.own_newer_card import CARD_BEHIND, own_root, settle_card
from hashpact_node.services.rederiving import rederive
from hashpact_node.services.trimming import trim
from hashpact_node.services.trusting import take_card
from hashpact_node.services.views import own_peer
from hashpact_node.store.alarms import raise_alarm
from hashpact_node.store.awakening import known_targets, learn_head, newest_known_card
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, get_log, list_logs
from hashpact_node.store.peers import ACTIVE, Peer, find_own, list_peers
from hashpact_node.store.succession import end_log, move_queue, set_held
from hashpact_node.store.trust import load_files, prune_files, read_file, save_files
from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.errors import (
    ConfigurationError,
    ConflictError,
    FetchTimeoutError,
    HashpactError,
    KeyUnavailableError,
    StoreMovedError,
    TrustError,
)

LOCK_WAIT_SECONDS: Final = 120.0
PEER_SECONDS: Final = 15.0
"""How long one peer is asked, for the card and for what it holds of our logs."""

ONLINE_KEY: Final = (
    "bring the online key that the newest root names to this node, and name its place under [keys] in node.toml; or "
    "let the officers of root name another (docs/keys.md)"
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Newer:
    """A card that is to come into force; ``files`` are all of the repository, signed anew."""

    own: Peer
    version: int
    data: bytes
    files: TrustFiles


@dataclass(slots=True)
class CardRestorer:
    """Takes newer cards back, one process at a time."""

    database: Database
    locks: Locks
    fetcher: Fetcher
    keyring: Keyring
    now: Callable[[], datetime]
    hear: Callable[[], None] = lambda: None
    """Raises ConflictError before a peer has said what it holds of ours (``services.awakening``)."""

    def behind(self) -> bool:
        """Say whether a newer card is known, or a newer root refuses what is served."""
        with self.database.read() as connection:
            own = find_own(connection)
            if own is None:
                return False
            known = newest_known_card(connection)
            if known is not None and known[0] > (own.card_version or 0):
                return True
            return _is_refused(own_root(connection), read_file(connection, own.number, *TIMESTAMP_FILE))

    def restore(self) -> int:
        """Put the newest known card into force, or sign anew for a newer root; give the card's version then.

        Raises ConflictError where the online key that the newest root names is not here, or no peer gives the card
        that it showed; CardError and TrustError for a card that must not be in force; StoreError.
        """
        self.hear()
        with ExitStack() as held:
            held.enter_context(self.locks.hold("trust/own", timeout=LOCK_WAIT_SECONDS))
            with self.database.read() as connection:
                own, known = own_peer(connection), newest_known_card(connection)
                files = load_files(connection, own.number)
                targets = None if known is None else known_targets(connection, known[0])
                logs = list_logs(connection, peer=own.number)
                peers = list_peers(connection, states=(ACTIVE,))
            if known is None or targets is None or known[0] <= (own.card_version or 0):
                return self._renew(own, files)
            peers.sort(key=lambda peer: (peer.member != known[1], peer.member))
            data = self._fetch(own, known[0], targets, peers)
            card = _verified(own, files, targets, data)
            added = {versioned(TrustRole.TARGETS, known[0]): targets, card_of(targets, where=own.url): data}
            newer = _Newer(own, known[0], data, self._sign(own, {**files, **added}))
            notes = self._ask(card, {one.origin for one in logs if one.named and one.state == "open"}, peers)
            for one in sorted(logs, key=lambda log: log.number):
                held.enter_context(self.locks.hold(f"release/{one.number}", timeout=LOCK_WAIT_SECONDS))
            with self.database.write() as connection:
                self._take(connection, newer, notes)
        log.warning("our own newer card is in force again", version=newer.version)
        return newer.version

    def _renew(self, own: Peer, files: TrustFiles) -> int:
        """Sign snapshot and timestamp anew where the newest root refuses them."""
        if _is_refused(newest(files, TrustRole.ROOT), newest(files, TrustRole.TIMESTAMP)):
            renewed = self._sign(own, files)
            with self.database.write() as connection:
                save_files(connection, own.number, renewed)
                prune_files(connection, own.number, renewed.keys())
        return own.card_version or 0

    def _fetch(self, own: Peer, version: int, targets: bytes, peers: Sequence[Peer]) -> bytes:
        """Give the card that the targets metadata name, from whoever has it."""
        name = card_of(targets, where=own.url)[1]
        failure: HashpactError = ConflictError("there is no peer to read our own card back from", where=own.url)
        for peer in peers:
            source = PeerCards(StoppableFetcher(self.fetcher, Stop(seconds=PEER_SECONDS)), peer.url)
            try:
                data = source.card(own.member, version)
            except OutOfTimeError as error:
                failure = FetchTimeoutError(f"the peer is slow: {error.reason}", where=peer.url, mend="wait")
            except HashpactError as error:
                failure = error
            else:
                if name.startswith(f"{hashlib.sha256(data).hexdigest()}."):
                    return data
                failure = TrustError("this is not the card that we signed", where=peer.url)
            log.warning("our own card could not be read back from a peer", member=peer.member, reason=str(failure))
        raise failure

    def _sign(self, own: Peer, files: TrustFiles) -> TrustFiles:
        """Sign snapshot and timestamp anew; ConflictError, and an alarm, where the key for it is not here."""
        try:
            return renew_online(files, self.keyring.trust_signers(RowName.ONLINE), self.now())
        except (ConfigurationError, KeyUnavailableError, TrustError) as error:
            what = f"our own newer card cannot be put into force, since the online key is not here: {error.what}"
            with self.database.write() as connection:
                raise_alarm(connection, CARD_BEHIND, what, now=self.now(), mend=ONLINE_KEY, peer=own.number)
            raise ConflictError(what, where=error.where, mend=ONLINE_KEY) from error

    def _ask(self, card: Card, known: set[str], peers: Sequence[Peer]) -> list[tuple[str, str, bytes]]:
        """Ask all peers for checkpoints of the open logs that are new here; give member, origin and note of each."""
        notes = []
        for peer in peers:
            source = PeerLogs(self.fetcher, stop=Stop(seconds=PEER_SECONDS))
            for one in card.logs:
                if one.state.value != "open" or one.origin in known:
                    continue
                try:
                    note = witnessed(source, peer, one.origin, audience=one.name != one.kind)
                except OutOfTimeError:
                    break
                except HashpactError as error:
                    log.info("a peer does not say what it knows of us", member=peer.member, reason=str(error))
                    break
                if note is not None:
                    notes.append((peer.member, one.origin, note))
        return notes

    def _take(self, connection: Connection, newer: _Newer, notes: Sequence[tuple[str, str, bytes]]) -> None:
        now, own = self.now(), own_peer(connection)
        if own.card_version != newer.own.card_version:
            raise StoreMovedError("another card came into force meanwhile", mend="look again")
        save_files(connection, own.number, newer.files)
        prune_files(connection, own.number, newer.files.keys())
        take_card(connection, own, newer.data, newer.version, now)
        logs = {one.origin: one for one in list_logs(connection, peer=own.number) if one.named}
        for member, origin, note in notes:
            try:
                learn(connection, logs[origin].number, note, member=member, now=now)
            except HashpactError as error:
                log.warning("a peer shows what we never signed", member=member, origin=origin, reason=str(error))
        for one in logs.values():
            if one.state != "open" and not one.erased:
                _end(connection, get_log(connection, one.number, lock=True), now=now)
        _move_waiting(connection, list(logs.values()))
        settle_card(connection, now=now)


def _is_refused(root: bytes | None, timestamp: bytes | None) -> bool:
    """Say whether the newest root refuses the timestamp that is served."""
    if root is None or timestamp is None:
        return False
    try:
        check_role(root, TrustRole.TIMESTAMP, timestamp, where="own trust repository")
    except TrustError:
        return True
    return False


def _verified(own: Peer, files: TrustFiles, targets: bytes, data: bytes) -> Card:
    """Check targets metadata and card by the newest root, as a peer would; TrustError, CardError."""
    root = newest(files, TrustRole.ROOT)
    if root is None:
        raise TrustError("this member has no root", where=own.url)
    check_role(root, TrustRole.TARGETS, targets, where=own.url)
    card = parse_card(data, member=own.member, url=own.url)
    check_rows(root, card, where=own.url)
    return card


def _end(connection: Connection, current: Log, *, now: datetime) -> None:
    """Let an own log that the card closed end where it says: cut what is beyond, or have read back what is missing."""
    size, root = current.final_size or 0, current.final_root or b""
    ends = {current.placed_size, current.accepted_size, current.held_size}
    if ends == {size} and current.accepted_root == root and current.pending_size is None:
        return
    if current.placed_size < size:
        learn_head(connection, current.number, size=size, root=root, note=b"", member="our own card", now=now)
        return
    if EntryReader(connection).root_at(current.number, size) != root:
        learn_head(connection, current.number, size=size, root=root, note=b"", member="our own card", now=now)
        tell_forked(connection, current, size, b"", now=now)
        return
    kept = trim(connection, current.number, size, now=now)
    end_log(connection, current.number, size=size, root=root, range=kept.encode())
    if current.held_size != size:
        set_held(connection, current.number, size=size, range=kept.encode())
        rederive(connection, own_peer(connection), current.sequence, now=now)


def _move_waiting(connection: Connection, logs: Sequence[Log]) -> None:
    """Let what waits for logs that are closed now wait for the open one of their name."""
    for one in logs:
        if one.state == "open":
            others = [other.number for other in logs if other.name == one.name and other.number != one.number]
            move_queue(connection, others, one.number)
