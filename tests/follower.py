"""A member that follows scripted publishers over real HTTP, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.batches import Batch, BatchRequest, read_batch_unknown
from hashpact_node.services.cosigning import Cosigner
from hashpact_node.services.digests import Digester
from hashpact_node.services.peering import Peering
from hashpact_node.services.pulling import Pulled, Puller
from hashpact_node.services.trusting import Trusting
from hashpact_node.services.workers import Workers
from hashpact_node.store.alarms import Alarm, list_alarms
from hashpact_node.store.bundles import count_entries
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, find_log
from hashpact_node.store.owners import live_listings
from hashpact_node.store.peers import Peer, get_peer
from hashpact_node.store.signals import find_signals
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.policy import Action
from hashpact_protocol.signals import Signal
from own_member import NOW, OwnMember
from publisher import Publisher


class InlineWorkers(Workers):
    """Reads batches in this process and at once, for tests that are about something else than worker processes."""

    def __init__(self) -> None:
        super().__init__(1)

    def submit(self, request: BatchRequest) -> Future[Batch]:
        """Read the batch now; the future holds what came of it."""
        future: Future[Batch] = Future()
        try:
            future.set_result(read_batch_unknown(request))
        except HashpactError as error:
            future.set_exception(error)
        return future


@dataclass
class Follower:
    """Acme with its peers; ``clock[0]`` is what time it is."""

    own: OwnMember
    fetcher: Fetcher
    clock: list[datetime] = field(default_factory=lambda: [NOW])
    workers: Workers = field(default_factory=InlineWorkers)
    puller: Puller = field(init=False)
    peering: Peering = field(init=False)

    def __post_init__(self) -> None:
        self.puller = self.make_puller()
        self.peering = Peering(self.database, self.locks, Trusting(self.database, self.fetcher, self.now), self.now)

    @property
    def database(self) -> Database:
        """Its database."""
        return self.own.database

    @property
    def locks(self) -> Locks:
        """The locks of its database."""
        return Locks(self.database, self.own.home)

    @property
    def now(self) -> Callable[[], datetime]:
        """What tells the time."""
        return lambda: self.clock[0]

    def later(self, **time: float) -> None:
        """Let time pass."""
        self.clock[0] += timedelta(**time)

    def make_puller(self, workers: Workers | None = None, **settings: Any) -> Puller:
        """Give one more puller, as another process would have."""
        told = replace(self.own.settings, fetch_threads=2, **settings)
        cosigner = Cosigner(self.database, self.own.keyring, self.now)
        return Puller(self.database, self.locks, self.fetcher, workers or self.workers, told, self.now, cosigner)

    def add(self, publisher: Publisher) -> None:
        """Add a publisher as a peer, by its fingerprint."""
        self.peering.add(publisher.member, publisher.url, fingerprint=publisher.fingerprint)

    def pull(self, publisher: Publisher) -> list[HashpactError]:
        """Pull a publisher, and give what went wrong."""
        return self.pulled(publisher).errors

    def pulled(self, publisher: Publisher) -> Pulled:
        """Pull a publisher, and give what came of it."""
        return self.puller.pull(publisher.member)

    def peer(self, member: str = "beta") -> Peer:
        """Give a peer's row."""
        with self.database.read() as connection:
            return get_peer(connection, member)

    def log(self, publisher: Publisher, slug: str = "listings-1") -> Log:
        """Give the row of one of a publisher's logs."""
        with self.database.read() as connection:
            log = find_log(connection, f"{publisher.prefix}/logs/{slug}")
        assert log is not None
        return log

    def held(self, publisher: Publisher) -> int:
        """Give how many entries of a publisher's first log are merged, after looking that all of them are stored."""
        log = self.log(publisher)
        with self.database.read() as connection:
            assert count_entries(connection, log.number) == log.held_size
        return log.held_size

    def live(self, publisher: Publisher) -> list[int]:
        """Give the indices of the live listings in a publisher's first log."""
        log = self.log(publisher)
        with self.database.read() as connection:
            return live_listings(connection, log.number, sequence=log.sequence)

    def action(self, signal: Signal) -> Action:
        """Give what is recommended for a signal."""
        with self.database.read() as connection:
            row = find_signals(connection, [signal.key]).get(signal.key)
        return Action(row.action) if row else Action.NONE

    def alarms(self) -> dict[str, Alarm]:
        """Give the alarms that are raised, by code."""
        with self.database.read() as connection:
            return {alarm.code: alarm for alarm in list_alarms(connection)}

    def digest(self) -> str:
        """Give the digest of all that is merged."""
        return Digester(self.database).digest().hex
