"""Keep a peer's trust repository and card: read them, store what was verified, tell people what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hashpact_keys.trust_files import METADATA
from hashpact_node.net.trust import Peer as TrustPeer
from hashpact_node.net.trust import TrustUpdate, refresh_trust
from hashpact_node.net.trust_fetcher import TrustSource
from hashpact_node.services.actors import ActorKind
from hashpact_node.services.counting import settle_counting
from hashpact_node.services.problems import problem
from hashpact_node.services.rederiving import held_order, settle_card
from hashpact_node.services.removal import drop_claims_of_log
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.audiences import audience_of_log
from hashpact_node.store.audit import append
from hashpact_node.store.audit_form import Event
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.erasures import note_erased
from hashpact_node.store.log_rows import prune_logs
from hashpact_node.store.logs import LogTerms, find_log, list_logs, put_card_logs
from hashpact_node.store.peers import Peer, accept_card, get_peer, list_peers, record_trust_check
from hashpact_node.store.trust import load_files, prune_files, save_files
from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.card_changes import CardChange, ChangeCode, card_changes
from hashpact_protocol.card_logs import CardLog
from hashpact_protocol.errors import HashpactError, TrustError

TRUST_INTERVAL = timedelta(hours=1)
TRUST_HINT_INTERVAL = timedelta(minutes=1)
"""A hint makes us look at the trust repository at most this often."""

TRUST_ALARM = "trust-repository"
SHARED_KEY_ALARM = "key-shared"
DROPPED_HISTORY = "log-history-dropped"
CLOSED_FOR_A_REASON = "log-closed"
UNDONE = "`hashpact peer undone {member}` shows what was undone here; nothing has to be done"


@dataclass(slots=True)
class Trusting:
    """Reads trust repositories into the database. The caller holds the lock of the peer."""

    database: Database
    source: TrustSource
    now: Callable[[], datetime]

    def due(self, peer: Peer, *, hint: bool = False) -> bool:
        """Say whether it is time to look again."""
        if peer.trust_checked_at is None:
            return True
        age = self.now().timestamp() - peer.trust_checked_at
        # A look that lies ahead was made before the clock was put back; it says nothing about how long ago it was.
        return age < 0 or age >= (TRUST_HINT_INTERVAL if hint else TRUST_INTERVAL).total_seconds()

    def refresh(self, peer: Peer) -> Peer:
        """Look, and store what was verified; give the peer as it stands then.

        What is wrong with a repository that was read before is an alarm, not an error: its last card stays in force.
        Raises TrustError and FetchError when there is no card yet and none can be had.
        """
        now = self.now()
        with self.database.read() as connection:
            stored = load_files(connection, peer.number)
        pinned = peer.pinned_root or peer.pinned_fingerprint or ""
        try:
            update = refresh_trust(self.source, TrustPeer(peer.member, peer.url, pinned), stored, now)
        except HashpactError as error:
            update = TrustUpdate((), stored, problems=(error,))
        with self.database.write() as connection:
            self._store(connection, peer, update, now)
            peer = get_peer(connection, peer.member)
        if peer.card is None:
            raise update.problems[0] if update.problems else TrustError("no card came", where=peer.url)
        return peer

    def _store(self, connection: Connection, peer: Peer, update: TrustUpdate, now: datetime) -> None:
        roots = {(METADATA, name): data for name, data in update.new_roots}
        save_files(connection, peer.number, roots | dict(update.files))
        prune_files(connection, peer.number, update.files.keys())
        if update.card is not None and update.card != peer.card:
            take_card(connection, peer, update.card, update.card_version, now)
        elif update.card is not None and update.card_version != peer.card_version:
            accept_card(
                connection,
                peer.number,
                old_version=peer.card_version,
                version=update.card_version,
                card=update.card,
                now=now,
            )
        settle_counting(connection, peer.number, now=now)  # a member that is added anew holds nothing
        failed = update.problems[0] if update.problems else None
        record_trust_check(connection, peer.number, now=now, error=None if failed is None else problem(failed))
        if failed is None:
            clear_alarm(connection, TRUST_ALARM, now=now, peer=peer.number)
        else:
            what = f"the trust repository of {peer.member}: {failed.what}"
            raise_alarm(connection, TRUST_ALARM, what, now=now, mend=failed.mend, peer=peer.number)


def take_card(connection: Connection, peer: Peer, data: bytes, version: int, now: datetime) -> Card:
    """Put a verified card into force: its logs, and alarms for what people have to look at."""
    card = parse_card(data, member=peer.member, url=peer.url)
    accept_card(connection, peer.number, old_version=peer.card_version, version=version, card=data, now=now)
    before = held_order(connection, peer.number)
    _drop_renamed(connection, peer, card, now)
    put_card_logs(connection, peer.number, [_terms(log) for log in card.logs])
    for log in list_logs(connection, peer=peer.number):
        if log.named and log.erased:
            note_erased(connection, log.number, now=now)
    settle_card(connection, peer, before, now=now)  # what a card no longer names stops counting at once
    _prune(connection, peer, now)
    if peer.card is not None:
        _tell_changes(connection, peer, parse_card(peer.card, member=peer.member, url=peer.url), card, now)
    _tell_shared_keys(connection, peer, card, now)
    taken = Event(ActorKind.JOB.value, "trust", "take card", subject=peer.member, detail={"version": version})
    append(connection, taken, now=now)
    return card


def _prune(connection: Connection, peer: Peer, now: datetime) -> None:
    """Keep what is left of logs that cards name no more within bounds; our own stay."""
    gone = [] if peer.own else prune_logs(connection, peer.number)
    if gone:
        what = f"{peer.member} renames its logs so often that what was stored of old ones is dropped: {gone[0]}"
        raise_alarm(connection, DROPPED_HISTORY, what, now=now, mend="ask the member why", peer=peer.number)


def _drop_renamed(connection: Connection, peer: Peer, card: Card, now: datetime) -> None:
    """Drop the claims of logs that get another name or kind: they are merged anew, in another sequence or otherwise."""
    for log in list_logs(connection, peer=peer.number):
        new = card.log(log.origin)
        if new is not None and log.held_size and (new.name, new.kind.value) != (log.name, log.kind):
            drop_claims_of_log(connection, log, now=now)


def _tell_changes(connection: Connection, peer: Peer, old: Card, new: Card, now: datetime) -> None:
    for change in card_changes(old, new):
        what = f"the new card of {peer.member}: {change.subject} {change.what}"
        if change.reason is not None and not peer.own:
            closed = find_log(connection, change.subject)
            what, mend = f"{what}, because: {change.reason}", UNDONE.format(member=peer.member)
            number = None if closed is None else closed.number
            raise_alarm(connection, CLOSED_FOR_A_REASON, what, now=now, mend=mend, peer=peer.number, log=number)
        elif change.alarm and change.reason is None and not _is_nobodys_loss(connection, peer, old, change):
            mend = "ask the member whether this was meant"
            raise_alarm(connection, change.code.value, what, now=now, mend=mend, peer=peer.number)


def _is_nobodys_loss(connection: Connection, peer: Peer, old: Card, change: CardChange) -> bool:
    """Say whether a log left the card that belonged to an audience which we ended, or none of which we ever read."""
    log = old.log(change.subject) if change.code is ChangeCode.DROPPED else None
    if log is None or log.name == log.kind:
        return False
    if peer.own:
        return audience_of_log(connection, log.name) is None
    row = find_log(connection, log.origin)
    return row is None or not row.accepted_size


def _tell_shared_keys(connection: Connection, peer: Peer, card: Card, now: datetime) -> None:
    """Raise an alarm when another member's card lists one of these keys too."""
    keys = {public for _, public in card.public_keys()}
    for other in list_peers(connection, own=True):
        if other.number == peer.number or other.card is None:
            continue
        theirs = {public for _, public in parse_card(other.card, member=other.member, url=other.url).public_keys()}
        if keys & theirs:
            error = TrustError(
                f"{peer.member} and {other.member} list the same public key",
                mend="ask both: a cosignature by it speaks for one of them only",
            )
            raise_alarm(connection, SHARED_KEY_ALARM, error.what, now=now, mend=error.mend, peer=peer.number)


def _terms(log: CardLog) -> LogTerms:
    return LogTerms(
        name=log.name,
        kind=log.kind.value,
        origin=log.origin,
        url=log.url,
        state=log.state.value,
        keys=tuple(str(key) for key in log.keys),
        final_size=None if log.final is None else log.final.size,
        final_root=None if log.final is None else log.final.root,
        fresh=log.fresh,
        erased=log.erased,
    )
