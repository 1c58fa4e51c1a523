"""Derive the merged state of one sequence anew within the transaction that changes which of its entries count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from hashpact_node.services.collecting import without_collecting
from hashpact_node.services.counting import settle_counting
from hashpact_node.services.digests import counting_logs
from hashpact_node.services.rebuild import MemberRebuild, Rebuilt
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import get_log, list_logs
from hashpact_node.store.peers import Peer, get_peer


@dataclass(frozen=True, slots=True)
class OneTransaction:
    """Stands for a database of which everything happens in one transaction that is open already."""

    connection: Connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield the connection."""
        yield self.connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield the connection; whoever opened the transaction commits it."""
        yield self.connection


def rederive(connection: Connection, peer: Peer, sequence: int, *, now: datetime) -> None:
    """Bring claims and owners of one sequence to what its stored entries say, as far as its logs are held now.

    What was right keeps its change number. The caller holds the lock under which the logs are merged. The transaction
    lasts about as long as merging the sequence once does. Raises StoreError where what is stored is damaged.
    """
    with without_collecting():
        whole = OneTransaction(connection)
        MemberRebuild(whole, peer, now, Rebuilt(), None, 0, only=sequence).run()
        settle_counting(connection, peer.number, now=now)


HeldOrder = dict[int, list[int]]
"""The counting logs of which something is held, in order, by sequence."""


def held_order(connection: Connection, peer: int) -> HeldOrder:
    """Give the order in which the logs of a member, given by its local number, count now, as far as they are held."""
    found: HeldOrder = {}
    for log in counting_logs(list_logs(connection, peer=peer)):
        if log.held_size:
            found.setdefault(log.sequence, []).append(log.number)
    return found


def settle_card(connection: Connection, peer: Peer, before: HeldOrder, *, now: datetime) -> None:
    """Let a new card have its effect on what is held: ``before`` is the order before its terms were stored.

    Where a log counts no more, or another order holds, what the others say may mean something else.
    """
    after = held_order(connection, peer.number)
    for sequence, order in after.items():
        if before.get(sequence, order) != order:
            rederive(connection, peer, sequence, now=now)
    settle_counting(connection, peer.number, now=now)


def settle_crossing(connection: Connection, log: int, *, now: datetime) -> None:
    """Let a fresh log, of which just enough is held, take the place of those before it.

    Its statements were merged over theirs. Where an id belonged to another kind there, that is not so any more.
    """
    current = get_log(connection, log)
    if current.quarantined:
        rederive(connection, get_peer(connection, current.member), current.sequence, now=now)
    else:
        settle_counting(connection, current.peer, now=now)
