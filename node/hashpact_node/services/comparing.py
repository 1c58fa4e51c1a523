"""Compare what peers were shown with what is held here: checkpoints, and cards (docs/protocol.md, Comparing).

Whatever a peer says is only ever a reason to look. What does not verify is told as a notice, and touches nobody's
health; what verifies and contradicts what is held is evidence against whoever signed it, never against who showed it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeVar

import structlog

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_checks import check_role
from hashpact_keys.trust_files import newest, version_of
from hashpact_node import clock
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_cards import CardSeen, PeerCards
from hashpact_node.net.peer_logs import PeerLogs
from hashpact_node.net.peer_witness import PeerWitness
from hashpact_node.services.diverging import divergence
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.evidence import EvidenceKeeper
from hashpact_node.services.log_trust import accepted_cards, log_trust
from hashpact_node.services.readers import is_of_audience
from hashpact_node.services.shown_cards import ShownCards
from hashpact_node.services.trusting import Trusting
from hashpact_node.store.alarms import clear_alarm, find_alarm, raise_alarm
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.peers import ACTIVE, Peer, find_own, get_peer, list_peers
from hashpact_node.store.trust import load_files
from hashpact_protocol.errors import (
    FetchError,
    FetchStatusError,
    ForkError,
    HashpactError,
    MalformedError,
    NotFoundError,
    StoreBusyError,
    TrustError,
    VerificationError,
)
from hashpact_protocol.follow import Head, Judged, judge_checkpoint
from hashpact_protocol.witness import origin_hash

PEERS_AT_ONCE: Final = 3
SECONDS_A_PEER: Final = 60.0
NOTICE: Final = "comparison-notice"
WITHHELD: Final = "card-withheld"
WITHHELD_MEND: Final = (
    "ask the member, by another channel, which version of its card is in force, and whether its online key was stolen"
)

log = structlog.get_logger(__name__)

_Item = TypeVar("_Item")


class Choose(Protocol):
    """Chooses some of many."""

    def __call__(self, population: Sequence[Peer], k: int) -> list[Peer]:
        """Choose ``k`` of them."""
        ...


@dataclass(slots=True)
class Compared:
    """What comparing with one peer came to; ``notices`` say what did not verify."""

    member: str
    checkpoints: int = 0
    cards: int = 0
    evidence: list[int] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Comparer:
    """Compares with peers; one at a time."""

    database: Database
    locks: Locks
    fetcher: Fetcher
    keeper: EvidenceKeeper
    trusting: Trusting
    now: Callable[[], datetime]
    choose: Choose = secrets.SystemRandom().sample

    def compare_some(self) -> list[Compared]:
        """Compare with a few peers, chosen at random; whoever cannot be read is left alone."""
        with self.database.read() as connection:
            peers = list_peers(connection, states=(ACTIVE,))
        done = []
        for peer in self.choose(peers, min(PEERS_AT_ONCE, len(peers))):
            try:
                done.append(self.compare(peer.member))
            except FetchError as error:
                log.info("a peer could not be compared with", member=peer.member, error=str(error))
        return done

    def compare(self, member: str) -> Compared:
        """Compare with one peer what it was shown; NotFoundError, FetchError when it cannot be read, StoreErrors."""
        with self.database.read() as connection:
            peer = get_peer(connection, member)
            members = {one.member for one in list_peers(connection, own=True) if one.card is not None}
            held = [one for one in list_logs(connection) if one.member in members]
        # Nobody tells whom an audience's log is for, so nobody is asked about one.
        logs = [one for one in held if one.named and one.state == "open" and not is_of_audience(one)]
        compared = Compared(member)
        until = clock.monotonic() + SECONDS_A_PEER
        witness = PeerWitness(self.fetcher, peer.url)
        for one in _within(until, logs):
            self._guard(compared, one.origin, partial(self._checkpoint, peer, witness, one, compared))
        self._guard(compared, f"cards of {member}", lambda: self._cards(peer, until, compared))
        self._tell(peer, compared)
        return compared

    def _guard(self, compared: Compared, where: str, look: Callable[[], None]) -> None:
        """Look, and write down what a lie, or a fault, of the peer's stopped."""
        try:
            look()
        except (MalformedError, VerificationError) as error:
            compared.notices.append(f"{where}: {error}")

    def _checkpoint(self, peer: Peer, witness: PeerWitness, one: Log, compared: Compared) -> None:
        note = witness.checkpoint(origin_hash(one.origin))
        if note is None:
            return
        compared.checkpoints += 1
        try:
            judged = self._judge(one, note)
            if judged.checkpoint.size > one.accepted_size:
                self._look_ahead(peer, one, judged)
        except ForkError as error:
            number = self.keeper.keep_fork(error, one.number).number
            if number is not None:
                compared.evidence.append(number)

    def _judge(self, one: Log, note: bytes) -> Judged:
        with self.database.read() as connection:
            cards = accepted_cards(connection)
            own = find_own(connection)
            reader = EntryReader(connection)
            return judge_checkpoint(
                note,
                log_trust(one, cards, reader=own.member if own else ""),
                held=Head(one.accepted_size, one.accepted_root) if one.accepted_size else None,
                accepted_note=one.accepted_note or one.cosigned_note,
                root_at=lambda size: reader.root_at(one.number, size) if size <= one.held_size else None,
                now=self.now(),
            )

    def _look_ahead(self, peer: Peer, one: Log, judged: Judged) -> None:
        """Prove, by tiles of who showed it or else of the publisher, that a larger checkpoint continues what is held.

        Raises ForkError when it does not. Where neither has the tiles it stays a hint: polling is the ground truth.
        """
        larger = Head(judged.checkpoint.size, judged.checkpoint.root)
        held = one.accepted_note or one.cosigned_note
        if held is None or not one.accepted_size:
            return
        logs = PeerLogs(self.fetcher)
        for url in (f"{peer.url}/mirror/{origin_hash(one.origin)}", one.url):
            between = divergence(one.accepted_size, larger, partial(logs.tile, url), None)
            if between is None:
                continue
            if between.prefix_root != one.accepted_root:
                raise ForkError(
                    f"the checkpoint of size {larger.size} that {peer.member} was shown does not continue the "
                    f"{one.accepted_size} entries accepted here",
                    evidence=(held, judged.note),
                    prefix_root=between.prefix_root,
                    proof=between.proof,
                    where=one.origin,
                )
            return
        log.info("a larger checkpoint could not be checked", origin=one.origin, size=larger.size, shown_to=peer.member)

    def _cards(self, peer: Peer, until: float, compared: Compared) -> None:
        asked = PeerCards(self.fetcher, peer.url)
        with self.database.read() as connection:
            members = {one.member: one for one in list_peers(connection, own=True, states=(ACTIVE,))}
        mine = {card.member: card for card in ShownCards(self.database).list()}
        for seen in _within(until, asked.list()):
            held = mine.get(seen.member)
            if held is None or held.url != seen.url:
                continue
            compared.cards += 1
            if seen.version == held.version and seen.sha256 != held.sha256:
                self._guard(
                    compared,
                    f"card {seen.version} of {seen.member}",
                    partial(self._other_card, asked, members[seen.member], seen, compared),
                )
            elif not members[seen.member].own and (seen.version <= held.version or self._hint(members[seen.member])):
                withheld = partial(self._withheld, peer, asked, seen)
                self._guard(compared, f"card {seen.version} of {seen.member}", withheld)

    def _other_card(self, asked: PeerCards, accused: Peer, seen: CardSeen, compared: Compared) -> None:
        theirs = asked.targets(seen.member, seen.version)
        try:
            ours = ShownCards(self.database).targets(seen.member, seen.version)
        except NotFoundError:  # a newer one came meanwhile
            return
        number = self.keeper.keep_cards(accused.number, accused.member, accused.url, ours, theirs).number
        if number is not None:
            compared.evidence.append(number)

    def _hint(self, member: Peer) -> bool:
        """Look at a member's trust repository, at most once a minute, and not while somebody else does; say whether."""
        try:
            with self.locks.hold(f"peer/{member.member}", timeout=0.0):
                if self.trusting.due(member, hint=True):
                    self.trusting.refresh(member)
                    return True
        except StoreBusyError:
            return False
        except HashpactError as error:
            log.info("a hint at a newer card led nowhere", member=member.member, error=str(error))
        return False

    def _withheld(self, peer: Peer, asked: PeerCards, seen: CardSeen) -> None:
        """Raise an alarm while a member that was just looked at shows us an older card than it has signed for others.

        It may hide it, or somebody between us does, with a stolen online key. A version that its own targets key has
        not signed is refused: TrustError. So is, for the time being, one that is signed by keys of a root we never saw.
        """
        with self.database.read() as connection:
            standing = get_peer(connection, seen.member)
            raised = find_alarm(connection, WITHHELD, peer=standing.number)
            root = newest(load_files(connection, standing.number), TrustRole.ROOT)
        if seen.version <= (standing.card_version or 0):
            if raised is not None and raised.cleared_at is None:
                with self.database.write() as connection:
                    clear_alarm(connection, WITHHELD, now=self.now(), peer=standing.number)
            return
        try:
            targets = asked.targets(seen.member, seen.version)
        except FetchStatusError as error:
            log.info(
                "a peer does not show the card that it named", member=seen.member, by=peer.member, error=str(error)
            )
            return
        where = f"{peer.member}: targets metadata {seen.version} of {seen.member}"
        check_role(root or b"", TrustRole.TARGETS, targets, where=where)
        if version_of(TrustRole.TARGETS, targets, where=where) != seen.version:
            raise TrustError("the targets metadata have another version than was said", where=where)
        what = f"{seen.member} has signed card {seen.version} for others, and what reaches us from it is an older one"
        with self.database.write() as connection:
            raise_alarm(connection, WITHHELD, what, now=self.now(), mend=WITHHELD_MEND, peer=standing.number)

    def _tell(self, peer: Peer, compared: Compared) -> None:
        """Show what did not verify until it is over, and write nothing where there is nothing to say."""
        with self.database.read() as connection:
            raised = find_alarm(connection, NOTICE, peer=peer.number)
        if not compared.notices and (raised is None or raised.cleared_at is not None):
            return
        now = self.now()
        with self.database.write() as connection:
            if not compared.notices:
                clear_alarm(connection, NOTICE, now=now, peer=peer.number)
                return
            what = f"{peer.member} says things of others that do not verify: {compared.notices[0]}"
            mend = "nothing of it was believed; tell the member if it lasts"
            raise_alarm(connection, NOTICE, what, now=now, mend=mend, peer=peer.number)


def _within(until: float, items: Iterable[_Item]) -> Iterator[_Item]:
    """Give items until the time is over; what is left has its turn another time."""
    for item in items:
        if clock.monotonic() >= until:
            return
        yield item
