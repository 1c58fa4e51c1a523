"""End an own log, and let a successor go on in its place (docs/protocol.md, Card).

What is signed, is signed outside any transaction; then the new card, the end of the old log and the successor with its
first checkpoint are taken up in one. So a crash leaves either what was before, or all of it; run again, it begins anew.
A successor's first size is reserved under its origin before it is signed, so that no size is ever signed under two
roots: where something else is to be signed after a crash, the successor gets another origin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from hashpact_node.services.ending import final_at, take_up
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.own_cards import OwnTrust, own_trust, sign_card, with_closed, with_erased, with_successor
from hashpact_node.services.preparing import prepare
from hashpact_node.services.release import Releaser, merge_stored
from hashpact_node.store.awakening import known_heads
from hashpact_node.store.database import Database
from hashpact_node.store.erasures import list_erasures
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, find_sequence, get_log, list_logs
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.errors import (
    ConfigurationError,
    ConflictError,
    KeyUnavailableError,
    NotFoundError,
    RequestError,
)
from hashpact_protocol.merge import id_text

LOCK_WAIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Succeeded:
    """What a new card did: the log that ended and where, the log that goes on, and how much of it was restated.

    ``erased``: the listings, by id, that the successor does without; ``card`` is the version of the new card.
    """

    name: str
    card: int
    closed: str | None = None
    final_size: int | None = None
    opened: str | None = None
    fresh: int | None = None
    erased: tuple[str, ...] = ()


@dataclass(slots=True)
class Succession:
    """Changes which logs of this member are open. Whoever publishes meanwhile waits for a moment."""

    database: Database
    locks: Locks
    keyring: Keyring
    releaser: Releaser
    now: Callable[[], datetime]

    def close(self, name: str, *, at: int | None = None) -> Succeeded:
        """End the open log of a name at what it shows, or at ``at`` entries; what comes after that never happened.

        Statements that wait, and those that have a place and were never shown, wait for a successor; those that are cut
        off by ``at`` are void. Raises NotFoundError where no log of that name is open, RequestError for a size that
        was not shown or an audience's log, KeyUnavailableError where the targets key is not at hand, StoreError.
        """
        _must_be_ordinary(name)
        log = self._open_log(name)
        if log is None:
            raise NotFoundError(f"no log named {name!r} is open", mend="see `hashpact logs status`")
        with self._alone(log, releases=at is None) as (trust, log):
            if log is None:
                raise AssertionError("a log that is open was looked at")
            final = final_at(self.database, log, at)
            card = with_closed(trust.card, log.origin, final)
            files = sign_card(self.keyring, trust, card, self.now)
            with self.database.write() as connection:
                version = take_up(connection, trust, files, [(log, final)], now=self.now())
        return Succeeded(name, version, closed=log.origin, final_size=final.size)

    def open(self, name: str, *, fresh: bool = False) -> Succeeded:
        """Open the next log of a name; its open one ends in the same card at what it shows.

        A ``fresh`` one restates all that lives, but for listings that wait to be erased: then the logs before it are
        erased. Raises RequestError for a name that no log can have and for an audience's log, ConflictError for a
        fresh log where nothing was ever published, KeyUnavailableError where the targets, release or crisis key is not
        at hand, StoreError. An audience's log has a fresh successor only where something in it is to be erased.
        """
        if not (fresh and self._erases(name)):
            _must_be_ordinary(name)
        log = self._open_log(name)
        with self._alone(log, releases=True) as (trust, log):
            final = None if log is None else final_at(self.database, log, None)
            successor = prepare(self.database, self.keyring, trust, name, fresh=fresh, now=self.now())
            card = with_successor(trust.card, successor.card)
            if log is not None and final is not None:
                card = with_closed(card, log.origin, final)
            if successor.restated.left_out:
                before = {one.origin for one in card.sequence(name)} - {successor.card.origin}
                card = with_erased(card, before)
            files = sign_card(self.keyring, trust, card, self.now)
            with self.database.write() as connection:
                ends = [] if log is None or final is None else [(log, final)]
                version = take_up(connection, trust, files, ends, [successor], now=self.now())
        self.releaser.release(successor.number)
        return Succeeded(
            name,
            version,
            closed=None if log is None else log.origin,
            final_size=None if final is None else final.size,
            opened=successor.card.origin,
            fresh=successor.card.fresh,
            erased=tuple(sorted(map(id_text, successor.restated.left_out))),
        )

    def _erases(self, name: str) -> bool:
        with self.database.read() as connection:
            sequence = find_sequence(connection, own_trust(connection).peer.number, name)
            return sequence is not None and bool(list_erasures(connection, sequence, waiting=True))

    def _open_log(self, name: str) -> Log | None:
        with self.database.read() as connection:
            trust = own_trust(connection)
            logs = list_logs(connection, peer=trust.peer.number)
        return next((log for log in logs if log.name == name and log.named and log.state == "open"), None)

    @contextmanager
    def _alone(self, log: Log | None, *, releases: bool) -> Iterator[tuple[OwnTrust, Log | None]]:
        """Keep others from signing cards and from releasing this log; give both as they stand then."""
        self.releaser.may_sign()
        if log is not None and releases and not self._ends_behind(log):
            # A log whose key is lost ends at what it shows; what waits moves on to the successor.
            with suppress(ConfigurationError, KeyUnavailableError):
                self.releaser.release(log.number)
        with ExitStack() as held:
            held.enter_context(self.locks.hold("trust/own", timeout=LOCK_WAIT_SECONDS))
            if log is not None:
                held.enter_context(self.locks.hold(f"release/{log.number}", timeout=LOCK_WAIT_SECONDS))
            with self.database.read() as connection:
                trust = own_trust(connection)
                log = None if log is None else get_log(connection, log.number)
            if log is not None:
                if log.state != "open":
                    raise ConflictError("this log was closed meanwhile", where=log.origin, mend="look again")
                merge_stored(self.database, log, log.accepted_size, now=self.now)
                with self.database.read() as connection:
                    log = get_log(connection, log.number)
            yield trust, log

    def _ends_behind(self, log: Log) -> bool:
        """Say whether more is known of this log than is here: it is never signed again, and ends at what it shows."""
        with self.database.read() as connection:
            return bool(known_heads(connection, log.number))


def _must_be_ordinary(name: str) -> None:
    """Raise RequestError for an audience's log: a size at which it ends, or begins, would stand in the public card."""
    if any(name.startswith(f"{kind}-") for kind in LogKind):
        raise RequestError(
            "a log with a suffix belongs to an audience, and a card that says where it ends tells everybody its size",
            where=name,
            mend="see `hashpact audience --help`: it begins and ends as a whole; --fresh is for erasures alone",
        )
