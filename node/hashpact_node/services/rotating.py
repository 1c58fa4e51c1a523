"""Replace the keys that the card names, without a moment in which readers believe no key (docs/protocol.md, Card).

A new key stands in ``node.toml`` before the card names it, and an old one leaves it after the card has left it out. So
whatever a crash leaves is a line that nobody heeds, and the next run goes on from there or begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from hashpact_keys.rotation import (
    DATED_ROWS,
    LOG_ROWS,
    OVERLAP,
    dated_keys,
    named_keys,
    open_logs,
    with_log_key,
    with_log_key_alone,
    with_next_key,
    with_only_key,
)
from hashpact_keys.rows import RowName
from hashpact_node.services.card_bell import CardBell
from hashpact_node.services.key_files import RETIRED, REVOKED, NewKey, make_key, put_aside
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.own_cards import OwnTrust, own_trust, sign_card
from hashpact_node.services.release import Releaser
from hashpact_node.services.row_keys import keys_here, keys_over, newest_named, others
from hashpact_node.services.taking import take_own_card
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import find_log, list_logs
from hashpact_node.store.rotation import begin_rotation, end_rotation, find_rotation
from hashpact_protocol.card import Card
from hashpact_protocol.errors import ConflictError, HashpactError, RequestError, SignatureError
from hashpact_protocol.notes import KeyType, VerifierKey, parse_note, verify_note

LOCK_WAIT_SECONDS: Final = 120.0

BOTH = "both keys sign"
ALONE = "the new key signs alone"
NEXT = "the new key is announced"
REPLACED = "no open log has the key yet; the next one gets the new one"
REVOKED_AT_ONCE = "the old keys count no more"


@dataclass(frozen=True, slots=True)
class Rotated:
    """What came of a step: where the new key lives, and the version of the new card, None where none was needed.

    ``at`` is when the new key begins, or when the old one may leave, in Unix seconds. ``retired`` are URIs that left
    ``node.toml``; ``notes`` are for a person to act on.
    """

    row: str
    step: str
    key: str
    card: int | None = None
    at: int | None = None
    retired: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Rotating:
    """Rotates and revokes the keys that the card names; the targets key signs each new card."""

    database: Database
    locks: Locks
    keyring: Keyring
    places: KeyPlaces
    releaser: Releaser
    bell: CardBell
    now: Callable[[], datetime]

    def rotate(self, row: RowName, *, uri: str | None = None, overlap: timedelta = OVERLAP) -> Rotated:
        """Begin to replace the key of a row by a new one, or by that of a URI; go on with what was begun before.

        Raises RequestError for a row that the card does not name and for a key that served before, ConflictError where
        another rotation of the row is under way, KeyUnavailableError where the targets key is not at hand, StoreError.
        """
        _must_be_named_by_the_card(row)
        with self._alone(row) as trust:
            if row in DATED_ROWS:
                done = self._announce(trust, row, uri, overlap)
            elif open_logs(trust.card, row):
                done = self._name_beside(trust, row, uri, overlap)
            else:
                new = self._key_to_come(trust.card, row, uri)
                done = self._retire(
                    row, Rotated(row.value, REPLACED, new.uri), others(self.keyring, row, new.uri), RETIRED
                )
        return self._show(row, done)

    def finish(self, row: RowName, *, at_once: bool = False) -> Rotated:
        """Let the new key of a row stand alone, and put the old one away.

        Raises ConflictError where no rotation is under way, before each open log shows a checkpoint that the new key
        signed, and, unless ``at_once``, before all peers have had the time to read the card that names both.
        """
        _must_be_named_by_the_card(row)
        with self._alone(row) as trust:
            if row in DATED_ROWS:
                return self._tidy(trust.card, row)
            done = self._leave_alone(trust, row, at_once=at_once)
        return self._show(row, done)

    def revoke(self, row: RowName, *, uri: str | None = None) -> Rotated:
        """Let a new witness or request key, or that of a URI, replace all others at once: they count no more.

        Raises RequestError for other rows, and what ``rotate`` raises.
        """
        _must_be_named_by_the_card(row)
        if row in LOG_ROWS:
            raise RequestError(
                f"a {row.value} key is not revoked by itself: what a thief has signed with it would stand, and readers "
                "that were shown it could not go on",
                mend="close its logs at the last good size, and go on in successors: `hashpact keys recover`",
            )
        with self._alone(row) as trust:
            # Never one that a run before this one left: it may have been stolen, too.
            new = make_key(self.keyring, row, uri)
            card = with_only_key(trust.card, row, new.public, now=self.now())
            self.places.add(row, new.uri)
            version = self._sign(trust, card)
            done = Rotated(row.value, REVOKED_AT_ONCE, new.uri, version, int(self.now().timestamp()))
            done = self._retire(row, done, others(self.keyring, row, new.uri), REVOKED)
        return self._show(row, done)

    @contextmanager
    def _alone(self, row: RowName) -> Iterator[OwnTrust]:
        self.releaser.may_sign()
        self.places.add(row, self.keyring.uris_of(row)[0])  # nothing is made where node.toml cannot be changed
        with self.locks.hold("trust/own", timeout=LOCK_WAIT_SECONDS):
            with self.database.read() as connection:
                trust = own_trust(connection)
            yield trust

    def _sign(self, trust: OwnTrust, card: Card, also: Callable[[Connection], None] = lambda _connection: None) -> int:
        """Sign a new card and put it into force, with ``also`` in the same transaction; give its version."""
        files = sign_card(self.keyring, trust, card, self.now)
        with self.database.write() as connection:
            version = take_own_card(connection, trust, files, self.now())
            also(connection)
        return version

    def _name_beside(self, trust: OwnTrust, row: RowName, uri: str | None, overlap: timedelta) -> Rotated:
        """Name a new log key beside the old one."""
        named = named_keys(trust.card, row)
        if len(named) > 1:
            new = newest_named(self.keyring, trust.card, row)
            if uri is not None and uri != new.uri:
                raise ConflictError(
                    f"a rotation of the {row.value} key is under way, to {new.uri}",
                    mend=f"end it first: `hashpact keys rotate {row.value} --finish`",
                )
        else:
            new = self._key_to_come(trust.card, row, uri)
        card, now = with_log_key(trust.card, row, new.public), self.now()
        ready_at = now + overlap

        def begin(connection: Connection) -> None:
            begin_rotation(connection, row.value, new.public, now=now, ready_at=ready_at)

        version = None if card == trust.card else self._sign(trust, card, begin)
        return Rotated(row.value, BOTH, new.uri, version, self._ready_at(row, new.public))

    def _leave_alone(self, trust: OwnTrust, row: RowName, *, at_once: bool) -> Rotated:
        """Take the old log key out of the card."""
        named = named_keys(trust.card, row)
        new = newest_named(self.keyring, trust.card, row) if named else NewKey(self.keyring.uris_of(row)[0], b"")
        version = None
        if len(named) > 1:
            card = with_log_key_alone(trust.card, row, new.public)
            self._must_show(card, row, new.public)
            ready_at = self._ready_at(row, new.public)
            if not at_once and self.now().timestamp() < ready_at:
                raise ConflictError(
                    f"peers read cards hourly, and may not know the new {row.value} key before {_time(ready_at)}",
                    mend="run this again then; --at-once goes on now, and who has not read the card has to first",
                )
            version = self._sign(trust, card, lambda connection: end_rotation(connection, row.value))
        old = others(self.keyring, row, new.uri)
        if version is None and not old:
            raise _nothing_under_way(row)
        return self._retire(row, Rotated(row.value, ALONE, new.uri, version), old, RETIRED)

    def _announce(self, trust: OwnTrust, row: RowName, uri: str | None, overlap: timedelta) -> Rotated:
        """Name the witness or request key that comes next."""
        now = self.now()
        last = dated_keys(trust.card, row)[-1:]
        if last and last[0].begins > now and uri is None:
            here = next((key for key in keys_here(self.keyring, row) if key.public == last[0].public), None)
            if here is not None:
                return Rotated(row.value, NEXT, here.uri, at=int(last[0].begins.timestamp()))
        over = keys_over(self.keyring, trust.card, row, now)
        new = self._key_to_come(trust.card, row, uri)
        card = with_next_key(trust.card, row, new.public, now=now, overlap=overlap)
        version = self._sign(trust, card)
        done = Rotated(row.value, NEXT, new.uri, version, int(dated_keys(card, row)[-1].begins.timestamp()))
        return self._retire(row, done, over, RETIRED)

    def _tidy(self, card: Card, row: RowName) -> Rotated:
        """Put away witness or request keys that are over."""
        now, keys = self.now(), dated_keys(card, row)
        over = keys_over(self.keyring, card, row, now)
        if over:
            left = next(uri for uri in self.keyring.uris_of(row) if uri not in over)
            return self._retire(row, Rotated(row.value, ALONE, left), over, RETIRED)
        if keys and keys[-1].begins > now:
            what = f"the new {row.value} key begins at {_time(keys[-1].begins.timestamp())}, by itself"
        elif any(key.ends > now for key in keys[:-1]):
            what = f"the old {row.value} key counts until {_time(max(key.ends for key in keys[:-1]).timestamp())}"
        else:
            raise _nothing_under_way(row)
        raise ConflictError(what, mend="run this again after that; nothing else has to be done")

    def _key_to_come(self, card: Card, row: RowName, uri: str | None) -> NewKey:
        """Give a key that the card does not name yet, and which stands in ``node.toml``: one that a crash left, or new.

        What stands before a key that the card names was added since; what stands behind it is on its way out.
        """
        named = named_keys(card, row)
        here = keys_here(self.keyring, row)
        if uri is None and len(here) > 1 and here[0].public not in named and here[1].public in named:
            return here[0]
        new = make_key(self.keyring, row, uri)
        if any(new.public == public for _, public in card.public_keys()):
            raise RequestError(
                "the card names this key already", where=new.uri, mend="give a key that never served before"
            )
        self.places.add(row, new.uri)
        return new

    def _retire(self, row: RowName, done: Rotated, uris: list[str], suffix: str) -> Rotated:
        """Take keys out of ``node.toml``, and put their files aside."""
        notes = []
        for uri in uris:
            self.places.remove(row, uri)
            notes.append(put_aside(self.keyring, uri, suffix))
        told = tuple(note for note in notes if note is not None)
        return replace(done, retired=(*done.retired, *uris), notes=(*done.notes, *told))

    def _must_show(self, card: Card, row: RowName, public: bytes) -> None:
        """See that each open log shows a checkpoint that the new key signed."""
        with self.database.read() as connection:
            shown = {log.origin: find_log(connection, log.origin) for log in open_logs(card, row)}
        for origin, log in shown.items():
            note = None if log is None else log.accepted_note
            try:
                signed = note is not None and verify_note(
                    parse_note(note), (VerifierKey(origin, KeyType.ED25519, public),)
                )
            except SignatureError:
                signed = False
            if not signed:
                raise ConflictError(
                    "no checkpoint that the new key signed is shown yet",
                    where=origin,
                    mend="see that the running node can use the new key; it signs anew every five minutes",
                )

    def _ready_at(self, row: RowName, public: bytes) -> int:
        """Say when the old key may leave; where that was never written down, as long after the card as can be."""
        with self.database.read() as connection:
            began = find_rotation(connection, row.value)
            accepted_at = own_trust(connection).peer.card_accepted_at or 0
        if began is not None and began.public == public:
            return began.ready_at
        return accepted_at + int(OVERLAP.total_seconds())

    def _show(self, row: RowName, done: Rotated) -> Rotated:
        """Sign what is shown anew by the keys that the card names now, and ring at the readers."""
        notes = [] if row is RowName.REQUEST or done.step == NEXT else self._sign_anew(row)
        self.bell.tell()
        return replace(done, notes=(*done.notes, *notes))

    def _sign_anew(self, row: RowName) -> list[str]:
        with self.database.read() as connection:
            trust = own_trust(connection)
            wanted = {
                log.origin for kind in ([row] if row in LOG_ROWS else LOG_ROWS) for log in open_logs(trust.card, kind)
            }
            logs = [log for log in list_logs(connection, peer=trust.peer.number) if log.origin in wanted]
        notes = []
        for log in logs:
            try:
                self.releaser.renew(log.number)
            except HashpactError as error:
                notes.append(f"{log.origin}: not signed anew yet, the running node does so within minutes: {error}")
        return notes


def _must_be_named_by_the_card(row: RowName) -> None:
    if row not in LOG_ROWS and row not in DATED_ROWS:
        raise RequestError(
            f"the {row.value} keys are named by the root of the trust repository, which changes by a ceremony",
            mend="begin one: `hashpact keys ceremony start`",
        )


def _nothing_under_way(row: RowName) -> ConflictError:
    return ConflictError(
        f"no rotation of the {row.value} key is under way", mend=f"begin one: `hashpact keys rotate {row.value}`"
    )


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"
