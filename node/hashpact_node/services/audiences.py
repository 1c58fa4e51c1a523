"""Audiences: members who read a log of ours that nobody else may (docs/operations.md, Audiences).

Each has a log with a key of its own. The card, which anybody may read, names the log by random letters and says nothing
more of it: whom it is for, and what it is called here, stays in this database. A card tells at what size a log ends and
with how many entries a fresh one begins; so an audience's log never ends nor begins afresh, it leaves the card whole.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from hashpact_keys.rows import RowName
from hashpact_node.services.ending import take_up
from hashpact_node.services.key_files import RETIRED, NewKey, make_key, put_aside
from hashpact_node.services.key_places import KeyPlaces
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.own_cards import OwnTrust, must_have_targets, own_trust, sign_card, with_successor
from hashpact_node.services.preparing import prepare
from hashpact_node.services.release import Releaser
from hashpact_node.services.taking import take_own_card
from hashpact_node.services.views import own_number
from hashpact_node.store.audiences import (
    Audience,
    add_audience,
    add_readers,
    close_audience,
    find_audience,
    get_audience,
    list_audiences,
    remove_readers,
)
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.owners import count_live
from hashpact_node.store.peers import FOLLOWED, find_peer
from hashpact_node.store.queue import count_unreleased, drop_entries
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError

EVERYBODY: Final = "everybody"
"""The name under which the general log stands among audiences: that of all members."""

GENERAL_LOG: Final = LogKind.LISTINGS.value
LOCK_WAIT_SECONDS: Final = 120.0

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_OPAQUE_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class AudienceView:
    """An audience as people look at it; ``size`` is what its log shows, ``live`` counts its live listings.

    Times are Unix seconds. ``origin`` is None once the audience has ended.
    """

    name: str
    log: str
    origin: str | None
    readers: tuple[str, ...]
    created_at: int
    closed_at: int | None
    size: int
    live: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Ended:
    """An audience that ended: the version of the card, and what is left to be done about its key."""

    name: str
    card: int
    notes: tuple[str, ...]


@dataclass(slots=True)
class Audiences:
    """Makes, changes and ends audiences; the targets key signs the card when one begins or ends."""

    database: Database
    locks: Locks
    keyring: Keyring
    places: KeyPlaces
    releaser: Releaser
    now: Callable[[], datetime]

    def create(self, name: str, members: Sequence[str], *, uri: str | None = None) -> AudienceView:
        """Begin an audience of some members that are followed: its key, or that of a URI, its log and a new card.

        Raises RequestError for a name that none can have and without members, NotFoundError for a member that is not
        followed, ConflictError for a name that is taken, KeyUnavailableError where the targets key is not at hand,
        ConfigurationError where ``node.toml`` cannot be changed, StoreError.
        """
        _check_name(name)
        if not members:
            raise RequestError("an audience has members", where=name, mend="name them: --members beta,gamma")
        self.releaser.may_sign()
        must_have_targets(self.keyring)  # before anything is made
        with self.locks.hold("trust/own", timeout=LOCK_WAIT_SECONDS):
            with self.database.read() as connection:
                _must_follow(connection, members)
                _must_be_free(connection, name)
                trust = own_trust(connection)
            number = self._begin(trust, name, members, uri)
        self.releaser.release(number)
        return self.show(name)

    def _begin(self, trust: OwnTrust, name: str, members: Sequence[str], uri: str | None) -> int:
        """Make the log of an audience and name it in a new card; give its local number."""
        log_name = f"{GENERAL_LOG}-{secrets.token_hex(_OPAQUE_BYTES)}"
        key = self._new_key(trust, log_name, uri)
        signer = self.keyring.signer_at(key.uri)
        log = prepare(self.database, self.keyring, trust, log_name, fresh=False, now=self.now(), signer=signer)
        files = sign_card(self.keyring, trust, with_successor(trust.card, log.card), self.now)
        with self.database.write() as connection:
            # In one transaction, so that the log is never there for anybody else.
            add_audience(connection, name, log_name, members, now=self.now())
            take_up(connection, trust, files, [], [log], now=self.now())
        return log.number

    def _new_key(self, trust: OwnTrust, log_name: str, uri: str | None) -> NewKey:
        if uri is not None and any(uri in uris for uris in self.places.values()):
            raise RequestError("this key signs already", where=uri, mend="give a key that never served before")
        key = make_key(self.keyring, RowName.RELEASE, uri or f"file:keys/{log_name}.key")
        if any(key.public == public for _, public in trust.card.public_keys()):
            raise RequestError("the card names this key already", where=uri, mend="give a key that never served before")
        self.places.add(log_name, key.uri)
        return key

    def close(self, name: str) -> Ended:
        """End an audience: its log leaves the card, and what was listed there leaves every reader's blocklist.

        What waits to be released there is dropped. Raises NotFoundError, KeyUnavailableError where the targets key is
        not at hand, StoreError.
        """
        self.releaser.may_sign()
        must_have_targets(self.keyring)
        with ExitStack() as held:
            held.enter_context(self.locks.hold("trust/own", timeout=LOCK_WAIT_SECONDS))
            with self.database.read() as connection:
                trust, audience = own_trust(connection), get_audience(connection, name)
                log = _log_of(connection, audience)
            if log is not None:
                held.enter_context(self.locks.hold(f"release/{log.number}", timeout=LOCK_WAIT_SECONDS))
            left = tuple(one for one in trust.card.logs if one.name != audience.log_name)
            files = sign_card(self.keyring, trust, replace(trust.card, logs=left), self.now)
            with self.database.write() as connection:
                close_audience(connection, audience.number, now=self.now())
                if log is not None:
                    drop_entries(connection, log.number)
                version = take_own_card(connection, trust, files, self.now())
        notes = []
        for uri in self.places.get(audience.log_name, ()):
            self.places.remove(audience.log_name, uri)
            notes.append(put_aside(self.keyring, uri, RETIRED))
        return Ended(name, version, tuple(note for note in notes if note is not None))

    def add_members(self, name: str, members: Sequence[str]) -> AudienceView:
        """Let more members read the log of an audience, all of it, and ring at them; NotFoundError."""
        with self.database.write() as connection:
            audience = get_audience(connection, name)
            _must_follow(connection, members)
            add_readers(connection, audience.number, members, now=self.now())
            log = _log_of(connection, audience)
        if log is not None and self.releaser.witness_lines is not None:
            self.releaser.witness_lines.ring(log.number)
        return self.show(name)

    def remove_members(self, name: str, members: Collection[str]) -> AudienceView:
        """Let members read the log of an audience no more: their next request fails. What they read, they have.

        Raises NotFoundError for an audience that there is not, and for a member that is none of its readers.
        """
        with self.database.write() as connection:
            audience = get_audience(connection, name)
            for member in members:
                if member not in audience.readers:
                    raise NotFoundError(
                        f"{member} does not belong to {name}", mend=f"see `hashpact audience show {name}`"
                    )
            remove_readers(connection, audience.number, members)
        return self.show(name)

    def list(self, *, closed: bool = False) -> list[AudienceView]:
        """Give all audiences, by name; those that have ended only where ``closed`` is set."""
        with self.database.read() as connection:
            return _views(connection, list_audiences(connection, closed=closed))

    def show(self, name: str) -> AudienceView:
        """Give one audience; NotFoundError."""
        with self.database.read() as connection:
            return _views(connection, [get_audience(connection, name)])[0]


def log_names(connection: Connection, audiences: Sequence[str]) -> list[str]:
    """Give the names of the logs of some audiences, each once and in their order; NotFoundError for an unknown one."""
    names = [GENERAL_LOG if one == EVERYBODY else get_audience(connection, one).log_name for one in audiences]
    return list(dict.fromkeys(names))


def audience_names(connection: Connection) -> dict[str, str]:
    """Give what the audience of a log is called here, by the name of the log."""
    return {GENERAL_LOG: EVERYBODY} | {one.log_name: one.name for one in list_audiences(connection)}


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None or name == EVERYBODY:
        raise RequestError(
            f"no audience can be named {name[:80]!r}",
            mend=f"use up to 63 of a-z, 0-9 and hyphens; {EVERYBODY!r} is the log that all members read",
        )


def _must_be_free(connection: Connection, name: str) -> None:
    if find_audience(connection, name) is not None:
        raise ConflictError(f"there is an audience {name} already", mend=f"see `hashpact audience show {name}`")


def _must_follow(connection: Connection, members: Sequence[str]) -> None:
    for member in members:
        peer = find_peer(connection, member)
        if peer is None or peer.own or peer.state not in FOLLOWED:
            raise NotFoundError(f"no peer {member[:60]!r} is followed here", mend="see `hashpact peer list`")


def _log_of(connection: Connection, audience: Audience) -> Log | None:
    logs = list_logs(connection, peer=own_number(connection))
    return next((log for log in logs if log.named and log.name == audience.log_name), None)


def _views(connection: Connection, audiences: Sequence[Audience]) -> list[AudienceView]:
    logs = {log.name: log for log in list_logs(connection, peer=own_number(connection)) if log.named}
    live = count_live(connection) if audiences else {}
    found = []
    for one in audiences:
        log = logs.get(one.log_name)
        found.append(
            AudienceView(
                one.name,
                one.log_name,
                None if log is None else log.origin,
                one.readers,
                one.created_at,
                one.closed_at,
                0 if log is None else log.accepted_size,
                0 if log is None else live.get(log.number, 0),
                0 if log is None else count_unreleased(connection, log),
            )
        )
    return found
