"""Recover from the theft of a release or crisis key (docs/protocol.md, Card).

One new card closes every open log that the stolen key signs at its last good size, and opens successors that a new key
signs and that begin with what the owner reaffirms. So a reader takes up cut and successor in one transaction, and a
thief's listings and withdrawals are undone there, whatever they were shown.

The new key stands in ``node.toml`` before the card names it, and the stolen one leaves it after: a crash leaves either
what was before, beside a line that nobody heeds, or all of it. Run again, it begins anew, or does what is left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from hashpact_keys.rows import RowName, row_of_log
from hashpact_node.services.beyond import Cut, Entry, Suspect, logs_of_row, suspects
from hashpact_node.services.ending import final_at, take_up
from hashpact_node.services.key_files import STOLEN, NewKey, is_put_aside, make_key, put_aside
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.own_cards import (
    OwnTrust,
    must_have_targets,
    own_trust,
    sign_card,
    with_closed,
    with_successor,
)
from hashpact_node.services.own_heads import BEHIND, FORKED
from hashpact_node.services.preparing import Successor, prepare
from hashpact_node.services.release import Releaser, merge_stored
from hashpact_node.store.alarms import clear_alarms
from hashpact_node.store.awakening import drop_queued, forget_heads, known_heads
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.erasures import drop_erasures, list_erasures
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, get_log
from hashpact_node.store.owners import find_owners
from hashpact_protocol.card import Card
from hashpact_protocol.errors import ConfigurationError, HashpactError, KeyUnavailableError, NotFoundError, RequestError
from hashpact_protocol.limits import LIMITS

LOCK_WAIT_SECONDS = 120.0

Keeps = Callable[[Entry], bool]
"""Says of an entry beyond where its log ends, or one that waits, whether the owner reaffirms it."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """One log that ended, where, and the one that goes on; ``kept`` of ``beyond`` entries stand in it again."""

    name: str
    closed: str
    size: int
    opened: str
    beyond: int
    kept: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did: the card's version, the logs, the new key, the old ones by URI, and what is left to do.

    ``finished`` says that the card was in force already, and what a recovery before this had left was done.
    """

    row: str
    card: int
    key: str
    logs: tuple[Replaced, ...] = ()
    retired: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be recovered: the name of a log, where it and the others of its key end, and what is kept.

    ``uri`` is where the new key lives, a new file in the home if it is None; ``reason`` is what every peer is told.
    """

    name: str
    cut: Cut
    choose: Callable[[Sequence[Suspect]], Keeps]
    reason: str
    uri: str | None = None


@dataclass(slots=True)
class Recovery:
    """Recovers the logs of a row whose key was stolen."""

    database: Database
    locks: Locks
    keyring: Keyring
    places: KeyPlaces
    releaser: Releaser
    tell_peers: Callable[[], object]
    now: Callable[[], datetime]

    def look(self, name: str, cut: Cut) -> list[Suspect]:
        """Say where the logs would end that the key of the named one signs, and what lies beyond; nothing changes.

        Raises what ``suspects`` raises.
        """
        with self.database.read() as connection:
            return suspects(connection, name, cut)

    def is_unfinished(self, name: str) -> bool:
        """Say whether a recovery before this took up its card and was stopped then: ``recover`` does what is left."""
        row, _ = self._logs(name)
        with self.database.read() as connection:
            trust = own_trust(connection)
        return self._finish_before(trust, row) is not None

    def recover(self, wanted: Wanted) -> Recovered:
        """Close the logs, open successors with a new key and with what is kept, and put the old key away.

        Raises what ``suspects`` raises; RequestError for a reason that cannot be shown, or a key that served before;
        KeyUnavailableError where the targets key or the new one is not at hand, ConfigurationError where ``node.toml``
        cannot be changed, ConflictError while this process may not sign, StoreError.
        """
        check_reason(wanted.reason)
        self.releaser.may_sign()
        must_have_targets(self.keyring)  # before anything is made
        row, logs = self._logs(wanted.name)
        with self._alone(logs) as trust:
            done = self._finish_before(trust, row)
            if done is None:
                done = self._replace(trust, row, wanted)
        return self._go_on(row, done)

    def _logs(self, name: str) -> tuple[RowName, list[Log]]:
        with self.database.read() as connection:
            for row in (RowName.RELEASE, RowName.CRISIS):
                logs = logs_of_row(connection, row)
                if any(log.name == name for log in logs):
                    return row, logs
        raise NotFoundError(f"no log named {name!r} is open", mend="see `hashpact logs status`")

    @contextmanager
    def _alone(self, logs: Sequence[Log]) -> Iterator[OwnTrust]:
        """Keep others from signing cards and from releasing these logs; what they show is merged first."""
        with ExitStack() as held:
            held.enter_context(self.locks.hold("trust/own", timeout=LOCK_WAIT_SECONDS))
            for log in sorted(logs, key=lambda log: log.number):
                held.enter_context(self.locks.hold(f"release/{log.number}", timeout=LOCK_WAIT_SECONDS))
                with self.database.read() as connection:
                    log = get_log(connection, log.number)  # noqa: PLW2901  # as it stands now
                merge_stored(self.database, log, log.accepted_size, now=self.now)
            with self.database.read() as connection:
                trust = own_trust(connection)
            yield trust

    def _finish_before(self, trust: OwnTrust, row: RowName) -> Recovered | None:
        """Say what a recovery before this has left: a key whose logs were closed for a reason is here still."""
        named = {key.public for log in trust.card.logs if log.final is None for key in log.keys}
        stolen = _closed_for_a_reason(trust.card, row) - named
        current, left = None, False
        for uri in self.keyring.uris_of(row):
            try:
                public = self.keyring.signer_at(uri).public
            except (ConfigurationError, KeyUnavailableError):
                left = left or (bool(stolen) and is_put_aside(self.keyring, uri, STOLEN))
                continue
            current = uri if current is None and public in named else current
            left = left or public in stolen
        if current is None or not left:
            return None
        return Recovered(row.value, trust.peer.card_version or 0, current, finished=True)

    def _replace(self, trust: OwnTrust, row: RowName, wanted: Wanted) -> Recovered:
        found = self.look(wanted.name, wanted.cut)
        keeps = wanted.choose(found)
        finals = [(one.log, final_at(self.database, one.log, one.size)) for one in found]
        new = self._new_key(trust.card, row, wanted.uri)
        signer, card = self.keyring.signer_at(new.uri), trust.card
        successors: list[Successor] = []
        for one, (log, final) in zip(found, finals, strict=True):
            kept = tuple(entry.data for entry in one.beyond if keeps(entry))
            successor = prepare(
                self.database,
                self.keyring,
                trust,
                log.name,
                fresh=False,
                now=self.now(),
                signer=signer,
                entries=kept,
            )
            successors.append(successor)
            card = with_closed(with_successor(card, successor.card), log.origin, final, wanted.reason)
        files = sign_card(self.keyring, trust, card, self.now)
        with self.database.write() as connection:
            version = take_up(connection, trust, files, finals, successors, now=self.now())
            for one, successor in zip(found, successors, strict=True):
                self._settle(connection, one, successor, keeps)
        logs = tuple(
            Replaced(
                one.log.name,
                one.log.origin,
                one.size,
                successor.card.origin,
                len(one.beyond),
                len(successor.restated.entries),
            )
            for one, successor in zip(found, successors, strict=True)
        )
        return Recovered(row.value, version, new.uri, logs)

    def _new_key(self, card: Card, row: RowName, uri: str | None) -> NewKey:
        if any(uri in uris for name, uris in self.places.items() if name != row.value):
            raise RequestError("this key signs for another row", where=uri, mend="one key serves one row: give another")
        new = make_key(self.keyring, row, uri)
        if any(new.public == public for _, public in card.public_keys()):
            raise RequestError(
                "the card names this key already", where=new.uri, mend="give a key that never served before"
            )
        self.places.add(row, new.uri)
        return new

    def _settle(self, connection: Connection, one: Suspect, successor: Successor, keeps: Keeps) -> None:
        """Drop what is not to wait for the successor, and what is known of a log that is never signed again."""
        log = one.log
        drop_queued(connection, successor.number, {entry.data for entry in one.waiting if not keeps(entry)})
        forget_heads(connection, known_heads(connection, log.number))
        clear_alarms(connection, (BEHIND, FORKED), now=self.now(), peer=log.peer, log=log.number)
        # Who asks for an erasure withdraws the listing first; one that is undone leaves a listing that lives.
        wanted = {erasure.listing for erasure in list_erasures(connection, log.sequence, waiting=True)}
        owners = find_owners(connection, log.sequence, wanted)
        drop_erasures(connection, log.sequence, [listing for listing, owner in owners.items() if owner.live])

    def _go_on(self, row: RowName, done: Recovered) -> Recovered:
        """Tell the peers, put the old keys away, and release what waits; what fails is told, for the card stands."""
        self.tell_peers()
        retired, notes = [], []
        for uri in self.keyring.uris_of(row):
            if uri == done.key:
                continue
            note = put_aside(self.keyring, uri, STOLEN)
            self.places.remove(row, uri)
            retired.append(uri)
            notes += [] if note is None else [note]
        with self.database.read() as connection:
            numbers = [log.number for log in logs_of_row(connection, row)]
        for number in numbers:
            try:
                self.releaser.release(number)
            except HashpactError as error:
                notes.append(f"what waits is released later: {error}")
        return replace(done, retired=tuple(retired), notes=tuple(notes))


def check_reason(reason: str) -> None:
    """Raise RequestError for a reason that a card cannot tell."""
    if not reason.isprintable() or not 0 < len(reason.encode("utf-8", "replace")) <= LIMITS.card_reason_max_bytes:
        raise RequestError(
            f"a reason is one line of up to {LIMITS.card_reason_max_bytes} bytes",
            where="--reason",
            mend="say it shorter",
        )


def _closed_for_a_reason(card: Card, row: RowName) -> set[bytes]:
    """Give the keys of a row's logs that were closed for a reason."""
    logs = [log for log in card.logs if log.reason is not None and row_of_log(log.kind.value) is row]
    return {key.public for log in logs for key in log.keys}
