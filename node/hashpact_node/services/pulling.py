"""Pull a peer: its trust repository when it is due or hinted at, then each of its logs; what fails is shown.

A peer's failure never removes a hash and never stops another peer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from hashpact_node.net.fetcher import CannotSignError, Fetcher
from hashpact_node.net.peer_logs import PeerLogs, peer_rate
from hashpact_node.net.rates import RateLimit
from hashpact_node.net.stopping import OutOfTimeError, Stop, StoppableFetcher, Stopped
from hashpact_node.services.catch_up import Progress
from hashpact_node.services.cosigning import Cosigner
from hashpact_node.services.digests import counting_logs
from hashpact_node.services.evidence import EvidenceKeeper
from hashpact_node.services.log_trust import accepted_cards
from hashpact_node.services.not_for_us import NOT_FOR_US, is_left_alone, leave_to_others, refuses, take_as_ours
from hashpact_node.services.polling import DOORBELL, PASSING, POLL, WAITS_FOR_EARLIER, Polled, Poller
from hashpact_node.services.problems import alarm_about, problem
from hashpact_node.services.replacing import Replacer, may_replace, must_replace
from hashpact_node.services.required_witnesses import required_witnesses
from hashpact_node.services.trusting import Trusting
from hashpact_node.services.views import own_peer
from hashpact_node.services.workers import Workers
from hashpact_node.settings import Settings
from hashpact_node.store.alarms import clear_alarms
from hashpact_node.store.database import Database
from hashpact_node.store.listed import begin_counting
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, get_log, list_logs
from hashpact_node.store.outcomes import day_of
from hashpact_node.store.peers import ACTIVE, Peer, get_peer, record_failure, record_success
from hashpact_protocol.errors import (
    ConflictError,
    FetchStatusError,
    FetchTimeoutError,
    ForkError,
    HashpactError,
    SignatureError,
    StoreBusyError,
)
from hashpact_protocol.tlog_policy import TlogPolicy

BACKOFF_MAX_SECONDS = 3_600.0
ASKED_WAIT_SECONDS = 60.0
"""How long somebody who asks for a pull waits for one that runs already."""

PULL_SECONDS = 30 * 60.0
"""How long one pull may take; the next one goes on where it stopped."""

_OURS = (StoreBusyError, CannotSignError)
"""What says nothing about the peer, and ends the pull without a trace."""


@dataclass(slots=True)
class Pulled:
    """What one pull came to: each log's outcome, the errors, requests made and bytes read of logs.

    ``unfinished`` says why it ended before there was nothing more to read, where that is nobody's fault.
    """

    member: str
    logs: list[Polled] = field(default_factory=list)
    errors: list[HashpactError] = field(default_factory=list)
    requests: int = 0
    bytes: int = 0
    unfinished: str | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """How a pull goes: whom it tells of progress, why it began, and which sequences it reads, all if it is None.

    ``asked``: a person or a doorbell asked for it, and not the schedule.
    """

    progress: Progress | None
    by: str
    sequences: frozenset[int] | None
    asked: bool


@dataclass(slots=True)
class Puller:
    """Pulls peers, one process and thread at a time each.

    ConfigurationError when the settings name a policy file that cannot be used; it is read here, once.
    """

    database: Database
    locks: Locks
    fetcher: Fetcher
    workers: Workers
    settings: Settings
    now: Callable[[], datetime]
    cosigner: Cosigner | None = None
    _rates: dict[str, RateLimit] = field(default_factory=dict, init=False, repr=False)
    _required: int | TlogPolicy = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._required = required_witnesses(self.settings)

    def pull(
        self,
        member: str,
        *,
        progress: Progress | None = None,
        wait_seconds: float = 0.0,
        stop: threading.Event | None = None,
        by: str = POLL,
        sequences: frozenset[int] | None = None,
    ) -> Pulled:
        """Pull one peer now; what went wrong is in the result, and shown with the peer.

        Where it is being pulled already, that is waited for up to ``wait_seconds``; then it is pulled once more. It
        ends within a moment once ``stop`` is set or the peer is paused or removed, and after 30 minutes; what was
        committed by then stays. ``by`` a doorbell only those ``sequences`` are read, and what fails is not counted
        against the peer.

        Raises NotFoundError for an unknown member, ConflictError for a paused one, StoreBusyError while it is being
        pulled already, and other StoreErrors; KeyUnavailableError and ConfigurationError where this process cannot sign
        what it asks, which is no failure of the peer.
        """
        with self.locks.hold(f"peer/{member}", timeout=wait_seconds):
            peer = self._peer(member)
            pulled = Pulled(member)
            until = Stop(seconds=PULL_SECONDS, event=stop, asks=lambda: self._unwanted(member))
            source = PeerLogs(self.fetcher, rate=self._rates.setdefault(member, peer_rate()), stop=until)
            told = self._pull_until(
                peer, source, pulled, _Way(progress, by, sequences, wait_seconds > 0 or by == DOORBELL)
            )
            pulled.requests, pulled.bytes = source.requests, source.bytes
            if told and not (by == DOORBELL and pulled.errors):
                self._record(peer, pulled)
        return pulled

    def _pull_until(self, peer: Peer, source: PeerLogs, pulled: Pulled, way: _Way) -> bool:
        """Pull until there is no more or it has to stop; give whether that says anything about the peer."""
        try:
            self._pull(peer, source, pulled, way)
        except StoreBusyError:
            raise
        except CannotSignError as ours:
            raise ours.reason from None
        except HashpactError as error:
            pulled.errors.append(error)
        except OutOfTimeError as over:
            if source.stop.headway:
                pulled.unfinished = over.reason
            else:
                what = f"nothing could be read within {PULL_SECONDS / 60:g} minutes"
                mend = "the peer is slow; it is tried again later"
                pulled.errors.append(FetchTimeoutError(what, where=peer.url, mend=mend))
        except Stopped as stopped:
            pulled.unfinished = stopped.reason
            return False
        return True

    def _unwanted(self, member: str) -> str | None:
        """Say why a pull that runs should not go on."""
        with self.database.read() as connection:
            state = get_peer(connection, member).state
        return None if state == ACTIVE else f"{member} is {state} now"

    def is_due(self, peer: Peer) -> bool:
        """Say whether a peer that failed has been left alone for long enough.

        A next try further ahead than any wait lasts was set before the clock was put back.
        """
        if peer.next_try_at is None:
            return True
        return not 0 < peer.next_try_at - self.now().timestamp() <= BACKOFF_MAX_SECONDS

    def _peer(self, member: str) -> Peer:
        with self.database.read() as connection:
            peer = get_peer(connection, member)
        if peer.own:
            raise ConflictError(f"{member} is this node itself", mend="name one of its peers")
        if peer.state != ACTIVE:
            raise ConflictError(
                f"{member} is {peer.state}", mend=f"`hashpact peer resume {member}`, or add it anew, and pull then"
            )
        return peer

    def _pull(self, peer: Peer, source: PeerLogs, pulled: Pulled, way: _Way) -> None:
        trusting = Trusting(self.database, StoppableFetcher(self.fetcher, source.stop), self.now)
        if trusting.due(peer):
            peer = trusting.refresh(peer)
        hinted = self._poll_all(peer, source, pulled, way)
        if hinted and trusting.due(peer, hint=True):
            peer = trusting.refresh(peer)
            pulled.logs.clear()
            pulled.errors.clear()
            self._poll_all(peer, source, pulled, way)

    def _poll_all(self, peer: Peer, source: PeerLogs, pulled: Pulled, way: _Way) -> bool:
        """Poll every log that counts; give whether anything hinted at news in the trust repository.

        What a log says may depend on the logs before it in its sequence, so it waits until those are held as far as
        they count; one that starts afresh does not.
        """
        logs, poller = self._prepare(peer, source, way)
        replacer = Replacer(peer, poller)
        logs, hinted = self._replace_some(replacer, logs, pulled)
        short: set[int] = set()
        for log in logs:
            if self._passes_over(log, short, pulled, asked=way.asked):
                continue
            short.discard(log.sequence)
            try:
                polled = poller.poll(log.number)
            except _OURS:
                raise
            except HashpactError as failure:
                if refuses(failure, log):
                    pulled.logs.append(leave_to_others(self.database, log, self.now()))
                    short.add(log.sequence)
                    continue
                # What the card tells otherwise than what is held is taken up, and what came of that is what is told.
                replaces = isinstance(failure, ForkError) and may_replace(log)
                error = self._replace(replacer, [log]) if replaces else failure
                if error is None:
                    continue
                pulled.errors.append(error)
                hinted = hinted or _hints(error)
                told = self._keep(error, log)
                with self.database.write() as connection:
                    if not told:
                        alarm_about(connection, error, now=self.now(), peer=peer.number, log=log.number)
                    if get_log(connection, log.number).held_size < (log.final_size or 0):
                        short.add(log.sequence)
            else:
                take_as_ours(self.database, log, self.now())
                pulled.logs.append(polled)
                hinted = hinted or polled.card_version not in (None, peer.card_version)
        return hinted

    def _passes_over(self, log: Log, short: set[int], pulled: Pulled, *, asked: bool) -> bool:
        """Say whether a log is left alone: one that waits for those before it, is erased, or is not for us.

        Nobody has the entries of an erased log any more; what is held of it counts until its successor is held.
        """
        if log.erased:
            with self.database.write() as connection:
                clear_alarms(connection, PASSING, now=self.now(), peer=log.peer, log=log.number)
            if log.held_size < (log.final_size or 0):
                short.add(log.sequence)
            return True
        if not asked and is_left_alone(self.database, log, self.now()):
            pulled.logs.append(Polled(log.origin, log.held_size, log.held_size, NOT_FOR_US, None))
            return True
        if log.sequence in short and log.fresh is None:
            pulled.logs.append(Polled(log.origin, log.held_size, log.held_size, WAITS_FOR_EARLIER, None))
            return True
        return False

    def _keep(self, error: HashpactError, log: Log) -> bool:
        """Keep the evidence of a fork; give whether its alarm was raised with it."""
        return isinstance(error, ForkError) and EvidenceKeeper(self.database, self.now).keep_fork(error, log.number).new

    def _replace_some(self, replacer: Replacer, logs: list[Log], pulled: Pulled) -> tuple[list[Log], bool]:
        """Take up what a card cuts or reorders; give the logs that are polled now, and whether anything hinted at news.

        A sequence of which what is to count cannot be had yet keeps its list, and is left alone.
        """
        hinted, left_alone, changed = False, set(), False
        for sequence in dict.fromkeys(log.sequence for log in logs):
            of_it = [log for log in logs if log.sequence == sequence]
            if not must_replace(of_it):
                continue
            error = self._replace(replacer, of_it)
            changed = True
            if error is not None:
                left_alone.add(sequence)
                hinted = hinted or _hints(error)
                pulled.errors.append(error)
                with self.database.write() as connection:
                    alarm_about(connection, error, now=self.now(), peer=replacer.peer.number, log=of_it[-1].number)
        if changed:
            with self.database.read() as connection:
                logs = counting_logs(list_logs(connection, peer=replacer.peer.number))
        return [log for log in logs if log.sequence not in left_alone], hinted

    def _replace(self, replacer: Replacer, logs: list[Log]) -> HashpactError | None:
        """Replace what is held of the sequence of some logs; give what hindered that."""
        try:
            replacer.replace(logs[0].sequence)
        except _OURS:
            raise
        except HashpactError as error:
            return error
        return None

    def _prepare(self, peer: Peer, source: PeerLogs, way: _Way) -> tuple[list[Log], Poller]:
        with self.database.read() as connection:
            own = own_peer(connection)
            cards = accepted_cards(connection)
            logs = counting_logs(list_logs(connection, peer=peer.number))
            logs = [log for log in logs if way.sequences is None or log.sequence in way.sequences]
        poller = Poller(
            database=self.database,
            source=source,
            workers=self.workers,
            now=self.now,
            reader=own.member,
            cards=cards,
            fetch_threads=self.settings.fetch_threads,
            require_witnesses=self._required,
            progress=way.progress,
            cosigner=self.cosigner,
            news_by=way.by,
        )
        return logs, poller

    def _record(self, peer: Peer, pulled: Pulled) -> None:
        now = self.now()
        with self.database.write() as connection:
            if not pulled.errors:
                record_success(connection, peer.number, now=now, next_try_at=None)
                begin_counting(connection, peer.number, day_of(now.date()))
                return
            failures = get_peer(connection, peer.member).failures
            wait = min(self.settings.pull_interval_seconds * 2 ** min(failures, 16), BACKOFF_MAX_SECONDS)
            record_failure(
                connection,
                peer.number,
                now=now,
                error=problem(pulled.errors[0]),
                next_try_at=int(now.timestamp() + wait),
            )


def _hints(error: HashpactError) -> bool:
    """Say whether an error may mean that the card is not the newest any more."""
    if isinstance(error, FetchStatusError):
        return error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
    return isinstance(error, SignatureError)
